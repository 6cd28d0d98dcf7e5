package proposal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// step is one step of a history. Its numbers select among the proposals and UTXOs that
// exist when it runs, so that a history remains valid without some of its steps.
type step struct {
	action string
	wallet int // -1 for an event, which affects all wallets
	n      [5]uint32
}

func (st step) String() string { return fmt.Sprintf("%s %d %v", st.action, st.wallet, st.n) }

// pick returns the element that a number selects, or the zero value if the list is empty.
func pick[T any](list []T, n uint32) (one T) {
	if len(list) > 0 {
		one = list[int(n)%len(list)]
	}
	return one
}

// walletStep is a step that affects one wallet.
type walletStep struct {
	name   string
	weight int  // relative frequency
	beside bool // can run while specterd is stopped
	// do executes the step and returns its line of the printed history. An error counts
	// as a difference.
	do func(h *histories, s *testWallet, n [5]uint32) (string, error)
}

var walletSteps = []walletStep{
	{"propose", 12, false, (*histories).propose},
	{"sign", 20, false, (*histories).sign},
	{"send", 18, false, (*histories).send},
	{"send elsewhere", 6, true, (*histories).sendElsewhere},
	{"approve", 14, false, (*histories).approve},
	{"reject", 2, false, (*histories).reject},
	{"cancel", 3, false, (*histories).cancel},
	{"abandon", 4, false, (*histories).abandon},
	{"bump", 12, false, (*histories).bump},
	{"replace", 10, false, (*histories).replace},
	{"double spend", 5, true, (*histories).doubleSpend},
	{"incoming", 5, true, (*histories).receive},
	{"incoming changed", 4, true, (*histories).changeIncoming},
}

// rates are fee rates in satoshis per 1000 virtual bytes.
var rates = []btc.FeeRate{1000, 1000, 1100, 2000, 3000, 5000, 10_000, 20_000}

func (h *histories) propose(s *testWallet, n [5]uint32) (string, error) {
	o, a, err := h.order(s, n)
	if err != nil {
		return "", err
	}
	if n[0]%3 == 0 {
		try := o
		try.DryRun = true
		err := h.tried(s, a, func() (proposal.Proposal, error) { return h.Create(h.t.Context(), h.access(h.alice, s.alias), try) })
		if err != nil {
			return "try to propose", err
		}
	}
	return h.create(s, "propose", a, o.FeeRate, func(rate btc.FeeRate) (proposal.Proposal, error) {
		o.FeeRate = rate
		return h.Create(h.t.Context(), h.access(h.alice, s.alias), o)
	})
}

// order returns a random request for a payment, with its known amounts.
func (h *histories) order(s *testWallet, n [5]uint32) (o proposal.CreateParams, a asked, err error) {
	o = proposal.CreateParams{FeeRate: pick(rates, n[0])}
	if n[1]%4 == 0 {
		o.ExpiresAt = h.clock.now().Add(5 * time.Minute)
	}
	utxos, err := h.wallets.UTXOs(h.t.Context(), h.access(h.alice, s.alias), btc.Outpoint{}, 1000)
	if err != nil {
		return o, a, err
	}
	utxos = slices.DeleteFunc(utxos, func(c wallet.UTXO) bool { return c.Reserved || c.Immature })
	slices.SortFunc(utxos, func(a, b wallet.UTXO) int { return int(a.Amount - b.Amount) })
	var available btc.Amount
	for _, c := range utxos {
		available += c.Amount
	}
	if n[2]%3 != 0 && len(utxos) > 0 {
		c := pick(utxos, n[2]/3)
		o.UTXOs, available = []btc.Outpoint{c.Outpoint}, c.Amount
		if other := pick(utxos, n[2]/7); n[1]%3 == 0 && other.Outpoint != c.Outpoint {
			o.UTXOs, available = append(o.UTXOs, other.Outpoint), available+other.Amount
		}
	}
	to := proposal.Recipient{Address: pick([]string{payee, otherPayee}, n[3]), Amount: max(10_000, available*btc.Amount(1+n[4]%8)/10)}
	switch n[3] % 8 {
	case 0:
		to.Amount, o.SendMax = 0, true
		if a.spent = available; o.UTXOs == nil {
			a.spent = trustedSum(utxos)
		}
	case 1:
		to.Address = pick(s.addresses, n[4])
	case 4, 7:
		o.SubtractFrom, a.least = []int{0}, to.Amount
	}
	if a.least == 0 {
		a.amount = to.Amount
	}
	o.Recipients = []proposal.Recipient{to}
	switch n[3] % 8 {
	case 2, 5:
		o.Recipients = append(o.Recipients, proposal.Recipient{Data: []byte(to.Address)})
	case 3, 6:
		o.AllowDuplicates = true
		o.Recipients = append(o.Recipients, to)
		o.Recipients[0].Amount /= 2
		o.Recipients[1].Amount -= o.Recipients[0].Amount
	}
	return o, a, nil
}

