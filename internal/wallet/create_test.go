package wallet_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func testCreate(r *fixture) {
	t, ctx := r.t, r.t.Context()
	text := descriptor()
	v, err := r.Create(ctx, r.alice, wallet.Plan{Name: "Vault 2/3", Descriptor: text, Birthday: fromNow})
	testkit.Check(t, err)
	r.wantKick(v.ID)
	r.wantEvent(r.alice, "wallet.create", v.ID)
	tip, _ := r.provider.Chain(wallet.NodeWallet{})
	if v.Alias != "vault_23" || v.Name != "Vault 2/3" || v.Role != auth.RoleOwner || v.Stage != wallet.Ready ||
		v.Script != btc.WPKH || v.SignaturesRequired != 1 || v.Birthday != tip || v.Rescanning() || v.Synced.Height != -1 ||
		v.ReceiveNext != 0 || v.RangeEnd < wallet.Lookahead+1 || len(v.Keys) != 1 || v.Keys[0].Fingerprint != "d34db33f" {
		t.Errorf("got %+v", v)
	}
	got, err := r.Get(ctx, r.access(r.alice, "vault_23"))
	testkit.Check(t, err)
	if diff := cmp.Diff(v, got); diff != "" {
		t.Errorf("the stored wallet differs from the returned one: %s", diff)
	}

	// Core's wallet has no private keys, and watches addresses up to the same index.
	info, err := r.core.Wallet(v.CoreName).Info(ctx)
	testkit.Check(t, err)
	if info.PrivateKeys || !info.Descriptors || strings.Contains(v.CoreName, "ault") {
		t.Errorf("Core's wallet %s: %+v", v.CoreName, info)
	}
	watched, err := r.core.Wallet(v.CoreName).Descriptors(ctx)
	testkit.Check(t, err)
	for _, d := range watched {
		if d.RangeEnd != int(v.RangeEnd)-1 || d.Internal != (d.Text == v.Change) || !d.Internal != (d.Text == v.Receive) {
			t.Errorf("Core watches %+v", d)
		}
	}
	if len(watched) != 2 {
		t.Errorf("Core watches %d descriptors", len(watched))
	}
	r.wantAddresses(v)
	if strings.Contains(r.log.String(), "tpub") || r.count("SELECT count(*) FROM audit WHERE detail LIKE '%pub%'") != 0 {
		t.Error("keys are in the log or the audit record")
	}
	r.testAddresses(v)
}

// wantAddresses checks that all addresses equal the addresses derived by Core.
func (r *fixture) wantAddresses(v wallet.View) {
	r.t.Helper()
	for branch, text := range []string{v.Receive, v.Change} {
		want, err := r.core.DeriveAddresses(r.t.Context(), text, 0, int(v.RangeEnd)-1)
		testkit.Check(r.t, err)
		b := wallet.Branch(branch)
		got, err := r.Addresses(r.t.Context(), r.access(r.alice, v.Alias), wallet.AddressFilter{Branch: &b}, nil, int(v.RangeEnd)+1)
		testkit.Check(r.t, err)
		if len(got) != len(want) {
			r.t.Fatalf("%d addresses on branch %d, want %d", len(got), branch, len(want))
		}
		for i, a := range got {
			if a.Address != want[i] || a.Index != uint32(i) || a.Branch != b {
				r.t.Fatalf("address %d of branch %d is %+v, Core has %s", i, branch, a, want[i])
			}
		}
	}
}

func testCreateFromKeys(r *fixture) {
	t, ctx := r.t, r.t.Context()
	_, err := r.Create(ctx, r.alice, wallet.Plan{Name: "One", Script: "tr", Keys: []string{key(0)}, Birthday: fromNow})
	testkit.Check(t, err)
	v, err := r.Create(ctx, r.alice, wallet.Plan{
		Name: "Two of three", Alias: "family", Script: "sh-wsh", SignaturesRequired: 2, Keys: []string{key(1), key(2), key(3)}, Birthday: height(7),
	})
	testkit.Check(t, err)
	if v.Alias != "family" || v.Script != btc.ShWSh || v.SignaturesRequired != 2 || len(v.Keys) != 3 || v.Birthday != 7 || v.RescanFrom != 7 {
		t.Errorf("got %+v", v)
	}
	for i, k := range v.Keys {
		if k.Fingerprint != fmt.Sprintf("d34db33%d", i+1) || k.Device == "" {
			t.Errorf("key %d is %+v", i, k)
		}
	}
	r.wantAddresses(v)
	// Two separate descriptors.
	four := key(4)
	two, err := r.Create(ctx, r.alice, wallet.Plan{
		Name: "Apart", Descriptor: "pkh(" + four + "/0/*)", Change: "pkh(" + four + "/1/*)", Birthday: fromNow,
	})
	testkit.Check(t, err)
	r.wantAddresses(two)
}

