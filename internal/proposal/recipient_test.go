package proposal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// paid returns the outputs of a proposal that are not change, in the order of the
// recipients.
func paid(t testing.TB, p proposal.Proposal) []string {
	t.Helper()
	packet, err := psbt.Parse(p.PSBT)
	testkit.Check(t, err)
	list := make([]string, len(p.Outputs))
	for i, out := range packet.Tx().TxOut {
		o := p.Outputs[i]
		if o.Address != btc.AddressOf(out.PkScript, btc.Regtest) || int64(o.Amount) != out.Value || !bytes.Equal(o.Data, btc.DataOf(out.PkScript)) {
			t.Errorf("output %d is %+v, and the PSBT has %d, %x", i, o, out.Value, out.PkScript)
		}
		if o.Recipient >= 0 {
			list[o.Recipient] = fmt.Sprintf("%s%x %d", o.Address, o.Data, o.Amount)
		}
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

func (v vault) wantPaid(p proposal.Proposal, want ...string) {
	v.t.Helper()
	if got := paid(v.t, p); !slices.Equal(got, want) {
		v.t.Errorf("paid %q, want %q", got, want)
	}
	stored, err := v.Get(v.t.Context(), v.access(v.alice, v.alias), p.ID)
	testkit.Check(v.t, err)
	if got := paid(v.t, stored); !slices.Equal(got, want) {
		v.t.Errorf("the stored proposal pays %q, want %q", got, want)
	}
}

// confirm completes, broadcasts and mines a proposal.
func (v vault) confirm(p proposal.Proposal) proposal.Proposal {
	v.t.Helper()
	p = v.broadcast(v.complete(p))
	v.mine()
	return v.until(p, proposal.Confirmed)
}

// TestCreate_Duplicates creates payments with several amounts to one address for every
// script type: with change, with a subtracted fee, with the remainder, to the wallet itself,
// bumped, and sent.
func TestCreate_Duplicates(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	w := newWorld(t, n, t.TempDir()+"/specterd.db")
	for _, k := range testkit.Scripts {
		t.Run(k.Name, func(t *testing.T) {
			v := w.vault(k, 1_000_000, 2_000_000)
			own, err := w.wallets.PeekAddress(t.Context(), w.access(v.alice, v.alias), wallet.ReceiveBranch)
			testkit.Check(t, err)
			const rate = 2000
			recipients := []proposal.Recipient{
				{Address: payee, Amount: 500_000, Label: "rent"},
				{Address: own.Address, Amount: 30_000},
				{Address: payee, Amount: 400_000},
				{Address: own.Address, Amount: 20_000},
				{Address: otherPayee, Amount: 900_000},
				{Address: payee, Amount: 500_000, Label: "rent"},
			}
			want := []string{payee + " 500000", own.Address + " 30000", payee + " 400000", own.Address + " 20000", otherPayee + " 900000", payee + " 500000"}
			v.wantRefused(proposal.CreateParams{Recipients: recipients, FeeRate: rate}, proposal.ErrDuplicateAddress.Code)
			o := proposal.CreateParams{Recipients: recipients, FeeRate: rate, AllowDuplicates: true}
			p := v.create(o)
			v.wantPaid(p, want...)
			if len(p.Outputs) != 7 || len(p.Inputs) != 2 {
				t.Errorf("%d inputs, %d outputs", len(p.Inputs), len(p.Outputs))
			}
			testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), p.ID, nil))
			v.wantLocks()
			v.wantFeeOfDistinct(p, o, own.Address)

			subtracted := v.create(proposal.CreateParams{Recipients: recipients, FeeRate: rate, AllowDuplicates: true, SubtractFrom: []int{2, 5}})
			if half := subtracted.Fee / 2; subtracted.Outputs[slices.IndexFunc(subtracted.Outputs, func(o proposal.Output) bool { return o.Recipient == 5 })].Amount != 500_000-half {
				t.Errorf("the fee is %d: %+v", subtracted.Fee, subtracted.Outputs)
			}
			testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), subtracted.ID, nil))
			v.wantLocks()

			o.SendMax, o.Recipients = true, append(slices.Clone(recipients), proposal.Recipient{Address: payee})
			all := v.create(o)
			rest := 3_000_000 - 2_350_000 - all.Fee
			v.wantPaid(all, append(slices.Clone(want), fmt.Sprintf("%s %d", payee, rest))...)
			bumped, err := v.Bump(t.Context(), v.access(v.alice, v.alias), all.ID, proposal.BumpParams{FeeRate: 3000})
			testkit.Check(t, err)
			v.wantPaid(bumped, append(slices.Clone(want), fmt.Sprintf("%s %d", payee, 3_000_000-2_350_000-bumped.Fee))...)
			sent := v.confirm(bumped)
			record, err := w.wallets.Transaction(t.Context(), w.access(v.alice, v.alias), sent.FinalTxid)
			testkit.Check(t, err)
			if -record.Flow != 2_950_000 || len(record.Outputs) != 7 || record.Fee == nil || *record.Fee != sent.Fee {
				t.Errorf("the history has %+v", record.Transaction)
			}
		})
	}
}

