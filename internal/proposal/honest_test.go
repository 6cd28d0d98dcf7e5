package proposal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// keypool is the -keypool of the node of TestHonestNode. It makes Core watch
// addresses that specterd does not have yet.
const keypool = 2 * testkit.Lookahead

// TestHonestNode creates proposals from random parameters, with a real node and wallets
// of every script type. Each request must return a proposal or an error about the
// request: responses of an unmodified node must never be reported as tampering (502).
func TestHonestNode(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(testkit.Seed(t), 0))
	n := newNode(t, fmt.Sprintf("-keypool=%d", keypool))
	w := newWorld(t, n, t.TempDir()+"/specterd.db")
	amounts := append([]btc.Amount{2_000_000, 500_000, 100_000, 30_000}, slices.Repeat([]btc.Amount{20_000, 3000}, 20)...)
	answers := map[string]int{}
	each := testkit.Size(40, 2000)
	for _, k := range testkit.Scripts {
		h := honestCase{vault: w.vault(k, amounts...), Rand: r}
		h.derive()
		for range each {
			answers[h.request()]++
			if t.Failed() {
				return
			}
		}
	}
	testkit.Figure(t, "%d random requests to an unmodified node: %v, 0 reported as tampering", each*len(testkit.Scripts), answers)
}

// honestCase makes random requests for a wallet.
type honestCase struct {
	vault
	*rand.Rand

	id       string
	branches [2]*btc.Deriver
	sent     []proposal.Proposal // unconfirmed
}

func (h *honestCase) derive() {
	view := h.get0()
	h.id = view.ID
	for i, descriptor := range []string{view.Receive, view.Change} {
		d, err := btc.ParseDescriptor(descriptor, btc.Regtest)
		testkit.Check(h.t, err)
		h.branches[i], err = d.Deriver()
		testkit.Check(h.t, err)
	}
}

// request makes one request and returns its result: "proposal", or the error code.
func (h *honestCase) request() string {
	h.t.Helper()
	o := h.order()
	p, err := h.Create(h.t.Context(), h.access(h.alice, h.alias), o)
	if err != nil {
		return h.refusal(o, err)
	}
	h.check(o, p)
	switch {
	case o.DryRun:
	case h.IntN(8) == 0 && o.FeeRate < 10_000: // keeps the fee rate low enough for a replacement
		h.send(p)
	case h.IntN(4) == 0 && p.Replaceable && p.FeeRate < 50_000:
		bumped, err := h.Bump(h.t.Context(), h.access(h.alice, h.alias), p.ID, proposal.BumpParams{FeeRate: p.FeeRate + 1000 + btc.FeeRate(h.IntN(20_000))})
		if err != nil {
			h.refusal(o, err)
			bumped = p
		}
		testkit.Check(h.t, h.Cancel(h.t.Context(), h.access(h.alice, h.alias), bumped.ID, nil))
	default:
		testkit.Check(h.t, h.Cancel(h.t.Context(), h.access(h.alice, h.alias), p.ID, nil))
	}
	return "proposal"
}

// refusal returns the code of an error about a request. It fails the test for other
// errors.
func (h *honestCase) refusal(o proposal.CreateParams, err error) string {
	h.t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	lag := ok && f.Code == "utxo_unknown" // the index may lag behind the node
	if !ok || f.Kind != fault.Invalid && f.Kind != fault.Conflict && !lag {
		h.t.Errorf("%s: %v\n%+v", h.alias, err, o)
		return ""
	}
	return f.Code
}

// check compares a proposal with the request.
func (h *honestCase) check(o proposal.CreateParams, p proposal.Proposal) {
	h.t.Helper()
	seen := map[string]bool{}
	recipients := 0
	for _, out := range p.Outputs {
		if seen[out.Address] {
			h.t.Errorf("%s: two outputs have the address %s: %+v", h.alias, out.Address, p.Outputs)
		}
		seen[out.Address] = true
		if out.Recipient < 0 {
			continue
		}
		recipients++
		asked := o.Recipients[out.Recipient]
		if out.Address != asked.Address || asked.Amount != 0 && out.Amount > asked.Amount ||
			asked.Amount != 0 && out.Amount != asked.Amount && !slices.Contains(o.SubtractFrom, out.Recipient) {
			h.t.Errorf("%s: output %+v for %+v\n%+v", h.alias, out, asked, o)
		}
	}
	if recipients != len(o.Recipients) {
		h.t.Errorf("%s: outputs %+v for %+v", h.alias, p.Outputs, o)
	}
}