// key returns a new extended key with an origin; i is the last digit of its
// fingerprint.
func key(i int) string {
	master, err := hdkeychain.NewKeyFromString(tpub)
	if err != nil {
		panic(err)
	}
	child, err := master.Derive(uint32(keys.Add(1)))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("[d34db33%d/48h/1h/0h/2h]%s", i, child)
}

func testCreateRefuses(r *fixture) {
	t, ctx := r.t, r.t.Context()
	taken := r.storeWallet(r.alice, "taken")
	const private = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK"
	good := func() wallet.Plan { return wallet.Plan{Name: "Name", Descriptor: descriptor(), Birthday: fromNow} }
	tip, _ := r.provider.Chain(wallet.NodeWallet{})
	for name, c := range map[string]struct {
		change func(p *wallet.Plan)
		field  string // in the fault
		code   string // of the fault
	}{
		"no name":                   {func(p *wallet.Plan) { p.Name = "" }, "name", ""},
		"name with a line break":    {func(p *wallet.Plan) { p.Name = "a\nb" }, "name", ""},
		"a name without an alias":   {func(p *wallet.Plan) { p.Name = "☃" }, "alias", ""},
		"a bad alias":               {func(p *wallet.Plan) { p.Alias = "../etc" }, "alias", ""},
		"an alias that is taken":    {func(p *wallet.Plan) { p.Alias = "taken" }, "", "alias_exists"},
		"a name that is like one":   {func(p *wallet.Plan) { p.Name = "TAKEN?" }, "", "alias_exists"},
		"nothing":                   {func(p *wallet.Plan) { p.Descriptor = "" }, "descriptor", ""},
		"both":                      {func(p *wallet.Plan) { p.Keys = []string{key(1)} }, "keys", ""},
		"no descriptor":             {func(p *wallet.Plan) { p.Descriptor = "wpkh(nonsense)" }, "descriptor", ""},
		"one branch":                {func(p *wallet.Plan) { p.Descriptor = strings.Replace(p.Descriptor, "<0;1>", "1", 1) }, "change_descriptor", ""},
		"another network":           {func(p *wallet.Plan) { p.Descriptor = mainDescriptor }, "descriptor", ""},
		"script without keys":       {func(p *wallet.Plan) { p.Script = "wpkh" }, "keys", ""},
		"keys without a script":     {func(p *wallet.Plan) { p.Descriptor, p.Keys = "", []string{key(1)} }, "script", ""},
		"several without required":  {func(p *wallet.Plan) { p.Descriptor, p.Keys, p.Script = "", []string{key(1), key(2)}, "wsh" }, "signatures_required", ""},
		"a private key":             {func(p *wallet.Plan) { p.Descriptor = "wpkh(" + private + "/<0;1>/*)" }, "", "private_key"},
		"a private key among keys":  {func(p *wallet.Plan) { p.Descriptor, p.Keys, p.Script = "", []string{private}, "wpkh" }, "", "private_key"},
		"no birthday":               {func(p *wallet.Plan) { p.Birthday = wallet.Birthday{} }, "birthday", ""},
		"two birthdays":             {func(p *wallet.Plan) { p.Birthday = wallet.Birthday{Now: true, Height: new(int)} }, "birthday", ""},
		"a birthday beyond the tip": {func(p *wallet.Plan) { p.Birthday = height(tip + 1) }, "birthday", ""},
		"a birthday before all":     {func(p *wallet.Plan) { p.Birthday = height(-1) }, "birthday", ""},
		"a birthday in the future":  {func(p *wallet.Plan) { p.Birthday = at(time.Now().Add(time.Minute)) }, "birthday", ""},
		"a wallet that one has":     {func(p *wallet.Plan) { p.Descriptor, p.Change = taken.Receive, taken.Change }, "", "wallet_exists"},
		"a wallet, in another form": {func(p *wallet.Plan) { p.Descriptor = multipath(taken) }, "", "wallet_exists"},
	} {
		p := good()
		c.change(&p)
		_, err := r.Create(ctx, r.alice, p)
		f := faultOf(err)
		if f.Code == "" || c.code != "" && f.Code != c.code || c.field != "" && (len(f.Fields) != 1 || f.Fields[0].Name != c.field) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(f.Error(), private) || strings.Contains(f.Error(), "tpub") {
			t.Errorf("%s: the error repeats a key", name)
		}
	}
	_, err := r.Create(ctx, limited(r.alice, taken.ID), good())
	wantFault(t, err, fault.Forbidden, "token_limited_to_wallets")

	if n := r.count("SELECT count(*) FROM wallets"); n != 1 {
		t.Errorf("%d wallets are stored", n)
	}
	if n := r.count("SELECT count(*) FROM audit WHERE action = 'wallet.create'"); n != 0 {
		t.Errorf("%d creations are recorded", n)
	}
	if strings.Contains(r.log.String(), private) {
		t.Error("the private key is in the log")
	}
	// Another user may create the same wallet under the same alias.
	theirs, err := r.Create(ctx, r.bob, wallet.Plan{Name: "Taken", Descriptor: taken.Receive, Change: taken.Change, Birthday: fromNow})
	testkit.Check(t, err)
	if theirs.ID == taken.ID || theirs.CoreName == taken.CoreName {
		t.Error("two users share one wallet")
	}
}

