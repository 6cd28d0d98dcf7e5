package proposal_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestCreate_Invalid checks that a request that cannot be fulfilled is refused with an
// error that names the affected field, or has a specific code, and that it stores and
// locks nothing.
func TestCreate_Invalid(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WPKH, 1_000_000, 2_000_000, 3_000_000)
		utxos, err := w.wallets.UTXOs(w.t.Context(), w.access(v.alice, v.alias), btc.Outpoint{}, 10)
		testkit.Check(w.t, err)
		frozen, locked, free := utxos[0].Outpoint, utxos[1].Outpoint, utxos[2].Outpoint
		testkit.Check(w.t, w.wallets.Freeze(w.t.Context(), w.access(v.alice, v.alias), frozen, true))
		w.node.WalletCLI(w.t, v.coreName, "lockunspent", false, []any{map[string]any{"txid": locked.Txid, "vout": locked.Vout}})
		testkit.Eventually(w.t, "lock in the index", func() bool {
			c, err := w.store.UTXO(w.t.Context(), v.get0().ID, locked)
			return err == nil && c.Locked
		})
		before := w.rows()
		one := []proposal.Recipient{{Address: payee, Amount: 10_000, Label: "never to be seen"}}
		for name, c := range map[string]struct {
			o    proposal.CreateParams
			want string // an error code or a field
		}{
			"no recipient":                    {proposal.CreateParams{FeeRate: 1000}, "recipients"},
			"invalid address":                 {proposal.CreateParams{Recipients: []proposal.Recipient{{Address: "nonsense", Amount: 10_000}}}, "recipients[0].address"},
			"other network":                   {proposal.CreateParams{Recipients: []proposal.Recipient{{Address: "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", Amount: 10_000}}}, "recipients[0].address"},
			"twice":                           {proposal.CreateParams{Recipients: []proposal.Recipient{one[0], {Address: strings.ToUpper(payee), Amount: 5000}}}, "recipients[1].address"},
			"dust":                            {proposal.CreateParams{Recipients: []proposal.Recipient{{Address: payee, Amount: 293}}}, "recipients[0].amount_sat"},
			"no amount":                       {proposal.CreateParams{Recipients: []proposal.Recipient{{Address: payee}}}, "recipients[0].amount_sat"},
			"negative":                        {proposal.CreateParams{Recipients: []proposal.Recipient{{Address: payee, Amount: -1}}}, "recipients[0].amount_sat"},
			"sum above MAX_MONEY":             {proposal.CreateParams{Recipients: []proposal.Recipient{{Address: payee, Amount: btc.MaxMoney}, {Address: otherPayee, Amount: 1000}}}, "recipients[1].amount_sat"},
			"label":                           {proposal.CreateParams{Recipients: []proposal.Recipient{{Address: payee, Amount: 10_000, Label: "a\nb"}}}, "recipients[0].label"},
			"two fees":                        {proposal.CreateParams{Recipients: one, FeeRate: 1000, TargetBlocks: 3}, "target_blocks"},
			"far target":                      {proposal.CreateParams{Recipients: one, TargetBlocks: 1009}, "target_blocks"},
			"below the minimum":               {proposal.CreateParams{Recipients: one, FeeRate: 1}, "fee_rate_sat_vb"},
			"subtract from unknown recipient": {proposal.CreateParams{Recipients: one, FeeRate: 1000, SubtractFrom: []int{1}}, "subtract_fee_from[0]"},
			"subtract twice":                  {proposal.CreateParams{Recipients: one, FeeRate: 1000, SubtractFrom: []int{0, 0}}, "subtract_fee_from[1]"},
			"max without remainder":           {proposal.CreateParams{Recipients: one, FeeRate: 1000, SendMax: true}, "send_max"},
			"no UTXOs":                        {proposal.CreateParams{Recipients: one, FeeRate: 1000, UTXOs: []btc.Outpoint{}}, "utxos"},
			"UTXO twice":                      {proposal.CreateParams{Recipients: one, FeeRate: 1000, UTXOs: []btc.Outpoint{free, free}}, "utxos[1]"},
			"unknown UTXO":                    {proposal.CreateParams{Recipients: one, FeeRate: 1000, UTXOs: []btc.Outpoint{{Txid: free.Txid, Vout: 99}}}, "utxos[0]"},
			"frozen UTXO":                     {proposal.CreateParams{Recipients: one, FeeRate: 1000, UTXOs: []btc.Outpoint{frozen}}, "utxo_frozen"},
			"locked UTXO":                     {proposal.CreateParams{Recipients: one, FeeRate: 1000, UTXOs: []btc.Outpoint{locked}}, "utxo_locked"},
			"unknown original":                {proposal.CreateParams{Recipients: one, FeeRate: 1000, Replaces: strings.Repeat("ab", 32)}, "replaces"},
			"confirmed original":              {proposal.CreateParams{Recipients: one, FeeRate: 1000, Replaces: free.Txid}, "invalid_status"},
			"too short":                       {proposal.CreateParams{Recipients: one, FeeRate: 1000, ExpiresAt: time.Now().Add(time.Second)}, "expires_at"},
			"too much":                        {pay(4_000_000, 1000), "insufficient_funds"},
			"fee not covered":                 {pay(utxos[2].Amount, 1000), "insufficient_funds"},
			"high fee":                        {pay(10_000, 101_000), "fee_too_high"},
			"over the named cap":              {proposal.CreateParams{Recipients: one, FeeRate: 10_000, MaxFee: 100}, "fee_too_high"},
		} {
			t.Run(name, func(*testing.T) {
				_, err := v.Create(w.t.Context(), v.access(v.alice, v.alias), c.o)
				f, ok := errors.AsType[*fault.Error](err)
				if !ok || f.Code != c.want && (len(f.Fields) != 1 || f.Fields[0].Name != c.want) {
					w.t.Errorf("%s: %v", name, err)
				}
			})
		}
		wantFunds := func(who *auth.Principal, o proposal.CreateParams, want string) {
			w.t.Helper()
			if _, err := v.Create(w.t.Context(), v.access(who, v.alias), o); !errors.Is(err, proposal.ErrInsufficientFunds) || err.(*fault.Error).Message != want { //nolint:errorlint // the message
				w.t.Errorf("%v, want %s", err, want)
			}
		}
		amounts := fmt.Sprintf("%s BTC are available, %s BTC frozen, %s BTC locked in Bitcoin Core", utxos[2].Amount.Fixed(), utxos[0].Amount.Fixed(), utxos[1].Amount.Fixed())
		const prefix = "insufficient funds for the payment and its fee: "
		total := utxos[0].Amount + utxos[1].Amount + utxos[2].Amount
		const added = ". The fee is added to the amount; with send_max, the recipient gets everything available, less the fee"
		wantFunds(v.alice, pay(total, 1000), prefix+amounts+added)
		wantFunds(v.alice, pay(utxos[2].Amount, 1000), prefix+amounts+". Unfreezing UTXOs makes the payment possible")
		lessFee := pay(total, 1000)
		lessFee.SubtractFrom = []int{0}
		wantFunds(v.alice, lessFee, prefix+amounts)
		wantFunds(v.alice, pay(total+1, 1000), prefix+amounts+". The balance of the wallet is too low")
		selected := pay(utxos[2].Amount, 1000)
		selected.UTXOs = []btc.Outpoint{free}
		wantFunds(v.alice, selected, fmt.Sprintf("insufficient funds for the payment and its fee: %s BTC are available in the selected UTXOs; select others, or lower the amount", utxos[2].Amount.Fixed()))
		blind := *v.alice
		blind.Scopes &^= auth.WalletsRead
		wantFunds(&blind, pay(4_000_000, 1000), proposal.ErrInsufficientFunds.Message)
		o := pay(10_000, 1000)
		o.DryRun, o.Recipients[0].Label = true, "never to be seen"
		first, err := v.Create(w.t.Context(), v.access(v.alice, v.alias), o)
		testkit.Check(w.t, err)
		second, err := v.Create(w.t.Context(), v.access(v.alice, v.alias), o)
		testkit.Check(w.t, err)
		if first.ID != "" || changeOf(first) == "" || changeOf(first) != changeOf(second) || first.Inputs[0].Outpoint != free {
			w.t.Errorf("the dry runs are %+v and %+v", first, second)
		}
		if after := w.rows(); after != before {
			w.t.Errorf("rows changed: got %s, want %s", after, before)
		}
		if now := v.locked(); len(now) != 2 || !now[frozen] || !now[locked] {
			w.t.Errorf("locked in the node: %v", now)
		}
	})
}

