package system

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/event"
)

// eventLedger records the changes that a load requests, and compares them with the events that
// were read. Requests for the same object must not be made at the same time.
type eventLedger struct {
	mu           sync.Mutex
	changes      map[string][]eventChange // by object, in their order
	acknowledged int
	unnamed      map[string]int // creations without a response, by kind: the id of the object is unknown
}

// eventChange is a requested change of an object.
type eventChange struct {
	kind         string // of its event
	acknowledged bool
	// always is set if the change has an event even if the last event of the object has the same
	// kind. Otherwise such a change has no effect.
	always bool
}

func newEventLedger() *eventLedger {
	return &eventLedger{changes: map[string][]eventChange{}, unnamed: map[string]int{}}
}

// requestKind is a kind of request that causes events.
type requestKind struct {
	method string
	path   *regexp.Regexp // with a group for the object, unless the response names it
	object string         // the kind of object
	event  string
	names  func(response namedObject) string // returns the object that the response names
}

type namedObject struct{ ID, Alias, Address string }

func namedByID(o namedObject) string { return o.ID }

// requestKinds has a kind several times if it causes several events.
var requestKinds = []requestKind{
	{http.MethodPost, regexp.MustCompile(`/tokens$`), "token", "token.created", namedByID},
	{http.MethodPost, regexp.MustCompile(`/tokens/([^/]+)/rotate$`), "token", "token.revoked", nil},
	{http.MethodPost, regexp.MustCompile(`/tokens/[^/]+/rotate$`), "token", "token.rotated", namedByID},
	{http.MethodDelete, regexp.MustCompile(`/tokens/([^/]+)$`), "token", "token.revoked", nil},
	{http.MethodPost, regexp.MustCompile(`/addresses$`), "address", "address.revealed", func(o namedObject) string { return o.Address }},
	{http.MethodPut, regexp.MustCompile(`/utxos/([^/]+)/freeze$`), "utxo", "utxo.frozen", nil},
	{http.MethodDelete, regexp.MustCompile(`/utxos/([^/]+)/freeze$`), "utxo", "utxo.unfrozen", nil},
	{http.MethodPut, regexp.MustCompile(`/wallets/([^/]+/members/[^/]+)$`), "member", "member.added", nil},
	{http.MethodDelete, regexp.MustCompile(`/wallets/([^/]+/members/[^/]+)$`), "member", "member.removed", nil},
	{http.MethodPost, regexp.MustCompile(`/proposals(/[^/]+/bump)?$`), "proposal", "proposal.created", namedByID},
	{http.MethodPost, regexp.MustCompile(`/proposals/([^/]+)/signatures$`), "proposal", "proposal.signed", nil},
	{http.MethodDelete, regexp.MustCompile(`/proposals/([^/]+)$`), "proposal", "proposal.cancelled", nil},
	{http.MethodPost, regexp.MustCompile(`/wallets/([^/]+)/rescan$`), "rescan", "rescan.started", nil},
	{http.MethodPost, regexp.MustCompile(`/wallets$`), "wallet", "wallet.created", func(o namedObject) string { return o.Alias }},
}

// observe records a request. The status is 0 without a complete response; a request that was
// rejected must not have an event.
func (l *eventLedger) observe(a ask, status int, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if status >= http.StatusMultipleChoices {
		return
	}
	path, _, _ := strings.Cut(a.path, "?")
	for _, k := range requestKinds {
		found := k.path.FindStringSubmatch(path)
		if found == nil || a.method != k.method {
			continue
		}
		var object string
		switch {
		case k.names == nil:
			object = found[1]
		case status == 0:
			l.unnamed[k.event]++
			continue
		default:
			var named namedObject
			_ = json.Unmarshal(body, &named) // compare finds no event without an object
			object = k.names(named)
		}
		object = k.object + " " + object
		l.changes[object] = append(l.changes[object], eventChange{k.event, status != 0, k.event == "proposal.signed" || k.event == "rescan.started"})
		if status != 0 {
			l.acknowledged++
		}
	}
}

