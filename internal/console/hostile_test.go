package console_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/text"
)

// hostileMark is in every hostile text, to find it in pages.
const hostileMark = "hØstile"

// hostileTexts returns 360 texts, of which more than 200 are allowed. They try to become code, to change the direction or the width of
// the text around them, or to look like another text.
func hostileTexts() []string {
	parts := []string{
		`<script>window.hacked=1</script>`, `<img src=x onerror=window.hacked=1>`, `"><svg onload=window.hacked=1>`, `' onfocus='window.hacked=1' autofocus='`,
		`</title><script>window.hacked=1</script>`, `</textarea><script>window.hacked=1</script>`, `{{.User}}`, `{{template "nav" .}}`, `${window.hacked=1}`, `javascript:window.hacked=1`,
		`&lt;b&gt;`, `&#x3c;b&#x3e;`, `<!--`, `]]>`, `<bdi>`, `</bdi></td></table>`, `<base href=//evil.example>`, `<meta http-equiv=refresh content=0>`, `<style>*{display:none}</style>`,
		"\u202egnirts desrever", "\u2066isolated", "\u2067right to left", "\u2069\u2069 popped", "\u200b\u200d\ufeff", "شراء ١٢٣", "עברית 123", "\U0001F468\u200d\U0001F469\u200d\U0001F467 family",
		"Z\u0351\u036f\u0310a\u0489l\u034fg\u0301o", "ﷺ﷽", strings.Repeat("W", 40), strings.Repeat("\u0e49", 30), "%s%n%d%x", `\u003cscript\u003e`, "a\u2028b", "= 1 + 1", "+1", "-1", "@SUM(A1)",
		"\u2066\u2069\u2066\u2069", "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
	}
	variants := []func(string) string{
		func(part string) string { return part }, strings.ToUpper, func(part string) string { return "שלום" + part },
		func(part string) string { return `"` + part + `'` }, func(part string) string { return part + "\u0301/" }, func(part string) string { return part + "، " },
		func(part string) string { return "</bdi>" + part }, func(part string) string { return "x\\" + part + "%" },
		func(part string) string { return "1." + part },
	}
	var out []string
	for _, variant := range variants {
		for _, part := range parts {
			out = append(out, variant(part))
		}
	}
	return out
}

// hostileWorld is a server with texts of every kind.
type hostileWorld struct {
	t          *testing.T
	site       *site
	alice, bob *visitor // alice is an admin and the owner of the vault; bob is invited
	carol      *visitor // a signer of the vault
	wallet     string   // path of the vault in the API
	invited    string   // path of the invitations
	pages      map[string][]string
	targets    map[string][2]string // by kind: the path in the API and the field that store a text
	proposal   string               // path of its page
	payee      string               // an address of the vault
	more       []string             // paths of pages of policies, which show many texts each
	stored     map[string]int       // number of texts, by kind
}

// TestHostileTexts stores more than 200 hostile texts of every kind by the API, and requests every page that
// shows texts of that kind: each is shown completely as text, isolated from the text around it, and
// adds no element to a page. In Chromium, no script of them runs, and no page becomes wider than
// the window of a phone.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	h := newHostileWorld(t)
	for i, text := range hostileTexts() {
		h.store(i, text)
		h.addToken(i, text)
		h.addUser(i, text)
	}
	h.addPolicies()
	h.addRejections()
	for _, kind := range []string{"name", "address", "transaction", "output", "payee", "device", "webhook", "token", "user", "rule", "list", "entry", "reason"} {
		if n := h.stored[kind]; n < 200 {
			t.Errorf("only %d texts of the kind %s were stored", n, kind)
		}
	}
	h.checkLists()
	h.look()
}