func trustedSum(utxos []wallet.UTXO) (sum btc.Amount) {
	for _, c := range utxos {
		if c.Trusted {
			sum += c.Amount
		}
	}
	return sum
}

// create creates a proposal and checks that the node accepts its transaction. If the
// fee rate is refused, create retries with the lowest fee rate named in the error. What policies
// decide must be what the test expects for the payment that was asked for.
func (h *histories) create(s *testWallet, what string, a asked, rate btc.FeeRate, createAt func(btc.FeeRate) (proposal.Proposal, error)) (string, error) {
	from := h.clock.now()
	p, err := createAt(rate)
	if f := new(fault.Error); errors.As(err, &f) && f.Details["min_fee_rate_sat_vb"] != "" {
		what += " at " + rate.String() + " sat/vB: " + f.Message + "; then"
		if rate, err = btc.ParseFeeRate(f.Details["min_fee_rate_sat_vb"]); err != nil {
			return what, err
		}
		p, err = createAt(rate)
		if errors.Is(err, proposal.ErrFeeRateTooLow) {
			return what, fmt.Errorf("the lowest fee rate, %s, is refused: %w", rate, err)
		}
	}
	to := h.clock.now()
	if f := new(fault.Error); errors.As(err, &f) && errors.Is(f, proposal.ErrPolicyRefused) {
		return what + ": " + err.Error(), h.refused(s, a, f, from, to)
	}
	if err != nil {
		return what + ": " + err.Error(), refusal(err)
	}
	e, err := h.expect(s, p)
	if err != nil {
		return what, err
	}
	if err := h.admitted(s, a, e, p, from, to); err != nil {
		return what, err
	}
	s.proposals = append(s.proposals, e)
	said := fmt.Sprintf("%s %s at %s sat/vB, spending %s", what, e.name, p.FeeRate, s.namesOf(e.inputs))
	if e.replaces != nil {
		said += ", instead of " + e.replaces.name
		if was, err := h.Get(h.t.Context(), h.access(h.alice, s.alias), e.replaces.id); err != nil || was.Status == proposal.Replaced && was.ReplacedBy == p.ID {
			e.replaces.base, e.replaces.by = proposal.Replaced, e
		}
	}
	if reason := h.chain.refuses(e.tx); reason != "" {
		return said, fmt.Errorf("%s was created, but the node does not accept it: %s", e.name, reason)
	}
	return said, nil
}

// refuses returns why the mempool does not accept a transaction; empty if it is accepted.
func (c *chain) refuses(tx *wire.MsgTx) string {
	var tests []struct {
		Allowed bool
		Reason  string `json:"reject-reason"`
	}
	testkit.Check(c.t, json.Unmarshal(c.CLI(c.t, "testmempoolaccept", []string{hexOf(serialize(tx))}, 0), &tests))
	if tests[0].Allowed {
		return ""
	}
	return tests[0].Reason
}

