package evasion

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// world is a server with users and wallets that all attempts of a database share. Between two
// attempts, policies, tokens and proposals are removed.
type world struct {
	*site

	t *testing.T // of the current attempt

	owner, partner *caller // owners of the vault
	signer, second *caller
	proposer       *caller
	viewer         *caller
	outsider       *caller // not a member of the vault
	admin          *caller // of the server, not a member of the vault

	vault *purse // whose payments are attempted
	cold  *purse // another wallet of the owner, seen by the other members

	coins map[coin]output // all outputs that were seen in transactions
	known map[string]bool // transactions and proposals before the attempt
	roles map[string]string
	laws  laws
	ended map[string]string // what the earlier verdicts of the attempt have seen, by txid
	// passed is the time that has passed in the attempt beyond its duration, and made when the
	// payments were first seen, by txid. Jumps of the clock do not count.
	passed time.Duration
	made   map[string]time.Time
	begun  int // height of the chain at the beginning of the attempt
}

// purse is a wallet with its signer on the node.
type purse struct {
	alias, id, signer, descriptor string
	receive, change               []string // addresses
}

const addresses = 300 // of each branch that the tests know

var uniqueNumber atomic.Int64

// unique returns a text that was not returned before.
func unique(text string) string { return fmt.Sprintf("%s%d", text, uniqueNumber.Add(1)) }

// foreign returns an address that belongs to no wallet.
func foreign(i int) string {
	return btc.AddressOf(append([]byte{0, 20, 77, byte(i / 256), byte(i)}, make([]byte, 17)...), btc.Regtest)
}

// funder is the wallet of the node that funds the others.
const funder = "funder"

// newWorld starts a server with the users and the wallets.
func newWorld(t *testing.T, e engine) *world {
	w := &world{site: openSite(t, e), t: t, coins: map[coin]output{}, known: map[string]bool{}, roles: map[string]string{}}
	w.laws = newLaws()
	w.admin = (&caller{w: w, name: "admin", password: adminPassword}).basic()
	w.owner, w.partner, w.signer, w.second = w.user("olga"), w.user("otto"), w.user("sam"), w.user("sue")
	w.proposer, w.viewer, w.outsider = w.user("pat"), w.user("vic"), w.user("mal")
	w.cold = w.purse(w.owner, "cold")
	for _, c := range []*caller{w.partner, w.signer, w.second, w.proposer, w.viewer} {
		w.join(c, "cold", "viewer")
	}
	return w
}

// open creates a vault for the attempts of a kind, and deletes the last one, whose UTXOs have many
// amounts.
func (w *world) open(t *testing.T) {
	t.Helper()
	w.t = t
	if w.vault != nil {
		w.begin(t)
		w.owner.do("DELETE", "/wallets/vault", nil).ok()
		w.sql(t, "DELETE FROM used_aliases WHERE alias = 'vault'")
	}
	w.vault = w.purse(w.owner, "vault")
	for c, role := range w.members() {
		w.join(c, "vault", role)
		w.roles[c.name] = role
	}
	w.roles[w.owner.name] = "owner"
	w.fund(60)
}

// members returns the roles of the members of the vault other than the owner.
func (w *world) members() map[*caller]string {
	return map[*caller]string{w.partner: "owner", w.signer: "signer", w.second: "signer", w.proposer: "proposer", w.viewer: "viewer"}
}

// user creates a user and returns a token of all scopes.
func (w *world) user(name string) *caller {
	w.t.Helper()
	password := "the password of " + name + " 41"
	testkit.Must(w.Users.Create(w.t.Context(), auth.Operator("test"), name, password, false))
	c := (&caller{w: w, name: name, password: password}).basic()
	t, r := c.token("", fields{"lifetime": "360 days", "description": "base"})
	r.ok()
	return t
}