const mainDescriptor = "wpkh([d34db33f/84h/0h/0h]xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL/<0;1>/*)"

// multipath returns a multipath descriptor for the two descriptors of a wallet.
func multipath(v wallet.View) string {
	body, _, _ := strings.Cut(v.Receive, "#")
	return strings.Replace(body, "/0/*", "/<0;1>/*", 1)
}

// lyingNode is a node that returns false data about descriptors.
type lyingNode struct {
	*backend.Provider
	form      func(string) string
	addresses func([]string)
}

func (n lyingNode) CanonicalDescriptor(ctx context.Context, w wallet.NodeWallet, text string) (string, error) {
	canonical, err := n.Provider.CanonicalDescriptor(ctx, w, text)
	return n.form(canonical), err
}

func (n lyingNode) DeriveAddresses(ctx context.Context, w wallet.NodeWallet, text string, first, end uint32) ([]string, error) {
	addresses, err := n.Provider.DeriveAddresses(ctx, w, text, first, end)
	n.addresses(addresses)
	return addresses, err
}

func testCreateComparesWithTheNode(r *fixture) {
	t := r.t
	same := func(s string) string { return s }
	nothing := func([]string) {}
	for name, n := range map[string]lyingNode{
		"form":    {r.provider, func(s string) string { return strings.Replace(s, "84h", "49h", 1) }, nothing},
		"address": {r.provider, same, func(a []string) { a[2] = a[1] }},
	} {
		s := wallet.New(r.logger(), r.store, r.store, n, time.Now, r.kick)
		_, err := s.Create(t.Context(), r.alice, wallet.Plan{Name: "x", Descriptor: descriptor(), Birthday: fromNow})
		wantFault(t, err, fault.BadGateway, "node_address_mismatch")
		if log := r.log.String(); !strings.Contains(log, "level=ERROR") || strings.Contains(log, "tpub") {
			t.Errorf("%s: logged %s", name, log)
		}
	}
	if n := r.count("SELECT count(*) FROM wallets"); n != 0 {
		t.Errorf("%d wallets are stored", n)
	}
}