// expect returns what is expected of a new proposal, and signs its transaction.
func (h *histories) expect(s *testWallet, p proposal.Proposal) (*expected, error) {
	stored, err := h.store.Proposal(h.t.Context(), s.id, p.ID) // also has the PSBT before the release
	if err != nil {
		return nil, err
	}
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(stored.PSBT), false)
	if err != nil {
		return nil, err
	}
	e := &expected{name: fmt.Sprintf("p%d", len(s.proposals)+1), id: p.ID, base: p.Status, last: p.Status, tx: packet.UnsignedTx, expires: p.ExpiresAt}
	utxos := make([]utxo, len(p.Inputs))
	for i, in := range p.Inputs {
		utxos[i] = s.keys.utxo(h.t, in.Outpoint, in.Place, in.Address, in.Amount)
		s.addUTXO(utxos[i])
		e.inputs = append(e.inputs, in.Outpoint)
	}
	for _, out := range p.Outputs {
		if out.Kind == proposal.Change {
			e.change = out.Address
		}
	}
	for _, other := range s.proposals {
		if other.id == p.ReplacesID {
			e.replaces = other
		}
	}
	if err := sign(e.tx, utxos); err != nil {
		return nil, err
	}
	e.txid = s.addTransaction(e.tx, e.name)
	return e, nil
}

// refusal returns nil if err is a refusal that the request or the state of the wallet
// explains, and otherwise an error that contains err.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict, fault.PreconditionFailed:
		return nil
	default:
		return fmt.Errorf("the request failed: %w", err)
	}
}

// some returns one of the history's proposals that has one of the statuses, or, for one
// in eight values of n, any status. It returns nil if there is none.
func (s *testWallet) some(n uint32, statuses ...proposal.Status) *expected {
	list := s.proposals[s.begin:]
	if n%8 != 0 {
		list = slices.DeleteFunc(slices.Clone(list), func(e *expected) bool { return !slices.Contains(statuses, e.last) })
	}
	return pick(list, n/8)
}

func (h *histories) sign(s *testWallet, n [5]uint32) (string, error) {
	e := s.some(n[0], proposal.Created, proposal.PartiallySigned)
	switch {
	case e == nil && s.some(n[0], proposal.AwaitingApproval) != nil:
		return h.approve(s, n)
	case e == nil:
		return h.propose(s, n)
	}
	data, how := []byte(hexOf(serialize(e.tx))), "sign"
	if n[1]%4 == 0 {
		data, how = h.partly(s, e), "sign in part"
	}
	p, err := h.AddSignatures(h.t.Context(), h.access(h.alice, s.alias), e.id, data, nil)
	if err == nil && (!e.last.Open() || e.last == proposal.AwaitingApproval) {
		return how, fmt.Errorf("%s was %s, but could be signed", e.name, e.last)
	}
	if err != nil {
		return how + " " + e.name + ": " + err.Error(), refusal(err)
	}
	e.base, e.last = p.Status, p.Status
	return how + " " + e.name, nil
}

// partly returns a partially signed PSBT of a proposal: with the signatures of one key if
// the wallet is multisig, otherwise with a signature of the first input only.
func (h *histories) partly(s *testWallet, e *expected) []byte {
	p, err := h.store.Proposal(h.t.Context(), s.id, e.id)
	testkit.Check(h.t, err)
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(p.PSBT), false)
	testkit.Check(h.t, err)
	fetcher := txscript.NewMultiPrevOutFetcher(nil)
	utxos := make([]utxo, len(p.Inputs))
	for i, in := range p.Inputs {
		utxos[i] = s.keys.utxo(h.t, in.Outpoint, in.Place, in.Address, in.Amount)
		fetcher.AddPrevOut(utxos[i].at, wire.NewTxOut(utxos[i].amount, utxos[i].script))
	}
	hashes := txscript.NewTxSigHashes(packet.UnsignedTx, fetcher)
	for i, c := range utxos {
		key := c.keys[0]
		var signature []byte
		switch {
		case c.witness != nil:
			signature, err = txscript.RawTxInWitnessSignature(packet.UnsignedTx, hashes, i, c.amount, c.witness, txscript.SigHashAll, key)
		case txscript.IsPayToWitnessPubKeyHash(c.script):
			signature, err = txscript.RawTxInWitnessSignature(packet.UnsignedTx, hashes, i, c.amount, c.script, txscript.SigHashAll, key)
		default:
			signature, err = txscript.RawTxInSignature(packet.UnsignedTx, i, c.script, txscript.SigHashAll, key)
		}
		testkit.Check(h.t, err)
		packet.Inputs[i].PartialSigs = []*psbt.PartialSig{{PubKey: key.PubKey().SerializeCompressed(), Signature: signature}}
		if len(c.keys) == 1 {
			break
		}
	}
	var b bytes.Buffer
	testkit.Check(h.t, packet.Serialize(&b))
	return b.Bytes()
}