// get0 returns the wallet of the vault as its owner sees it.
func (v vault) get0() wallet.View {
	v.t.Helper()
	view, err := v.wallets.Get(v.t.Context(), v.access(v.alice, v.alias))
	testkit.Check(v.t, err)
	return view
}

// TestFees checks that the recipient of the remainder receives all of it, that recipients
// who pay the fee receive less, and that the excess fee is reported.
func TestFees(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	w := newWorld(t, n, t.TempDir()+"/specterd.db")
	for _, k := range testkit.Scripts {
		v := w.vault(k, 1_000_000, 2_000_000)
		const rate = 5000
		rateOf := func(what string, p proposal.Proposal) {
			t.Helper()
			raw := v.complete(p)
			paid := float64(raw.Fee-raw.ExcessFee) * 1000 / float64(raw.VSize)
			if paid < rate || paid > 1.02*rate {
				t.Errorf("%s, %s: the fee rate is %.0f sat/kvB, want %d", k.Name, what, paid, rate)
			}
			testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), p.ID, nil))
			v.wantLocks()
		}
		p := v.create(proposal.CreateParams{FeeRate: rate, SendMax: true, Recipients: []proposal.Recipient{{Address: otherPayee, Amount: 50_000}, {Address: payee}}})
		if len(p.Inputs) != 2 || p.Sent()+p.Fee != 3_000_000 || len(p.Outputs) != 2 {
			t.Errorf("%s: the remainder is %+v", k.Name, p.Outputs)
		}
		rateOf("max", p)

		p = v.create(proposal.CreateParams{FeeRate: rate, SubtractFrom: []int{0}, Recipients: []proposal.Recipient{{Address: payee, Amount: 1_500_000}}})
		if p.Sent()+p.Fee != 1_500_000 || p.ExcessFee != 0 {
			t.Errorf("%s: with subtracted fee: sent %s, fee %s", k.Name, p.Sent(), p.Fee)
		}
		rateOf("subtracted", p)

		whole := v.create(pay(1_000_000-1, rate)) // to learn the size of a payment with one input and one output
		size := whole.VSize
		testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), whole.ID, nil))
		v.wantLocks()
		utxos, err := w.wallets.UTXOs(t.Context(), w.access(v.alice, v.alias), btc.Outpoint{}, 10)
		testkit.Check(t, err)
		o := pay(utxos[0].Amount-btc.FeeRate(rate).Fee(size)-200, rate)
		o.UTXOs = []btc.Outpoint{utxos[0].Outpoint}
		p = v.create(o)
		if len(p.Outputs) != 1 || p.ExcessFee <= 0 || p.ExcessFee > btc.FeeRate(rate).Fee(80)+5000 {
			t.Errorf("%s: without change: %d outputs, excess fee %d", k.Name, len(p.Outputs), p.ExcessFee)
		}
		rateOf("without change", p)
	}
	v := w.vault(testkit.WPKH, 1_000_000)
	p := v.create(proposal.CreateParams{Recipients: []proposal.Recipient{{Address: payee, Amount: 100_000}}})
	if p.TargetBlocks != proposal.DefaultTarget || p.FeeRate < 1000 {
		t.Errorf("from an estimate: %+v", p.Terms)
	}
}