// wantFeeOfDistinct checks that a payment has the fee and the size that it has if its
// recipients have different addresses.
func (v vault) wantFeeOfDistinct(p proposal.Proposal, o proposal.CreateParams, own string) {
	v.t.Helper()
	distinct := slices.Clone(o.Recipients)
	for i, r := range distinct {
		script := script(v.t, r.Address)
		if r.Address == own { // the last bytes of P2SH and P2PKH scripts are opcodes
			script[len(script)-3]++
		} else {
			script[len(script)-1]++
		}
		script[len(script)-4] = byte(i)
		distinct[i].Address = btc.AddressOf(script, btc.Regtest)
	}
	o.Recipients, o.DryRun = distinct, true
	other := v.create(o)
	if other.Fee != p.Fee || other.VSize != p.VSize || other.ExcessFee != p.ExcessFee || len(other.Outputs) != len(p.Outputs) {
		v.t.Errorf("to one address: %d for %d vB, %d outputs; to several: %d for %d vB, %d outputs", p.Fee, p.VSize, len(p.Outputs), other.Fee, other.VSize, len(other.Outputs))
	}
}

// TestCreate_Data stores data in transactions on both databases: with and without a
// payment, bumped, imported and sent.
func TestCreate_Data(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t, "-datacarriersize=83"), func(w *world) {
		v := w.vault(testkit.WSH, 1_000_000, 2_000_000)
		data := bytes.Repeat([]byte{0xd0}, proposal.DefaultMaxData)
		o := proposal.CreateParams{FeeRate: 2000, Recipients: []proposal.Recipient{{Data: data}, {Address: payee, Amount: 100_000}}}
		want := []string{fmt.Sprintf("%x 0", data), payee + " 100000"}
		p := v.create(o)
		v.wantPaid(p, want...)
		if p.Sent() != 100_000 || len(p.Outputs) != 3 {
			w.t.Errorf("sends %s in %d outputs", p.Sent(), len(p.Outputs))
		}
		bumped, err := v.Bump(w.t.Context(), v.access(v.alice, v.alias), p.ID, proposal.BumpParams{FeeRate: 3000})
		testkit.Check(w.t, err)
		v.wantPaid(bumped, want...)
		sent := v.confirm(bumped)
		record, err := w.wallets.Transaction(w.t.Context(), w.access(v.alice, v.alias), sent.FinalTxid)
		testkit.Check(w.t, err)
		if record.Category != wallet.Send || -record.Flow != 100_000+sent.Fee || len(record.Outputs) != 3 {
			w.t.Errorf("the history has %+v", record.Transaction)
		}

		only := proposal.CreateParams{FeeRate: 1000, Recipients: []proposal.Recipient{{Data: []byte{1}}}}
		sent = v.confirm(v.create(only))
		v.wantPaid(sent, "01 0")
		if record, err = w.wallets.Transaction(w.t.Context(), w.access(v.alice, v.alias), sent.FinalTxid); err != nil || -record.Flow != sent.Fee || record.Category != wallet.Send || record.Address != changeOf(sent) {
			w.t.Errorf("the history has %+v, %v", record.Transaction, err)
		}
		v.wantLedgerOf(sent)
		v.importsWith(data)
	})
}

// wantLedgerOf checks that the only row of a payment with nothing but data has the amount 0
// and the fee, and that the balances of the ledger are correct, which Ledger verifies.
func (v vault) wantLedgerOf(sent proposal.Proposal) {
	v.t.Helper()
	_, entries, err := v.wallets.Ledger(v.t.Context(), wallet.One(v.access(v.alice, v.alias)), wallet.LedgerParams{})
	testkit.Check(v.t, err)
	var rows []wallet.Entry
	var last wallet.Entry // payments of the same second have no certain order
	for e, err := range entries {
		testkit.Check(v.t, err)
		if last = e; e.Txid == sent.FinalTxid {
			rows = append(rows, e)
		}
	}
	if len(rows) != 1 || rows[0].Amount != 0 || rows[0].Address != "" || rows[0].Kind != wallet.EntrySend || rows[0].Fee == nil || *rows[0].Fee != sent.Fee || last.Balance != v.trusted() {
		v.t.Errorf("the ledger has %+v and ends with %+v", rows, last)
	}
}