func (h *honestCase) send(p proposal.Proposal) {
	h.t.Helper()
	h.sent = append(h.sent, h.broadcast(h.complete(p)))
	if h.IntN(3) == 0 {
		h.mine()
		h.sent = nil
	}
	h.node.CLI(h.t, "syncwithvalidationinterfacequeue")
}

func (h *honestCase) order() proposal.CreateParams {
	h.t.Helper()
	o := proposal.CreateParams{
		FeeRate: btc.FeeRate(1000 + h.IntN(30)*h.IntN(1000)), NotReplaceable: h.IntN(6) == 0,
		DryRun: h.IntN(3) != 0,
	}
	if h.IntN(6) == 0 {
		o.FeeRate, o.TargetBlocks = 0, 1+h.IntN(1008)
	}
	budget := btc.Amount(1000 + h.IntN(400_000))
	if h.IntN(3) == 0 {
		var total btc.Amount
		o.UTXOs, total = h.someUTXOs()
		if h.IntN(2) == 0 { // sometimes leaves a remainder that is too small for change
			budget = total - btc.Amount(h.IntN(3000))
		}
	}
	if len(h.sent) > 0 && h.IntN(3) == 0 {
		o.Replaces = h.sent[h.IntN(len(h.sent))].ID
		o.FeeRate += 10_000
	}
	o.Recipients = h.recipients(budget)
	switch last := len(o.Recipients) - 1; h.IntN(4) {
	case 0:
		o.SendMax, o.Recipients[last].Amount = true, 0
	case 1:
		o.SubtractFrom = h.Perm(last + 1)[:1+h.IntN(last+1)]
	}
	return o
}

// recipients splits an amount among recipients, some of which are addresses of the wallet
// itself.
func (h *honestCase) recipients(budget btc.Amount) (list []proposal.Recipient) {
	h.t.Helper()
	count := 1 + h.IntN(4)
	share := budget / btc.Amount(count)
	for i := range count {
		amount, address := share, h.address()
		if i == 0 {
			amount = budget - share*btc.Amount(count-1)
		}
		if !slices.ContainsFunc(list, func(r proposal.Recipient) bool { return r.Address == address }) {
			list = append(list, proposal.Recipient{Address: address, Amount: max(1, amount)})
		}
	}
	return list
}

func (h *honestCase) address() string {
	h.t.Helper()
	if h.IntN(3) == 0 {
		return []string{payee, otherPayee}[h.IntN(2)]
	}
	branch, index := wallet.Branch(h.IntN(2)), uint32(h.IntN(keypool+5))
	if h.IntN(3) != 0 { // the next change address, or one close to it
		free, err := h.store.FreeChange(h.t.Context(), h.id, nil)
		testkit.Check(h.t, err)
		branch, index = wallet.ChangeBranch, free+uint32(h.IntN(3))
	}
	address, err := h.branches[branch].Address(index)
	testkit.Check(h.t, err)
	return address
}

// someUTXOs returns one or more of the wallet's unreserved UTXOs, and their sum; nil and 0
// if there are none.
func (h *honestCase) someUTXOs() (chosen []btc.Outpoint, total btc.Amount) {
	h.t.Helper()
	all, err := h.store.UTXOs(h.t.Context(), h.id, btc.Outpoint{}, 100)
	testkit.Check(h.t, err)
	all = slices.DeleteFunc(all, func(c wallet.UTXO) bool { return c.Reserved })
	if len(all) == 0 { // earlier requests have spent or reserved all of them
		return nil, 0
	}
	h.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, c := range all[:1+h.IntN(2)*h.IntN(len(all))] {
		chosen, total = append(chosen, c.Outpoint), total+c.Amount
	}
	return chosen, total
}