// TestRoles checks which operations each role in a wallet permits.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newNode(t), t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WSH, 1_000_000, 1_000_000, 1_000_000)
	people := map[auth.WalletRole]*auth.Principal{}
	for _, role := range []auth.WalletRole{auth.RoleViewer, auth.RoleProposer, auth.RoleSigner} {
		people[role] = w.memberAs(v, string(role), role)
	}
	viewer, proposer, signer := people[auth.RoleViewer], people[auth.RoleProposer], people[auth.RoleSigner]
	refused := func(what string, err error) {
		t.Helper()
		if fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := v.Create(t.Context(), v.access(viewer, v.alias), pay(100_000, 1000))
	refused("a viewer proposes", err)
	p, err := v.Create(t.Context(), v.access(proposer, v.alias), pay(100_000, 20_000))
	testkit.Check(t, err)
	if _, err := v.Get(t.Context(), v.access(viewer, v.alias), p.ID); err != nil {
		t.Error(err)
	}
	post := v.signed(p, 0, 1)
	_, err = v.AddSignatures(t.Context(), v.access(proposer, v.alias), p.ID, post, nil)
	refused("a proposer signs", err)
	p, err = v.AddSignatures(t.Context(), v.access(signer, v.alias), p.ID, post, proposal.Versions{p.Version})
	testkit.Check(t, err)
	if s := p.Signatures[0]; s.By.UserName != "signer" || p.Creator.UserName != "proposer" {
		t.Errorf("signed by %+v, created by %+v", s.By, p.Creator)
	}
	_, err = v.Broadcast(t.Context(), v.access(proposer, v.alias), p.ID, proposal.BroadcastParams{})
	refused("a proposer sends", err)
	if _, err = v.Broadcast(t.Context(), v.access(signer, v.alias), p.ID, proposal.BroadcastParams{Expected: proposal.Versions{p.Version - 1}}); !errors.Is(err, proposal.ErrChanged) {
		t.Errorf("broadcast with the version before the signature: %v", err)
	}
	other, err := v.Create(t.Context(), v.access(v.alice, v.alias), pay(100_000, 20_000))
	testkit.Check(t, err)
	o := pay(100_000, 30_000)
	o.Replaces = other.ID
	_, err = v.Create(t.Context(), v.access(proposer, v.alias), o)
	refused("a proposer replaces another's", err)
	_, err = v.Bump(t.Context(), v.access(proposer, v.alias), other.ID, proposal.BumpParams{FeeRate: 30_000})
	refused("a proposer bumps another's", err)
	refused("a proposer cancels another's", v.Cancel(t.Context(), v.access(proposer, v.alias), other.ID, nil))
	testkit.Check(t, v.Cancel(t.Context(), v.access(signer, v.alias), other.ID, nil))
	mine, err := v.Create(t.Context(), v.access(proposer, v.alias), pay(100_000, 20_000))
	testkit.Check(t, err)
	testkit.Check(t, v.Cancel(t.Context(), v.access(proposer, v.alias), mine.ID, nil))
	stranger := w.user("stranger")
	if _, err := v.Get(t.Context(), v.access(stranger, v.alias), p.ID); !errors.Is(err, wallet.ErrNotFound) {
		t.Errorf("a user who is not a member: %v", err)
	}

	list, err := v.List(t.Context(), v.access(viewer, v.alias), proposal.Filter{Statuses: []proposal.Status{proposal.Cancelled}}, proposal.Cursor{}, 10)
	testkit.Check(t, err)
	if len(list) != 2 || list[0].ID != mine.ID || list[1].ID != other.ID {
		t.Errorf("%d proposals are cancelled", len(list))
	}
	list, err = v.List(t.Context(), v.access(viewer, v.alias), proposal.Filter{}, proposal.Cursor{CreatedAt: mine.CreatedAt, ID: mine.ID}, 1)
	testkit.Check(t, err)
	if len(list) != 1 || list[0].ID != other.ID {
		t.Error("the next page is wrong")
	}

	// A payment that spends a frozen UTXO cannot be sent.
	testkit.Check(t, w.wallets.Freeze(t.Context(), w.access(signer, v.alias), p.Inputs[0].Outpoint, true))
	if _, err = v.Broadcast(t.Context(), v.access(signer, v.alias), p.ID, proposal.BroadcastParams{}); !errors.Is(err, proposal.ErrUTXOFrozen) {
		t.Errorf("with a frozen UTXO: %v", err)
	}
	testkit.Check(t, w.wallets.Freeze(t.Context(), w.access(signer, v.alias), p.Inputs[0].Outpoint, false))
	sent, err := v.Broadcast(t.Context(), v.access(signer, v.alias), p.ID, proposal.BroadcastParams{Expected: proposal.Versions{p.Version}})
	testkit.Check(t, err)
	if step := sent.Steps[len(sent.Steps)-1]; step.Action != "broadcast" || step.By.UserName != "signer" {
		t.Errorf("sent by %+v", step)
	}
	if again := v.broadcast(sent); again.Status != proposal.Broadcast {
		t.Errorf("after a second broadcast the status is %s", again.Status)
	}
}