// purse creates a wallet of one key and its signer.
func (w *world) purse(by *caller, alias string) *purse {
	w.t.Helper()
	first := int(5000 + uniqueNumber.Add(1))
	k := testkit.WPKH
	p := &purse{alias: alias, signer: unique("signer of " + alias + " "), descriptor: k.Descriptor(w.t, first, "<0;1>", -1)}
	w.node.Signer(w.t, p.signer, k.Descriptor(w.t, first, "0", 0), k.Descriptor(w.t, first, "1", 0))
	by.do("POST", "/wallets", fields{"name": alias, "alias": alias, "birthday": "now", "descriptor": p.descriptor}).ok()
	p.id = w.texts(w.t, "SELECT m.wallet_id FROM members AS m JOIN users AS u ON u.user_id = m.user_id WHERE m.alias = $1 AND u.name = $2", alias, by.name)[0]
	p.receive, p.change = w.derive(k.Descriptor(w.t, first, "0", -1)), w.derive(k.Descriptor(w.t, first, "1", -1))
	return p
}

// derive makes the node derive the first addresses of a descriptor.
func (w *world) derive(descriptor string) []string {
	w.t.Helper()
	info := cli[struct{ Checksum string }](w.t, w.node, "", "getdescriptorinfo", descriptor)
	return cli[[]string](w.t, w.node, "", "deriveaddresses", descriptor+"#"+info.Checksum, []int{0, addresses - 1})
}

// join makes a user a member of a wallet of the owner.
func (w *world) join(c *caller, alias, role string) {
	w.t.Helper()
	r := w.owner.do("POST", "/wallets/"+alias+"/invitations", fields{"user": c.name, "role": role})
	c.do("POST", "/invitations/"+r.id()+"/accept", fields{"alias": alias}).ok()
}

// fund pays UTXOs of 0.01 BTC to the vault.
func (w *world) fund(count int) {
	w.t.Helper()
	to := map[string]btc.JSONBTC{}
	for _, address := range w.vault.receive[:count] {
		to[address] = 1_000_000
	}
	w.see(cli[string](w.t, w.node, funder, "sendmany", "", to))
	w.mine(1)
}

// mine mines blocks and waits until the indexes have them.
func (w *world) mine(count int) {
	w.t.Helper()
	w.node.Mine(w.t, count)
	height := cli[int](w.t, w.node, "", "getblockcount")
	testkit.Eventually(w.t, fmt.Sprintf("the index has block %d", height), func() bool {
		return w.owner.send("GET", fmt.Sprintf("{v}?min_height=%d", height), nil).status == http.StatusOK
	})
}

// begin removes what the last attempt left behind.
func (w *world) begin(t *testing.T) {
	t.Helper()
	w.t = t
	w.sentTransactions() // fills in the outputs of transactions after the last verdict
	w.laws.reset()
	w.ended, w.made, w.passed = map[string]string{}, map[string]time.Time{}, 0
	for _, id := range w.texts(t, "SELECT proposal_id FROM proposals WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete')") {
		w.owner.do("DELETE", proposals+"/"+id, nil).ok()
	}
	for _, table := range []string{"policies", "policy_lists", "policy_changes", "spends", "invitations"} {
		w.sql(t, "DELETE FROM "+table)
	}
	w.outsider.send("DELETE", "/wallets/copy", nil)
	w.sql(t, "DELETE FROM used_aliases WHERE alias = 'copy'")
	w.sql(t, "DELETE FROM tokens WHERE description LIKE 'attempt%'")
	if len(cli[[]string](t, w.node, "", "getrawmempool")) > 0 {
		w.mine(1)
		testkit.Eventually(t, "the payments are confirmed", func() bool {
			return len(w.texts(t, "SELECT proposal_id FROM proposals WHERE status = 'broadcast'")) == 0
		})
	}
	for _, id := range w.texts(t, "SELECT proposal_id FROM proposals") {
		w.known[id] = true
	}
	w.begun = cli[int](t, w.node, "", "getblockcount")
}

// until waits until a proposal has a status.
func (w *world) until(id, status string) {
	w.t.Helper()
	testkit.Eventually(w.t, "the proposal is "+status, func() bool { return w.owner.on(id, "").ok().text("status") == status })
}

