package console

import (
	"encoding/hex"
	"strconv"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

var transactionRoutes = []route{
	{method: get, path: "/wallets/{alias}/transactions/{txid}", audience: users, role: auth.RoleViewer, handle: (*call).transaction},
	{method: get, path: "/wallets/{alias}/transactions/{txid}/hex", audience: users, role: auth.RoleViewer, handle: (*call).transactionHex},
	{method: post, path: "/wallets/{alias}/transactions/{txid}/label", audience: users, role: auth.RoleProposer, handle: (*call).labelTransaction},
}

// transactionPage shows one transaction.
type transactionPage struct {
	Form      form // of the label that was refused; its field vout names the output, if any
	Row       txRow
	Rate      btc.FeeRate // 0 if unknown
	Inputs    []txInput
	Outputs   []txOutput
	MoreIn    int // number of inputs that the page omits
	MoreOut   int
	Diagram   diagram
	Hex       string // empty if it is too long for the page
	Proposals []txProposal
}

// txInput is an input of a transaction.
type txInput struct {
	At     btc.Outpoint
	Amount *btc.Amount // nil if it is not the wallet's
}

// txOutput is an output of a transaction.
type txOutput struct {
	wallet.Output

	Data    bool // whether it has no address
	Indexed bool // whether it can have a label
}

// OwnLabel returns the label of the output, without the one of its address.
func (o txOutput) OwnLabel() string {
	if o.Label == o.AddressLabel {
		return ""
	}
	return o.Label
}

// txProposal is a proposal of the transaction.
type txProposal struct {
	proposal.Proposal

	Path    string
	Signers []string // names of the users who added signatures
	Bump    string   // path of the page that replaces it with a higher fee rate; empty if that is not possible
}

const (
	// maxTxRows is the maximum number of inputs and of outputs on the page.
	maxTxRows = 100
	// maxShownHex is the maximum number of digits of a serialized transaction on the page.
	maxShownHex = 4000
)

func (c *call) transaction() error {
	p, err := c.transactionPage()
	if err != nil {
		return err
	}
	return c.render("transaction", c.look.T("Transaction"), p)
}

// record returns the transaction that the path names.
func (c *call) record() (wallet.Record, error) {
	txid := c.param("txid")
	if !isTxid(txid) {
		return wallet.Record{}, errNoPage
	}
	r, err := c.Wallets.Transaction(c.r.Context(), c.access, txid)
	return r, missing(err, wallet.ErrTransactionNotFound)
}

func (c *call) transactionPage() (transactionPage, error) {
	r, err := c.record()
	if err != nil {
		return transactionPage{}, err
	}
	p := transactionPage{Form: c.newForm(nil), Row: c.txRows([]wallet.Record{r})[0], Hex: hex.EncodeToString(r.Raw)}
	if len(p.Hex) > maxShownHex {
		p.Hex = ""
	}
	if r.Fee != nil && r.VSize > 0 {
		p.Rate = btc.FeeRate(int64(*r.Fee) * 1000 / int64(r.VSize))
	}
	p.addEnds(c, r)
	return p, c.addProposals(&p, r)
}

// addEnds adds the inputs and outputs. The index has the ones of the wallet, and the serialized
// transaction all of them.
func (p *transactionPage) addEnds(c *call, r wallet.Record) {
	amounts := map[btc.Outpoint]btc.Amount{}
	for _, in := range r.Inputs {
		amounts[in.Prev] = in.Amount
		p.Inputs = append(p.Inputs, txInput{in.Prev, &in.Amount})
	}
	for _, o := range r.Outputs {
		p.Outputs = append(p.Outputs, txOutput{o, o.Address == "", true})
	}
	if tx, err := btc.ParseTx(r.Raw); err == nil {
		p.Inputs, p.Outputs = nil, allOutputs(tx, r, c.Wallets.Network())
		for _, in := range tx.Inputs {
			one := txInput{At: in.Outpoint}
			if amount, ok := amounts[in.Outpoint]; ok {
				one.Amount = &amount
			}
			p.Inputs = append(p.Inputs, one)
		}
		if tx.Coinbase {
			p.Inputs = nil
		}
	}
	p.Diagram = c.diagram(p, r)
	if p.MoreIn = len(p.Inputs) - maxTxRows; p.MoreIn > 0 {
		p.Inputs = p.Inputs[:maxTxRows]
	}
	if p.MoreOut = len(p.Outputs) - maxTxRows; p.MoreOut > 0 {
		p.Outputs = p.Outputs[:maxTxRows]
	}
}

// allOutputs returns all outputs of a transaction, with the labels and places of indexed ones.
func allOutputs(tx btc.Tx, r wallet.Record, network btc.Network) []txOutput {
	indexed := map[uint32]wallet.Output{}
	for _, o := range r.Outputs {
		indexed[o.Vout] = o
	}
	out := make([]txOutput, len(tx.Outputs))
	for i, o := range tx.Outputs {
		vout := uint32(i)
		one, ok := indexed[vout]
		if !ok {
			one = wallet.Output{Vout: vout, Amount: o.Amount, Address: btc.AddressOf(o.Script, network)}
		}
		out[i] = txOutput{one, one.Address == "", ok}
	}
	return out
}

// diagram draws the inputs, the outputs and the fee.
func (c *call) diagram(p *transactionPage, r wallet.Record) diagram {
	var in, out []diagramEnd
	for _, i := range p.Inputs {
		end := diagramEnd{Amount: i.Amount, Class: "f3", Text: c.look.T("another wallet")}
		if i.Amount != nil {
			end.Class, end.Text = "f1", c.look.short(*i.Amount)
		}
		in = append(in, end)
	}
	if r.Category == wallet.Generate {
		in = append(in, diagramEnd{Class: "f3", Text: c.look.T("new coins")})
	}
	for _, o := range p.Outputs {
		end := diagramEnd{Amount: &o.Amount, Class: "f3", Text: c.look.short(o.Amount)}
		if o.Own != nil {
			end.Class = "f1"
		}
		out = append(out, end)
	}
	in, out = c.together(in), c.together(out)
	if r.Fee != nil && *r.Fee > 0 {
		out = append(out, diagramEnd{Amount: r.Fee, Class: "f2", Text: c.look.T("%s fee", c.look.short(*r.Fee))})
	}
	return diagramOf(in, out)
}

// together replaces the ends that have no row of their own with one.
func (c *call) together(ends []diagramEnd) []diagramEnd {
	if len(ends) <= diagramSide {
		return ends
	}
	rest := ends[diagramSide-1:]
	one := diagramEnd{Class: "f3", Amount: new(btc.Amount), Text: c.look.T("%d more", len(rest))}
	for _, e := range rest {
		switch {
		case e.Amount == nil:
			one.Amount = nil
		case one.Amount != nil:
			*one.Amount += *e.Amount
		}
	}
	return append(ends[:diagramSide-1:diagramSide-1], one)
}

// short returns an amount in the chosen unit, without the unit.
func (l *look) short(n btc.Amount) string {
	text, _ := l.inUnit(n)
	return text
}

func (c *call) addProposals(p *transactionPage, r wallet.Record) error {
	found, err := c.Proposals.List(c.r.Context(), c.access, proposal.Filter{Txid: r.Txid}, proposal.Cursor{}, maxOpenProposals)
	if err != nil {
		return err
	}
	for _, f := range found {
		one := txProposal{Proposal: f, Path: c.walletPath("proposals", f.ID)}
		seen := map[string]bool{}
		for _, s := range f.Signatures {
			if !seen[s.By.UserName] {
				seen[s.By.UserName] = true
				one.Signers = append(one.Signers, s.By.UserName)
			}
		}
		if f.Status == proposal.Broadcast && r.Status == wallet.InMempool && c.view.Role.Covers(auth.RoleProposer) {
			one.Bump = c.walletPath("proposals", f.ID, "bump")
		}
		p.Proposals = append(p.Proposals, one)
	}
	return nil
}

// transactionHex sends the serialized transaction as text.
func (c *call) transactionHex() error {
	r, err := c.record()
	if err != nil {
		return err
	}
	return c.sendFile(r.Txid+".hex", "text/plain; charset=utf-8", []byte(hex.EncodeToString(r.Raw)+"\n"))
}

// labelTransaction sets the label of the transaction or, with the field vout, of an output.
func (c *call) labelTransaction() error {
	if _, err := c.record(); err != nil {
		return err
	}
	txid, err := c.param("txid"), error(nil)
	if text := c.form.Get("vout"); text != "" {
		vout, errVout := strconv.ParseUint(text, 10, 32)
		if errVout != nil {
			return errNoPage
		}
		_, err = c.Wallets.LabelOutput(c.r.Context(), c.access, btc.Outpoint{Txid: txid, Vout: uint32(vout)}, c.form.Get("label"))
	} else {
		err = c.Wallets.LabelTransaction(c.r.Context(), c.access, txid, c.form.Get("label"))
	}
	if err == nil {
		return c.redirect(c.walletPath("transactions", txid), "label-saved")
	}
	f, err := again(missing(err, wallet.ErrOutputNotFound))
	if err != nil {
		return err
	}
	p, err := c.transactionPage()
	if err != nil {
		return err
	}
	if p.Form.fault = f; c.form.Has("vout") {
		p.Form.fault = f.ForField("label-" + c.form.Get("vout"))
	}
	return c.renderAs(p.Form.fault, "transaction", c.look.T("Transaction"), p)
}