func testBirthday(r *fixture) {
	t, ctx := r.t, r.t.Context()
	want, err := r.provider.HeightAt(ctx, wallet.NodeWallet{}, time.Now())
	testkit.Check(t, err)
	v, err := r.Create(ctx, r.alice, wallet.Plan{Name: "vault", Descriptor: descriptor(), Birthday: at(time.Now())})
	testkit.Check(t, err)
	if v.Birthday != want || v.RescanFrom != want {
		t.Errorf("birthday %d, scan from %d, want %d", v.Birthday, v.RescanFrom, want)
	}
	testkit.Check(t, r.StopRescan(ctx, r.access(r.alice, "vault")))
	tip, _ := r.provider.Chain(wallet.NodeWallet{})
	for _, c := range []struct {
		from wallet.Birthday
		want int
	}{
		{fromNow, tip},
		{height(tip), tip},
		{height(7), 7},
		{height(0), 0},
		{at(time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC)), 0},
		{at(time.Now()), want},
	} {
		v, err := r.Rescan(ctx, r.access(r.alice, "vault"), c.from, 0)
		testkit.Check(t, err)
		if v.RescanFrom != c.want || v.Birthday > c.want {
			t.Errorf("%+v: scan from %d, birthday %d, want %d", c.from, v.RescanFrom, v.Birthday, c.want)
		}
		testkit.Check(t, r.StopRescan(ctx, r.access(r.alice, "vault")))
	}
}

// testWithoutTheNode checks that, while the node is unreachable, no wallets are
// created, and operations that do not require the node work.
func testWithoutTheNode(r *fixture) {
	t, ctx := r.t, r.t.Context()
	r.storeWatched(r.alice, "vault")
	_, err := r.NextAddress(ctx, r.access(r.alice, "vault"), "")
	testkit.Check(t, err)
	v, err := r.Get(ctx, r.access(r.alice, "vault"))
	testkit.Check(t, err)
	for name, status := range map[string]func() nodestatus.Status{
		"noticed": func() nodestatus.Status {
			s := r.monitor.Status()
			s.Reachable, s.Problem = false, rpcclient.ErrUnavailable
			return s
		},
		"not noticed yet": r.monitor.Status,
	} {
		rpc, err := rpcclient.New(rpcclient.Config{URL: "http://user:password@127.0.0.1:1"})
		testkit.Check(t, err)
		defer rpc.Close()
		s := wallet.New(r.logger(), r.store, r.store, backend.NewProvider(backend.New(rpc), status), time.Now, r.kick)
		_, err = s.Create(ctx, r.alice, wallet.Plan{Name: "x", Descriptor: descriptor(), Birthday: fromNow})
		wantFault(t, err, fault.Unavailable, "node_unavailable")
		if faultOf(err).RetryAfter <= 0 {
			t.Errorf("%s: no Retry-After", name)
		}
		_, err = s.NextAddress(ctx, r.access(r.alice, "vault"), "")
		testkit.Check(t, err)
		_, err = s.Rescan(ctx, r.access(r.alice, "vault"), at(time.Now()), 0)
		wantFault(t, err, fault.Unavailable, "node_unavailable")
		wantFault(t, s.StopRescan(ctx, r.access(r.alice, "vault")), fault.Unavailable, "node_unavailable")
		r.setNext("vault", v.RangeEnd-wallet.Lookahead-1)
		_, err = s.NextAddress(ctx, r.access(r.alice, "vault"), "")
		wantFault(t, err, fault.Unavailable, "node_unavailable")
		gone := r.storeWallet(r.alice, strings.ReplaceAll("gone "+name, " ", "_"))
		testkit.Check(t, s.Delete(ctx, r.access(r.alice, gone.Alias), false))
		row, err := r.store.WalletByID(ctx, gone.ID)
		testkit.Check(t, err)
		wantFault(t, s.Finish(ctx, row), fault.Unavailable, "node_unavailable")
		r.setNext("vault", 0)
	}
	if n := r.count("SELECT count(*) FROM wallets WHERE stage = 'ready'"); n != 1 {
		t.Errorf("%d wallets are ready", n)
	}
}

// setNext sets the index of the next address to reveal.
func (r *fixture) setNext(alias string, next uint32) {
	r.t.Helper()
	v, err := r.Get(r.t.Context(), r.access(r.alice, alias))
	testkit.Check(r.t, err)
	_, err = r.store.EditWallet(r.t.Context(), v.ID, func(e *wallet.Edit) error {
		e.ReceiveNext = next
		return nil
	})
	testkit.Check(r.t, err)
}