// compare returns how the events differ from the changes: every acknowledged change must have
// one event, and no other change may have one, except those without a response. Aliases are
// the aliases of wallets by their ids.
func (l *eventLedger) compare(events []readEvent, aliases map[string]string) (wrong []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := map[string][]string{} // kinds by object
	for _, e := range events {
		for _, object := range e.objects(aliases) {
			got[object] = append(got[object], e.Type)
		}
	}
	extra := map[string]int{} // objects whose creation had no response, by the kind of the event
	for object, kinds := range got {
		if isCreated := func(c eventChange) bool { return c.kind == kinds[0] }; creates(kinds[0]) && !slices.ContainsFunc(l.changes[object], isCreated) {
			extra[kinds[0]]++
			got[object] = kinds[1:]
		}
	}
	for kind, n := range extra {
		if n > l.unnamed[kind] {
			wrong = append(wrong, fmt.Sprintf("%d objects with the event %s are unknown, but only %d requests had no response", n, kind, l.unnamed[kind]))
		}
	}
	objects := maps.Clone(l.changes)
	for object := range got {
		objects[object] = l.changes[object]
	}
	for object, changes := range objects {
		if !possible(changes, got[object]) {
			wrong = append(wrong, fmt.Sprintf("%s has the events %v after the changes %+v", object, got[object], changes))
		}
	}
	return wrong
}

// creates reports whether an event of this kind belongs to a new object, which the response names.
func creates(kind string) bool {
	return slices.ContainsFunc(requestKinds, func(k requestKind) bool { return k.event == kind && k.names != nil })
}

// possible reports whether the changes of an object can have caused its events.
func possible(changes []eventChange, events []string) bool {
	caused := map[int]bool{0: true} // possible numbers of events that the changes so far have caused
	for _, c := range changes {
		next := map[int]bool{}
		for n := range caused {
			without := !c.always && n > 0 && events[n-1] == c.kind
			if without || !c.acknowledged {
				next[n] = true
			}
			if !without && n < len(events) && events[n] == c.kind {
				next[n+1] = true
			}
		}
		caused = next
	}
	return caused[len(events)]
}

// readEvent is an event as a client reads it.
type readEvent struct {
	ID        string
	Type      string
	Timestamp time.Time
	Data      struct {
		WalletID   string `json:"wallet_id"`
		N          int64
		TokenID    string `json:"token_id"`
		Tokens     []event.TokenName
		Address    string
		Branch     string
		Txid       string
		Vout       int
		ProposalID string `json:"proposal_id"`
		User       string
	}

	text string // of the complete event
}

func (e *readEvent) parse(text string) error {
	e.text = text
	return json.Unmarshal([]byte(text), e)
}

// objects returns the objects of an event in the ledger; none if no request caused it.
func (e *readEvent) objects(aliases map[string]string) []string {
	d := e.Data
	switch event.Kind(e.Type) {
	case event.TokenCreated, event.TokenRotated:
		return []string{"token " + d.TokenID}
	case event.TokenRevoked:
		var all []string
		for _, t := range d.Tokens {
			all = append(all, "token "+t.TokenID)
		}
		return all
	case event.AddressRevealed:
		if d.Branch == "change" { // of a proposal
			return nil
		}
		return []string{"address " + d.Address}
	case event.UTXOFrozen, event.UTXOUnfrozen:
		return []string{fmt.Sprintf("utxo %s:%d", d.Txid, d.Vout)}
	case event.MemberAdded, event.MemberRemoved:
		return []string{"member " + aliases[d.WalletID] + "/members/" + d.User}
	case event.ProposalCreated, event.ProposalSigned, event.ProposalCancelled:
		return []string{"proposal " + d.ProposalID}
	case event.RescanStarted:
		return []string{"rescan " + aliases[d.WalletID]}
	case event.WalletCreated:
		return []string{"wallet " + aliases[d.WalletID]}
	}
	return nil
}