// parallel calls do several times at once.
func (w *world) parallel(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// fresh returns a new token of the user, issued by the present clock of the server.
func (c *caller) fresh() *caller {
	c.w.t.Helper()
	return c.basic().limited("")
}

// restoreRoles undoes changes of members. Attempts that change them call it at the end.
func (w *world) restoreRoles() {
	w.t.Helper()
	for c, role := range w.members() {
		r := w.owner.do("PUT", "{v}/members/"+c.name, fields{"role": role})
		if r.status >= 300 {
			w.join(c, "vault", role)
		}
		w.roles[c.name] = role
	}
}

// role changes the role of a member.
func (w *world) role(c *caller, role string) {
	w.t.Helper()
	w.owner.do("PUT", "{v}/members/"+c.name, fields{"role": role}).ok()
	w.roles[c.name] = role
}

// law sets a policy, as owners and admins may, and records that it is in force. Layers are
// server, wallet and member:NAME.
func (w *world) law(layer, policy string) {
	w.t.Helper()
	w.verdict()
	w.put(layer, policy).ok()
	w.laws.set(layer, w.document(policy), w.now())
}

// list sets a list of the vault and records that it is in force.
func (w *world) list(name string, entries ...string) {
	w.t.Helper()
	w.verdict()
	w.putList(w.owner, name, entries...).ok()
	w.laws.lists[name] = w.targets(entries)
	w.laws.at = w.now()
}

// put requests a policy.
func (w *world) put(layer, policy string, headers ...string) reply {
	w.t.Helper()
	by, path := w.owner, layerPath(layer)
	if layer == "server" {
		by = w.admin
	}
	return by.do("PUT", path, `{"policy": `+policy+`}`, headers...)
}

func layerPath(layer string) string {
	if name, isMember := strings.CutPrefix(layer, "member:"); isMember {
		return "{v}/members/" + name + "/policy"
	}
	return map[string]string{"server": "/policy", "wallet": policyPath}[layer]
}

// unlist deletes a list.
func (w *world) unlist(name string) {
	w.t.Helper()
	w.verdict()
	w.owner.do("DELETE", "{v}/lists/"+name, nil).ok()
	delete(w.laws.lists, name)
	w.laws.at = w.now()
}

func (w *world) putList(by *caller, name string, entries ...string) reply {
	w.t.Helper()
	return by.do("PUT", "{v}/lists/"+name, `{"entries": [`+strings.Join(entries, ",")+`]}`)
}

// fill replaces the placeholders of a text.
func (w *world) fill(text string) string {
	if !strings.Contains(text, "{") || w.vault == nil || w.cold == nil {
		return text
	}
	return strings.NewReplacer("{foreign}", foreign(0), "{other}", foreign(1), "{cold}", w.cold.receive[0], "{cold-id}", w.cold.id,
		"{receive}", w.vault.receive[95], "{change}", w.vault.change[95]).Replace(text)
}

// document parses a policy for the verdict.
func (w *world) document(text string) (d document) {
	w.t.Helper()
	testkit.Check(w.t, json.Unmarshal([]byte(w.fill(text)), &d))
	return d
}

func (w *world) targets(entries []string) []target {
	w.t.Helper()
	all := make([]target, len(entries))
	for i, text := range entries {
		testkit.Check(w.t, json.Unmarshal([]byte(w.fill(text)), &all[i]))
	}
	return all
}

// laws are the policies that are in force, as owners and admins have set them.
type laws struct {
	layers map[string]document
	tokens map[string][]document // of a token and its ancestors, by the id of the token
	lists  map[string][]target
	at     time.Time // of the last change
}

func newLaws() laws {
	return laws{layers: map[string]document{}, tokens: map[string][]document{}, lists: map[string][]target{}}
}

func (l *laws) set(layer string, d document, at time.Time) { l.layers[layer], l.at = d, at }

func (l *laws) reset() {
	clear(l.layers)
	clear(l.lists)
	clear(l.tokens)
	l.at = time.Time{}
}

// apply returns the policies that apply to a payment.
func (l *laws) apply(p *payment) (all []document) {
	for _, layer := range []string{"server", "wallet", "member:" + p.user} {
		if d, ok := l.layers[layer]; ok {
			all = append(all, d)
		}
	}
	return slices.Concat(all, l.tokens[p.token])
}

// wpkh returns the descriptor of a test key.
func wpkh(t *testing.T, number int) string { return testkit.WPKH.Descriptor(t, number, "<0;1>", -1) }