func newHostileWorld(t *testing.T) *hostileWorld {
	t.Helper()
	r := newReceiver(t)
	s := open(t, onOwnNode, allowing(r))
	h := &hostileWorld{t: t, site: s, alice: s.user(t, "alice", true), bob: s.user(t, "bob", false), wallet: "/api/v1/wallets/treasury", stored: map[string]int{}}
	h.alice.vault("treasury")
	address := h.alice.address("treasury", "first")
	txid := h.alice.pay("treasury", address, "0.5")
	h.alice.pay("treasury", address, "0.5")
	h.alice.pay("treasury", address, "0.5")
	hook := h.alice.api("POST", "/api/v1/webhooks", map[string]any{"description": "shop", "url": r.url, "kinds": []string{"proposal"}})["id"].(string)
	payee := h.alice.address("treasury", "second")
	h.payee = payee
	made := h.alice.api("POST", h.wallet+"/proposals", map[string]any{"recipients": []any{map[string]any{"address": payee, "amount_sat": 100_000}}, "fee_rate_sat_vb": 5})["id"].(string)
	utxos := h.alice.api("GET", h.wallet+"/utxos", nil)["items"].([]any)
	output := utxos[slices.IndexFunc(utxos, func(u any) bool { return u.(map[string]any)["reserved"] != true })].(map[string]any)
	var delivery string
	testkit.Eventually(t, "the webhook has a delivery", func() bool {
		return s.db.QueryRowContext(t.Context(), "SELECT delivery_id FROM deliveries").Scan(&delivery) == nil
	})
	s.sql(t, "INSERT INTO devices (device_id, user_id, alias, name, type, created_at) SELECT 'd', user_id, 'd', 'd', '', 1 FROM users WHERE name = 'alice'")
	s.sql(t, "UPDATE wallet_keys SET device_id = 'd'")
	h.invited = h.wallet + "/invitations"
	invitation := h.alice.api("POST", h.invited, map[string]any{"user": "bob", "role": "signer"})["id"].(string)
	h.targets = map[string][2]string{
		"name": {h.wallet, "name"}, "address": {h.wallet + "/addresses/" + address, "label"}, "payee": {h.wallet + "/addresses/" + payee, "label"},
		"transaction": {h.wallet + "/transactions/" + txid, "label"}, "output": {fmt.Sprintf("%s/outputs/%v:%v", h.wallet, output["txid"], output["vout"]), "label"},
		"webhook": {"/api/v1/webhooks/" + hook, "description"},
	}
	const w = "/wallets/treasury"
	h.proposal = w + "/proposals/" + made
	h.pages = map[string][]string{
		"/": {"payee"}, "/settings": nil, "/node": nil, "/wallets/new": nil, "/tokens/new": nil, "/find?q=nothing": nil, "/users/alice": nil,
		"/webhooks": {"webhook"}, "/webhooks/new": nil, "/webhooks/" + hook: {"webhook"}, "/webhooks/" + hook + "/edit": nil, "/webhooks/" + hook + "/deliveries/" + delivery: {"webhook"},
		w: {"transaction", "address", "payee"}, w + "/receive": {"address", "payee"}, w + "/receive?address=" + address: {"address", "device"},
		w + "/history": {"transaction", "address"}, w + "/transactions/" + txid: {"transaction"}, fmt.Sprintf("%s/transactions/%v", w, output["txid"]): {"output"},
		w + "/utxos": {"output", "address"}, w + "/send": {"output", "address"}, w + "/proposals": {"payee"}, h.proposal: {"payee", "device"}, h.proposal + "/qr": nil,
		w + "/settings": {"device"}, w + "/settings/sheet": {"device"}, "bob:/": nil, "bob:/invitations/" + invitation: nil,
	}
	return h
}

// hostile returns a text of a kind, with a mark by which pages are searched for it.
func hostile(kind string, i int, text string) string {
	return fmt.Sprintf("%s%d%s %s", hostileMark, i, kind, text)
}

// store replaces the text of every kind by another one, and checks the pages that show one. A
// request of the API for the name of the device would change its path.
func (h *hostileWorld) store(i int, text string) {
	h.t.Helper()
	texts := map[string]string{}
	for kind, to := range h.targets {
		if one := hostile(kind, i, text); h.alice.try("PATCH", to[0], map[string]any{to[1]: one}) < 300 {
			texts[kind] = one
			h.stored[kind]++
		}
	}
	if len(texts) == 0 {
		return
	}
	texts["device"] = hostile("device", i, text)
	h.site.sql(h.t, "UPDATE devices SET name = $1 WHERE device_id = 'd'", texts["device"])
	h.stored["device"]++
	for path, kinds := range h.pages {
		v, own := h.alice, path
		if name, rest, ok := strings.Cut(path, ":"); ok && name == "bob" {
			v, own = h.bob, rest
		}
		v.get(own).want(200).showsTexts(texts, append(kinds, "name"))
	}
}

// addToken adds a token for the wallet, and checks its page.
func (h *hostileWorld) addToken(i int, text string) {
	h.t.Helper()
	texts := map[string]string{"token": hostile("token", i, text)}
	body := map[string]any{"description": texts["token"], "scopes": []string{"wallets:read"}, "wallets": []string{"treasury"}, "lifetime": "1 hour"}
	if h.alice.try("POST", "/api/v1/tokens", body) >= 300 {
		return
	}
	h.stored["token"]++
	var id string
	testkit.Check(h.t, h.site.db.QueryRowContext(h.t.Context(), "SELECT token_id FROM tokens WHERE description = $1", texts["token"]).Scan(&id))
	h.alice.get("/tokens/"+id).want(200).showsTexts(texts, []string{"token"})
}