func (h *histories) send(s *testWallet, n [5]uint32) (string, error) {
	e := s.some(n[0], proposal.Complete)
	if e == nil {
		return h.sign(s, n)
	}
	_, err := h.Broadcast(h.t.Context(), h.access(h.alice, s.alias), e.id, proposal.BroadcastParams{Evict: n[2]%2 == 0})
	said := "send " + e.name
	if err != nil {
		said += ": " + err.Error()
	}
	return said, refusal(err)
}

func (h *histories) sendElsewhere(s *testWallet, n [5]uint32) (string, error) {
	e := s.some(n[0], proposal.AwaitingApproval, proposal.Created, proposal.Complete, proposal.Cancelled, proposal.Broadcast)
	if e == nil {
		return "", nil
	}
	return "send elsewhere " + e.name + h.chain.send(e.tx), nil
}

// send broadcasts a transaction. If the node refuses it, send returns the reason.
func (c *chain) send(tx *wire.MsgTx) string {
	if _, err := c.Call(c.t.Context(), "sendrawtransaction", hexOf(serialize(tx)), 0); err != nil {
		return ": " + err.Error()
	}
	return ""
}

func (h *histories) cancel(s *testWallet, n [5]uint32) (string, error) {
	e := s.some(n[0], proposal.AwaitingApproval, proposal.Created, proposal.PartiallySigned, proposal.Complete)
	if e == nil {
		return "", nil
	}
	if err := h.Cancel(h.t.Context(), h.access(h.alice, s.alias), e.id, nil); err != nil {
		return "cancel " + e.name + ": " + err.Error(), refusal(err)
	}
	e.base, e.last = proposal.Cancelled, proposal.Cancelled
	return "cancel " + e.name, nil
}

func (h *histories) abandon(s *testWallet, n [5]uint32) (string, error) {
	e := s.some(n[0], proposal.Broadcast)
	if e == nil {
		return h.send(s, n)
	}
	if _, err := h.Abandon(h.t.Context(), h.access(h.alice, s.alias), e.id, nil); err != nil {
		return "abandon " + e.name + ": " + err.Error(), refusal(err)
	}
	for _, same := range s.proposals { // others may have the same transaction
		if same.txid == e.txid {
			same.base = proposal.Cancelled
		}
	}
	e.last = proposal.Cancelled
	return "abandon " + e.name, nil
}

func (h *histories) bump(s *testWallet, n [5]uint32) (string, error) {
	e := s.some(n[0], proposal.Broadcast, proposal.Complete, proposal.AwaitingApproval)
	if e == nil {
		return h.send(s, n)
	}
	p, err := h.Get(h.t.Context(), h.access(h.alice, s.alias), e.id)
	if err != nil {
		return "", err
	}
	rate := p.FeeRate + pick([]btc.FeeRate{10, 100, 1000, p.FeeRate, 3 * p.FeeRate, 10 * p.FeeRate}, n[1])
	a := asked{amount: e.amount, replaces: e}
	switch {
	case p.SendMax:
		a.amount, a.spent = 0, e.spent
	case p.SubtractFrom != nil:
		a.amount, a.least = 0, 0
		for _, out := range p.Outputs {
			a.least += out.Asked
		}
	}
	return h.create(s, "bump "+e.name+" to", a, rate, func(rate btc.FeeRate) (proposal.Proposal, error) {
		return h.Bump(h.t.Context(), h.access(h.alice, s.alias), e.id, proposal.BumpParams{FeeRate: rate, Evict: n[2]%4 != 0})
	})
}