// importsWith checks that a payment with data and two amounts to one address is imported.
func (v vault) importsWith(data []byte) {
	v.t.Helper()
	o := proposal.CreateParams{FeeRate: 2000, AllowDuplicates: true, DryRun: true, Recipients: []proposal.Recipient{{Address: payee, Amount: 50_000}, {Data: data}, {Address: payee, Amount: 60_000}}}
	elsewhere := v.create(o)
	list, err := v.Import(v.t.Context(), v.access(v.alice, v.alias), []proposal.Foreign{{Txid: elsewhere.Txid, PSBT: base64.StdEncoding.EncodeToString(elsewhere.PSBT), Maker: "alice"}})
	testkit.Check(v.t, err)
	testkit.Check(v.t, list[0].Err)
	bumped, err := v.Bump(v.t.Context(), v.access(v.alice, v.alias), list[0].ID, proposal.BumpParams{FeeRate: 5000})
	testkit.Check(v.t, err)
	got := paid(v.t, bumped)
	slices.Sort(got)
	want := []string{payee + " 50000", payee + " 60000", fmt.Sprintf("%x 0", data)}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		v.t.Errorf("paid %q, want %q", got, want)
	}
	v.confirm(bumped)
}

// TestCreate_DataRefused creates payments with data that the node does not relay.
func TestCreate_DataRefused(t *testing.T) {
	t.Parallel()
	for name, arg := range map[string]string{"short": "-datacarriersize=20", "none": "-datacarrier=0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newNode(t, arg), t.TempDir()+"/specterd.db")
			v := w.vault(testkit.WPKH, 1_000_000)
			before := w.rows()
			recipients := []proposal.Recipient{{Address: payee, Amount: 100_000}, {Data: make([]byte, 19)}}
			_, err := v.Create(t.Context(), v.access(v.alice, v.alias), proposal.CreateParams{FeeRate: 1000, Recipients: recipients})
			f, _ := errors.AsType[*fault.Error](err)
			if !errors.Is(err, proposal.ErrDataRefused) || f.Fields[0].Name != "recipients[1].data" || !strings.Contains(f.Message, "datacarriersize") || w.rows() != before {
				t.Errorf("got %v, %v", err, f.Details)
			}
		})
	}
}

// TestCreate_PaymentURI checks that the amounts and the labels of bitcoin: URIs, of a list and
// of a CSV, become those of the proposal.
func TestCreate_PaymentURI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newNode(t), t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WPKH, 1_000_000)
	upper := strings.ToUpper("bitcoin:" + payee + "?amount=0.001&label=rent")
	long := "bitcoin:" + otherPayee + "?message=" + strings.Repeat("%0Along", 300)
	for name, o := range map[string]proposal.CreateParams{
		"list": {Recipients: []proposal.Recipient{{Address: upper}, {Address: long, Amount: 200_000}}},
		"CSV":  {RecipientsCSV: "amount_btc;address\n;" + upper + "\n0.002;" + long + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			o.FeeRate = 1000
			p := v.create(o)
			v.wantPaid(p, payee+" 100000", otherPayee+" 200000")
			for address, want := range map[string]string{payee: "RENT", otherPayee: strings.TrimSpace(strings.Repeat("long ", 51))} {
				var label string
				testkit.Check(t, w.shell.QueryRow("SELECT label FROM labels WHERE ref = $1", address).Scan(&label))
				if label != want {
					t.Errorf("%s has the label %q", address, label)
				}
			}
			testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), p.ID, nil))
			v.wantLocks()
		})
	}
}

