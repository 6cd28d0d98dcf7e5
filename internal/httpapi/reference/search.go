package reference

import (
	"encoding/json"
	"fmt"
	"strings"
)

// entry is an entry of the search. Title and Words are the texts that are searched; Detail is
// the answer that the result shows.
type entry struct {
	Kind   string `json:"k"`
	Title  string `json:"t"`
	Link   string `json:"u"`
	Detail string `json:"d"`
	Words  string `json:"w"`
}

// synonyms are words of questions for words of titles.
var synonyms = map[string]string{ //nolint:gosec // words about tokens, not tokens
	"abort": "stop cancel", "abandon": "give up dropped", "add": "post upload submit", "addresses": "deposit receive invoice", "address": "deposit receive invoice",
	"broadcast": "send publish relay submit", "bump": "rbf fee replace accelerate stuck", "cancel": "delete abort", "change": "update edit modify patch",
	"create": "new make add post", "delete": "remove revoke", "events": "stream sse follow notify", "export": "download backup csv", "fees": "fee rate estimate",
	"find": "search lookup mine", "freeze": "lock block exclude coin", "get": "read show fetch", "import": "upload restore", "invitation": "share invite",
	"label": "note memo name", "list": "all show read", "members": "share user role", "policy": "limit rule budget", "proposal": "payment psbt transaction spend pay",
	"proposals": "payments psbts transactions spend", "rescan": "scan sync blockchain", "reveal": "new next", "rotate": "renew replace", "signatures": "sign psbt hardware",
	"token": "credential key secret api", "tokens": "credentials keys", "transactions": "history payments", "transaction": "history payment", "unfreeze": "unlock release coin",
	"utxo": "coin coins output unspent", "utxos": "coin coins output unspent", "wallet": "balance descriptor account", "wallets": "balance descriptor account",
	"webhook": "callback notify", "webhooks": "callback notify", "status": "state", "qr": "code scan", "set": "put update",
}

// codeWords are words of questions about error codes that occur neither in the code nor in
// its meaning.
var codeWords = map[string]string{
	"invalid_status": "wrong state wrong_state", "insufficient_scope": "permission missing", "insufficient_role": "permission admin",
	"unauthenticated": "login token expired revoked", "insufficient_funds": "balance", "broadcast_rejected": "send mempool",
	"index_behind": "min_height stale", "events_pruned": "resume position", "proposal_changed": "if-match etag conflict",
	"idempotency_key_reused": "retry duplicate", "too_many_requests": "rate limit retry", "server_busy": "rate limit retry",
}

// entries returns the entries of the search.
func (s *site) entries() []entry {
	var all []entry
	for _, c := range s.Chapters {
		all = append(all, entry{"Guide", c.Title, c.Link(), c.Summary, c.Words})
	}
	for _, n := range s.Nouns {
		all = append(all, entry{"Noun", n.Title, n.Path(), n.Description, n.Name})
		for _, op := range n.Operations {
			all = append(all, entry{"Operation", op.Title, op.Link(), op.detail(), op.words()})
		}
	}
	for _, c := range s.Scopes {
		all = append(all, entry{"Scope", c.Name, scopesPath + "#" + c.Slug(), c.Description, "scope permission " + c.Words})
	}
	for _, g := range s.CodeGroups {
		for _, c := range g.Codes {
			words := fmt.Sprintf("code error %d %s %s %s", c.Status, c.Title, strings.ReplaceAll(c.Name, "_", " "), codeWords[c.Name])
			all = append(all, entry{"Error code", c.Name, Prefix + "errors#code-" + c.Name, fmt.Sprintf("%d. %s", c.Status, c.Meaning), words})
		}
	}
	return all
}

// detail returns the method, the path, the scope and the role.
func (o shownOperation) detail() string {
	text := o.Method + " " + o.Path
	if o.Scope != "" {
		text += " · scope " + o.Scope
	}
	if o.Role != "" {
		text += " · role " + o.Role
	}
	return text
}

func (o shownOperation) words() string {
	words := []string{o.Summary, o.ID, o.Method, strings.NewReplacer("/", " ", "{", " ", "}", " ").Replace(o.Path)}
	for word := range strings.FieldsSeq(strings.ToLower(o.Title)) {
		words = append(words, synonyms[word])
	}
	return strings.Join(words, " ")
}

func (s *site) searchIndex() ([]byte, error) {
	text, err := json.Marshal(s.entries())
	if err != nil {
		return nil, fmt.Errorf("encode the search index: %w", err)
	}
	return text, nil
}