// addPolicies sets policies with a rule for each text, which names a list with an entry, and checks
// their pages: the policy, its form, the reviews of changes, and a simulation that each rule
// refuses. At last it checks a list with all entries.
func (h *hostileWorld) addPolicies() {
	h.t.Helper()
	const page = "/wallets/treasury/policy"
	h.carol = h.site.user(h.t, "carol", false)
	h.alice.member("treasury", h.carol, "signer")
	rules, lists, entries := named("rule"), named("list"), allowed("entry")
	h.stored["rule"], h.stored["list"], h.stored["entry"] = len(rules), len(lists), len(entries)
	if len(rules) != len(lists) || len(entries) < len(lists) {
		h.t.Fatalf("%d names of rules, %d of lists, and %d labels", len(rules), len(lists), len(entries))
	}
	h.putList("first", "its label")
	for i, name := range lists { // the API permits 20
		label := testkit.Must(json.Marshal(entries[i]))
		h.site.sql(h.t, `INSERT INTO policy_lists SELECT wallet_id, $1, replace(entries, '"its label"', $2), user_name, set_at FROM policy_lists WHERE name = 'first'`, name, string(label))
	}
	for first := 0; first < len(rules); first += policy.MaxRules {
		last := min(first+policy.MaxRules, len(rules))
		part, own := rules[first:last], lists[first:last]
		h.alice.api("PUT", "/api/v1"+page, map[string]any{"policy": policyDocument(part, own, h.payee, 60_000)})
		h.alice.get(page).want(200).showsAll(part, lists, entries[:len(lists)])
		h.alice.get(page+"/delete").want(200).showsAll(part, own)
		form := h.alice.get(page + "/edit?mode=json").want(200)
		shown := form.hostileTexts() // as JSON, with escapes
		maps.DeleteFunc(shown, func(mark string, _ int) bool { return strings.HasSuffix(mark, "name") })
		if n := len(shown); n != 2*len(part) {
			h.t.Errorf("the form has %d of %d texts", n, 2*len(part))
		}
		form.submit(page+"/edit", "document", string(testkit.Must(json.Marshal(policyDocument(part, own, h.payee, 5))))).want(200).showsAll(part)
		h.alice.get(page+"/simulate").submit(page+"/simulate", "recipients[0].address", h.payee, "recipients[0].amount_sat", "70000", "fee_rate_sat_vb", "5").want(200).showsAll(part)
	}
	for i := 0; i < len(lists); i += 20 {
		h.alice.get("/wallets/treasury/lists/"+url.PathEscape(lists[i])).want(200).showsAll(lists[i:i+1], entries[i:i+1])
	}
	h.putList("first", entries...)
	list := h.alice.get("/wallets/treasury/lists/first").want(200).showsAll(entries)
	h.carol.get("/wallets/treasury/lists/first").want(200).showsAll(entries) // without the form
	list.submit("/wallets/treasury/lists/review", "entries", "").want(200).showsAll(entries)
	h.more = append(h.more, page, page+"/delete", "/wallets/treasury/lists/first", "/wallets/treasury/lists/"+url.PathEscape(lists[0]))
}

// named returns the texts of a kind that are allowed as names of rules and lists.
func named(kind string) []string {
	return slices.DeleteFunc(allowed(kind), func(name string) bool { return policy.CheckListName("name", name) != nil })
}

// allowed returns the texts of a kind that are allowed as reasons and labels.
func allowed(kind string) (texts []string) {
	for i, part := range hostileTexts() {
		if one := strings.TrimSpace(hostile(kind, i, part)); text.Problem(one) == "" {
			texts = append(texts, one)
		}
	}
	return texts
}

// putList sets a list with an entry of the same address for each label.
func (h *hostileWorld) putList(name string, labels ...string) {
	h.t.Helper()
	entries := make([]any, len(labels))
	for i, label := range labels {
		entries[i] = map[string]any{"address": h.payee, "label": label}
	}
	h.alice.api("PUT", h.wallet+"/lists/"+name, map[string]any{"entries": entries})
}