// TestReplaceTransaction checks that a transaction that other software has sent can be
// replaced by its txid, and that its cancelled proposal then becomes replaced.
func TestReplaceTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newNode(t), t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WPKH, 1_000_000)
	p := v.create(pay(100_000, 1000))
	raw := v.node.Finalize(t, v.signed(p, 0))
	testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), p.ID, nil))
	txid := text(t, v.node.CLI(t, "sendrawtransaction", hexOf(raw)))
	v.until(p, proposal.Broadcast)
	o := pay(90_000, 1000)
	o.Replaces = txid
	if _, err := v.Create(t.Context(), v.access(v.alice, v.alias), o); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a replacement without a higher fee was created: %v", err)
	}
	o.FeeRate = 4000
	next := v.broadcast(v.complete(v.create(o)))
	v.mine()
	v.until(next, proposal.Confirmed)
	if old := v.until(p, proposal.Replaced); !strings.Contains(old.Reason, next.ID) {
		t.Errorf("the reason is %q", old.Reason)
	}
}

// rows counts the rows of proposals, without released reservations, which a later sync
// round deletes.
func (w *world) rows() (counts string) {
	w.t.Helper()
	for _, table := range []string{"proposals", "proposal_inputs", "proposal_outputs", "proposal_steps", "reserved WHERE proposal_id IS NOT NULL", "labels", "frozen", "audit", "addresses"} {
		var n int
		testkit.Check(w.t, w.shell.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
		counts += fmt.Sprintf("%s %d ", table, n)
	}
	return counts
}