func (h *histories) replace(s *testWallet, n [5]uint32) (string, error) {
	e := s.some(n[0], proposal.Broadcast, proposal.Created, proposal.AwaitingApproval)
	if e == nil {
		return h.send(s, n)
	}
	name := pick([]string{e.id, e.txid}, n[1])
	o := proposal.CreateParams{Recipients: []proposal.Recipient{{Address: payee, Amount: 20_000}}, Replaces: name, Evict: n[3]%4 != 0}
	return h.create(s, "propose instead of "+e.name, asked{amount: 20_000, replaces: e}, pick(rates, n[2]), func(rate btc.FeeRate) (proposal.Proposal, error) {
		o.FeeRate = rate
		return h.Create(h.t.Context(), h.access(h.alice, s.alias), o)
	})
}

// doubleSpend spends UTXOs of the wallet with its keys, outside of specterd.
func (h *histories) doubleSpend(s *testWallet, n [5]uint32) (string, error) {
	from := []utxo{pick(s.utxos, n[0])}
	if other := pick(s.utxos, n[1]); n[2]%3 == 0 && other.at != from[0].at {
		from = append(from, other)
	}
	tx := spendOf(from...)
	var rest int64
	var at []btc.Outpoint
	for _, c := range from {
		rest += c.amount
		at = append(at, outpointOf(c.at))
	}
	if rest -= pick([]int64{500, 1000, 5000, 20_000}, n[3]) * int64(len(from)); rest < 2000 {
		return "", nil
	}
	to := otherPayee
	if n[2]%2 == 0 {
		to = pick(s.addresses, n[4])
	}
	tx.AddTxOut(wire.NewTxOut(rest, scriptOf(to)))
	if err := sign(tx, from); err != nil {
		return "", err
	}
	txid := s.addTransaction(tx, fmt.Sprintf("d%d", len(s.txids)))
	return fmt.Sprintf("double spend %s by %s%s", s.namesOf(at), s.names[txid], h.chain.send(tx)), nil
}

// incoming is a payment to the wallet, and the fee of its last version.
type incoming struct {
	from utxo
	fee  int64
}

func (h *histories) receive(s *testWallet, n [5]uint32) (string, error) {
	in := incoming{from: h.chain.utxo(), fee: 300}
	s.incoming = append(s.incoming, in)
	tx := h.chain.pay(in.from, in.fee, wire.NewTxOut(100_000+int64(n[0]%2_000_000), scriptOf(pick(s.addresses, n[1]))))
	txid := s.addTransaction(tx, fmt.Sprintf("i%d", len(s.txids)))
	return "incoming " + s.names[txid] + h.chain.send(tx), nil
}

// changeIncoming replaces a payment to the wallet, as its sender can.
func (h *histories) changeIncoming(s *testWallet, n [5]uint32) (string, error) {
	if len(s.incoming) == 0 {
		return "", nil
	}
	in := &s.incoming[int(n[0])%len(s.incoming)]
	in.fee *= pick([]int64{4, 30}, n[1])
	if in.fee > payerUTXO/2 {
		return "", nil
	}
	var to []*wire.TxOut
	if n[2]%2 == 0 {
		to = append(to, wire.NewTxOut(100_000+int64(n[3]%1_000_000), scriptOf(pick(s.addresses, n[4]))))
	}
	tx := h.chain.pay(in.from, in.fee, to...)
	txid := s.addTransaction(tx, fmt.Sprintf("i%d", len(s.txids)))
	return "incoming changed to " + s.names[txid] + h.chain.send(tx), nil
}