// policyDocument returns a policy with rules of these names, each of which names another list.
func policyDocument(rules, lists []string, payee string, most int) map[string]any {
	all := make([]any, len(rules))
	for i, name := range rules {
		all[i] = map[string]any{
			"name": name, "to": []any{map[string]any{"list": lists[i]}, map[string]any{"address": payee}}, "max_payment_sat": most,
			"windows": []any{map[string]any{"per": "24h", "max_sat": 90_000}},
		}
	}
	return map[string]any{"version": 1, "allow": all}
}

// addRejections shows every text as the reason of a rejection on the page of one proposal.
func (h *hostileWorld) addRejections() {
	h.t.Helper()
	h.alice.api("PUT", "/api/v1/wallets/treasury/policy", map[string]any{"policy": json.RawMessage(`{"version": 1, "allow": [{"name": "all", "approvals": {"count": 1}}]}`)})
	id := h.alice.api("POST", h.wallet+"/proposals", map[string]any{"recipients": []any{map[string]any{"address": h.payee, "amount_sat": 100_000}}, "fee_rate_sat_vb": 5})["id"].(string)
	reasons := allowed("reason")
	h.stored["reason"] = len(reasons)
	h.carol.api("POST", h.wallet+"/proposals/"+id+"/reject", map[string]any{"reason": reasons[0]})
	path := "/wallets/treasury/proposals/" + id
	h.carol.get(path).want(200).showsAll(reasons[:1])
	for i, reason := range reasons { // the API permits one rejection
		h.site.sql(h.t, "INSERT INTO proposal_steps SELECT proposal_id, position + $1, at, action, user_id, user_name, token_id, $2 FROM proposal_steps WHERE proposal_id = $3 AND detail = $4", i+1, reason+" ", id, reasons[0])
	}
	h.site.sql(h.t, "UPDATE proposals SET reason = $1 WHERE proposal_id = $2", strings.Join(reasons, " "), id)
	h.alice.get(path).want(200).showsAll(reasons)
	h.more = append(h.more, path)
}

// addUser adds a user who becomes a signer of the wallet, and checks the user's own page and the
// page of admins. Every tenth invitation stays open.
func (h *hostileWorld) addUser(i int, text string) {
	h.t.Helper()
	v := h.site.visitor(h.t)
	v.name, v.password = hostile("user", i, text), "the password of a user 41"
	if _, err := h.site.Users.Create(h.t.Context(), auth.Operator("test"), v.name, v.password, false); err != nil {
		return
	}
	h.stored["user"]++
	texts := map[string]string{"user": v.name}
	v.signIn(v.name, v.password)
	v.get("/tokens").want(200).showsTexts(texts, []string{"user"})
	h.alice.get("/users/"+url.PathEscape(v.name)).want(200).showsTexts(texts, []string{"user"})
	invitation := h.alice.api("POST", h.invited, map[string]any{"user": v.name, "role": "signer"})["id"].(string)
	if i%10 > 0 {
		v.api("POST", "/api/v1/invitations/"+invitation+"/accept", map[string]any{"alias": "treasury"})
		h.stored["signer"]++
	}
}

// checkLists checks the pages that list the texts that were added.
func (h *hostileWorld) checkLists() {
	h.t.Helper()
	for page, stored := range map[string]string{"/tokens": "token", "/users": "user", "/wallets/treasury/members": "user", "/audit?action=user.create": "user", h.proposal: "signer"} {
		v := h.alice
		if stored == "signer" { // shown to members who cannot sign
			v = h.site.user(h.t, "eve", false)
			h.alice.member("treasury", v, "viewer")
		}
		shown := map[string]int{}
		for d, more := v.get(page).want(200), true; more; {
			maps.Copy(shown, d.hostileTexts())
			more = false
			for _, next := range []string{"Next page", "Earlier events"} {
				if strings.Contains(d.text(), next) {
					d, more = d.follow(next), true
				}
			}
		}
		kind := strings.ReplaceAll(stored, "signer", "user")
		maps.DeleteFunc(shown, func(mark string, _ int) bool { return !strings.HasSuffix(mark, kind) })
		if len(shown) != h.stored[stored] {
			h.t.Errorf("%s shows %d of %d texts", page, len(shown), h.stored[stored])
		}
	}
}