// TestCreate_RecipientProblems checks that all problems of the recipients are reported at
// once, and that nothing is stored.
func TestCreate_RecipientProblems(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newNode(t), t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WPKH, 1_000_000)
	uri := "bitcoin:" + payee + "?amount=0.001&label=rent"
	before := w.rows()
	type recipients = []proposal.Recipient
	for name, c := range map[string]struct {
		o    proposal.CreateParams
		want string // code, and fields
	}{
		"all at once": {
			proposal.CreateParams{Recipients: recipients{{Address: "nonsense"}, {Address: payee, Amount: -1, Label: "a\nb"}, {Amount: 5}}},
			"invalid_input recipients[0].address recipients[1].label recipients[1].amount_sat recipients[2].address",
		},
		"20 of 30":           {proposal.CreateParams{Recipients: slices.Repeat(recipients{{Address: "nonsense", Amount: 5}}, 30)}, "invalid_address" + fields("recipients[%d].address", 20)},
		"other amount":       {proposal.CreateParams{Recipients: recipients{{Address: uri, Amount: 100_001}}}, "amount_mismatch recipients[0].amount_sat"},
		"unknown req-":       {proposal.CreateParams{Recipients: recipients{{Address: uri + "&req-pop=x"}}}, "invalid_payment_uri recipients[0].address"},
		"lightning only":     {proposal.CreateParams{Recipients: recipients{{Address: "bitcoin:?lightning=x", Amount: 1000}}}, "invalid_payment_uri recipients[0].address"},
		"rest with amount":   {proposal.CreateParams{SendMax: true, Recipients: recipients{{Address: uri}}}, "invalid_input send_max"},
		"two rests":          {proposal.CreateParams{SendMax: true, Recipients: recipients{{Address: payee}, {Address: otherPayee}}}, "invalid_input recipients[1].amount_sat"},
		"twice":              {proposal.CreateParams{Recipients: recipients{{Address: uri}, {Address: payee, Amount: 5000}}}, "duplicate_address recipients[1].address"},
		"two labels":         {proposal.CreateParams{AllowDuplicates: true, Recipients: recipients{{Address: uri}, {Address: payee, Amount: 5000, Label: "x"}}}, "invalid_input recipients[1].label"},
		"dust of duplicates": {proposal.CreateParams{AllowDuplicates: true, Recipients: recipients{{Address: uri}, {Address: payee, Amount: 100}}}, "amount_too_small recipients[1].amount_sat"},
		"data and address":   {proposal.CreateParams{Recipients: recipients{{Address: payee, Data: []byte{1}}}}, "invalid_input recipients[0].data"},
		"empty data":         {proposal.CreateParams{Recipients: recipients{{Data: []byte{}}}}, "invalid_input recipients[0].data"},
		"long data":          {proposal.CreateParams{Recipients: recipients{{Data: make([]byte, 81)}}}, "invalid_input recipients[0].data"},
		"data twice":         {proposal.CreateParams{AllowDuplicates: true, Recipients: recipients{{Data: []byte{1}}, {Data: []byte{2}}}}, "invalid_input recipients[1].data"},
		"data pays":          {proposal.CreateParams{SubtractFrom: []int{0}, Recipients: recipients{{Data: []byte{1}}}}, "invalid_input subtract_fee_from[0]"},
		"data as the rest":   {proposal.CreateParams{SendMax: true, Recipients: recipients{{Data: []byte{1}}}}, "invalid_input send_max"},
		"list and CSV":       {proposal.CreateParams{Recipients: recipients{{Address: uri}}, RecipientsCSV: "address\n" + uri}, "invalid_input recipients_csv"},
		"CSV": {
			proposal.CreateParams{RecipientsCSV: "label,address,amount_btc\n,nonsense,1\n,bitcoin:" + payee + "?req-x,1\na,,2\n,\"" + uri + "\",0.2\n"},
			"invalid_input recipients_csv recipients_csv recipients_csv recipients_csv",
		},
		"dust in a CSV": {proposal.CreateParams{RecipientsCSV: "address,amount_sat\n" + payee + ",100\n"}, "amount_too_small recipients_csv"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c.o.DryRun = range []bool{false, true} {
				c.o.FeeRate = 1000
				_, err := v.Create(t.Context(), v.access(v.alice, v.alias), c.o)
				f, ok := errors.AsType[*fault.Error](err)
				if !ok {
					t.Fatal(err)
				}
				got := f.Code
				for _, field := range f.Fields {
					got += " " + field.Name
				}
				if got != c.want || strings.Contains(f.Message, "nonsense") {
					t.Errorf("got %s: %v", got, err)
				}
				if name == "CSV" && !strings.Contains(f.Message, "line 2, column address: must be a valid") ||
					name == "CSV" && !strings.Contains(f.Message, "line 5, column amount_btc: must be 100000 satoshis") ||
					name == "dust in a CSV" && !strings.Contains(f.Message, "line 2, column amount_sat: must be at least 294 sat") {
					t.Error(f.Message)
				}
			}
		})
	}
	if after := w.rows(); after != before || len(v.locked()) > 0 {
		t.Errorf("rows changed: got %s, want %s", after, before)
	}
}

// fields returns n fields, each after a space.
func fields(format string, n int) (list string) {
	for i := range n {
		list += " " + fmt.Sprintf(format, i)
	}
	return list
}