// look opens the pages in Chromium at the width of a phone. There it replaces each text that the
// page shows by every text in turn, which takes less time than a page for each.
func (h *hostileWorld) look() {
	h.t.Helper()
	b := h.site.chromium(h.t)
	b.size(390)
	b.open("/login")
	b.signIn("alice", h.alice.password)
	b.see("Home")
	for _, page := range append(append(slices.Sorted(maps.Keys(h.pages)), h.more...), "/tokens", "/users", "/wallets/treasury/members", "/audit?action=user.create") {
		if strings.HasPrefix(page, "bob:") {
			continue
		}
		b.open(page)
		found := evaluate[struct {
			Count int
			Wide  []string
			Ran   bool
		}](b, fmt.Sprintf(replaceTexts, quoted(hostileMark), testkit.Must(json.Marshal(hostileTexts()))))
		if found.Count == 0 || len(found.Wide) > 0 || found.Ran {
			h.t.Errorf("%s with %d texts: a script ran: %t; it is wider than 390 px with %q: %s", page, found.Count, found.Ran, found.Wide, evaluate[string](b, pageText))
		}
	}
}

// replaceTexts is a script that replaces the hostile texts of a page by others, and returns which of
// them make it wider than the window.
const replaceTexts = `(() => {
	document.getElementById("nav").showPopover(); // has the names of wallets
	const all = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), nodes = [], wide = [];
	while (all.nextNode()) if (all.currentNode.data.includes(%s) && all.currentNode.parentElement.checkVisibility()) nodes.push(all.currentNode);
	for (const text of ["", ...(nodes.length < 100 ? %s : [])]) { // first as it is
		if (text) for (const node of nodes) node.data = text;
		if (document.documentElement.scrollWidth > document.documentElement.clientWidth) wide.push(text);
	}
	return {Count: nodes.length, Wide: wide, Ran: window.hacked !== undefined};
})()`

// showsTexts checks the hostile texts of a page, and that it shows the ones of these kinds.
func (d *document) showsTexts(texts map[string]string, kinds []string) {
	d.by.t.Helper()
	shown := d.hostileTexts()
	for _, kind := range kinds {
		text := texts[kind]
		mark, rest, _ := strings.Cut(text, " ")
		if text != "" && (shown[mark] == 0 || !strings.Contains(collapsed(d.all("body", nil)[0]), strings.Join(strings.Fields(mark+" "+rest), " "))) {
			d.by.t.Errorf("%s does not show %q: %v", d.at, text, shown)
		}
	}
}

// showsAll checks the hostile texts of a page, and that it shows all of these.
func (d *document) showsAll(texts ...[]string) *document {
	d.by.t.Helper()
	shown, all := d.hostileTexts(), collapsed(d.all("body", nil)[0])
	for _, text := range slices.Concat(texts...) {
		mark, _, _ := strings.Cut(text, " ")
		if shown[mark] == 0 || !strings.Contains(all, strings.Join(strings.Fields(text), " ")) {
			d.by.t.Errorf("%s does not show %q", d.at, text)
		}
	}
	return d
}

// collapsed returns the text of an element with single spaces, and with the marks that texts contain.
func collapsed(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

var hostileAt = regexp.MustCompile(hostileMark + `\d+[a-z]+ `)

// hostileTexts checks every place of a page that shows a hostile text, and returns their number by
// the mark of the text.
func (d *document) hostileTexts() map[string]int {
	d.by.t.Helper()
	shown := map[string]int{}
	for n := range d.root.Descendants() {
		switch {
		case n.Type == html.TextNode:
			for _, mark := range hostileAt.FindAllString(n.Data, -1) {
				shown[strings.TrimSpace(mark)]++
				if !isIsolated(n, mark) {
					d.by.t.Errorf("%s: the text %q is not isolated: %s", d.at, n.Data, render(n.Parent))
				}
			}
		case n.Type == html.ElementNode && !d.isOurs(n):
			d.by.t.Errorf("%s has an element of a text: %s", d.at, render(n))
		}
	}
	return shown
}

// isOurs reports whether an element is one of the templates, and not of a text.
func (d *document) isOurs(n *html.Node) bool {
	if slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return strings.HasPrefix(a.Key, "on") || a.Key == "http-equiv" }) {
		return false
	}
	return !slices.Contains([]string{"script", "base", "style", "img"}, n.Data) || strings.HasPrefix(attr(n, "src"), "/assets/")
}

// isIsolated reports whether the direction of a text cannot change the text around it: it is in
// an element that isolates it, or between marks that do.
func isIsolated(n *html.Node, mark string) bool {
	before, _, _ := strings.Cut(n.Data, mark)
	if strings.HasSuffix(before, "\u2068") {
		return true
	}
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == "bdi" || attr(p, "dir") == "auto" || p.Data == "title" || p.Data == "code" || p.Data == "option" {
			return true
		}
	}
	return false
}

func render(n *html.Node) string {
	var b strings.Builder
	_ = html.Render(&b, n)
	return b.String()
}
