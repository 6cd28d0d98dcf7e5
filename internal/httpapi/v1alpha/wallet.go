package v1alpha

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/wallet"
)

// shownUnused is the number of addresses that are shown on each branch after the last
// address that was revealed or used. Specter Desktop shows all derived addresses: it
// derives 20 to 60, whereas specterd derives more than a thousand.
const shownUnused = 20

type walletRequest struct {
	Alias string `path:"alias" json:"-" description:"Your alias of the wallet."`
}

// WalletResponse is the media type of the response of GetWallet.
var WalletResponse = route.MediaOf[walletResponse](route.JSONType[0])

// GetWallet serves GET /api/v1alpha/wallets/{alias}/.
func (a *API) GetWallet(ctx context.Context, _ walletRequest) (route.Streamed, error) {
	p, err := a.details(ctx, wallet.AccessFrom(ctx))
	if err != nil {
		return route.Streamed{}, err
	}
	return streamed(p.write), nil
}

// walletDetails contains the data of the response of GetWallet.
type walletDetails struct {
	wallet.Details
	pending map[string]psbtObject
	history history
}

func (a *API) details(ctx context.Context, access wallet.Access) (*walletDetails, error) {
	p := &walletDetails{}
	var err error
	if p.Details, err = a.o.Wallets.Details(ctx, access, shownUnused); err != nil {
		return nil, err
	}
	p.history = history{read: p.History, isNeeded: p.hasUnspent, limit: maxKept, total: a.kept}
	if access.Caller().Scopes.Has(auth.ProposalsRead) {
		_, open, err := a.o.Proposals.ListOpen(ctx, access)
		if err != nil {
			return nil, err
		}
		if p.pending, err = psbtObjects(open, p.View); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// frozen returns the outpoints of the frozen UTXOs.
func (p *walletDetails) frozen() []string {
	frozen := []string{}
	for _, o := range p.Unspent {
		if o.Frozen {
			frozen = append(frozen, o.String())
		}
	}
	return frozen
}

// write writes the response, with the members in the order of Specter Desktop.
func (p *walletDetails) write(w *bufio.Writer) error {
	defer p.history.reset()
	type member struct {
		name  string
		write func() error
	}
	text := func(text string) func() error {
		return func() error { _, err := w.WriteString(text); return err }
	}
	scan := "null"
	if p.Rescanning() {
		scan = strconv.FormatFloat(p.RescanProgress, 'f', -1, 64)
	}
	members := []member{
		{p.Alias, func() error { return p.writeWallet(w) }},
		{"txlist", func() error { return writeAll(w, "[", "]", p.history.all(), p.appendListed) }},
		{"scan", text(scan)},
		{"address_index", text(strconv.FormatUint(uint64(p.ReceiveNext), 10))},
		{"utxo", func() error { return writeAll(w, "[", "]", p.history.needed(), p.appendUnlocked) }},
	}
	between := byte('{')
	for i, m := range members {
		if i > 0 && m.name == p.Alias {
			continue // the wallet object already has this name, and names must be unique
		}
		if _, err := w.Write(append(appendText([]byte{between}, m.name), ':')); err != nil {
			return err
		}
		if err := m.write(); err != nil {
			return err
		}
		between = ','
	}
	_, err := w.WriteString("}\n")
	return err
}

// writeWallet writes the wallet object, which walletObject describes.
func (p *walletDetails) writeWallet(w *bufio.Writer) error {
	head, err := p.head()
	if err != nil {
		return err
	}
	begin, err := json.Marshal(head, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode the wallet: %w", err)
	}
	end, err := json.Marshal(p.tail())
	if err != nil {
		return fmt.Errorf("encode the wallet: %w", err)
	}
	begin[len(begin)-1], end[0], end[len(end)-1] = ',', ',', ',' // replace the braces between the parts, to form one object
	if err := writeAll(w, string(begin)+`"_addresses":{`, `}`, p.addresses(), appendAddress); err != nil {
		return err
	}
	if err := writeAll(w, `,"_transactions":{`, `}`, p.history.all(), appendMember); err != nil {
		return err
	}
	if err := writeAll(w, `,"_full_utxo":[`, `]`, p.history.needed(), p.appendUTXOs); err != nil {
		return err
	}
	return writeAll(w, string(end)+`"full_utxo":[`, `]}`, p.history.needed(), p.appendUTXOs)
}

// addresses yields the addresses in the response, each once: the first addresses of each
// branch (see shownUnused), and all other labelled addresses.
func (p *walletDetails) addresses() iter.Seq2[wallet.LabelledAddress, error] {
	labels := map[string]string{}
	for _, a := range p.Labelled {
		labels[a.Address] = a.Label
	}
	return func(yield func(wallet.LabelledAddress, error) bool) {
		var at wallet.Place
		for branch, addresses := range p.Addresses {
			for i, a := range addresses {
				at = wallet.Place{Branch: wallet.Branch(branch), Index: uint32(i)}
				if !yield(wallet.LabelledAddress{Address: a.Address, Own: &at, Used: a.Used, Label: labels[a.Address]}, nil) {
					return
				}
			}
		}
		for _, a := range p.Labelled {
			shown := a.Own != nil && int(a.Own.Index) < len(p.Addresses[a.Own.Branch])
			if !shown && !yield(a, nil) {
				return
			}
		}
	}
}

func appendAddress(b []byte, a wallet.LabelledAddress) []byte {
	b = appendText(b, a.Address)
	b = append(b, `:{"address":`...)
	b = appendText(b, a.Address)
	if a.Own == nil {
		b = append(b, `,"index":null,"change":null`...)
	} else {
		b = append(b, `,"index":`...)
		b = strconv.AppendUint(b, uint64(a.Own.Index), 10)
		b = append(b, `,"change":`...)
		b = strconv.AppendBool(b, a.Own.Branch == wallet.ChangeBranch)
	}
	b = append(b, `,"label":`...)
	if a.Label == "" {
		b = append(b, "null"...)
	} else {
		b = appendText(b, a.Label)
	}
	if a.Used {
		return append(b, `,"used":true,"service_id":null}`...)
	}
	return append(b, `,"used":null,"service_id":null}`...)
}

// appendMember appends a transaction as an object member whose name is the transaction id.
func appendMember(b []byte, r *wallet.Record) []byte {
	return appendStored(append(appendText(b, r.Txid), ':'), r)
}

// appendListed appends a transaction unless it is dead.
func (p *walletDetails) appendListed(b []byte, r *wallet.Record) []byte {
	if r.Status.Dead() {
		return b
	}
	return appendListed(b, r, p.Synced)
}

// appendUTXOs appends the unspent outputs of a transaction.
func (p *walletDetails) appendUTXOs(b []byte, r *wallet.Record) []byte {
	return p.appendSome(b, r, func(*wallet.Unspent) bool { return true })
}

func (p *walletDetails) appendUnlocked(b []byte, r *wallet.Record) []byte {
	return p.appendSome(b, r, func(o *wallet.Unspent) bool { return !o.Locked })
}

func (p *walletDetails) appendSome(b []byte, r *wallet.Record, wanted func(*wallet.Unspent) bool) []byte {
	from := len(b)
	for _, o := range p.unspentOf(r) {
		if !wanted(&o) {
			continue
		}
		if len(b) > from {
			b = append(b, ',')
		}
		b = appendUTXO(b, r, &o, p.Synced)
	}
	return b
}

// unspentOf returns the unspent outputs of a transaction that listunspent of Bitcoin Core
// includes.
func (p *walletDetails) unspentOf(r *wallet.Record) []wallet.Unspent {
	if !hasUTXOs(r) {
		return nil
	}
	from, _ := slices.BinarySearchFunc(p.Unspent, r.Txid, func(o wallet.Unspent, txid string) int { return strings.Compare(o.Txid, txid) })
	end := from
	for end < len(p.Unspent) && p.Unspent[end].Txid == r.Txid {
		end++
	}
	return p.Unspent[from:end]
}

func (p *walletDetails) hasUnspent(r *wallet.Record) bool { return len(p.unspentOf(r)) > 0 }

// coinbaseMaturity is the number of confirmations that a coinbase transaction needs before
// its outputs can be spent in the next block (COINBASE_MATURITY of Bitcoin Core).
const coinbaseMaturity = 100

// hasUTXOs reports whether listunspent of Bitcoin Core includes the unspent outputs of a
// transaction. For a coinbase transaction, listunspent requires more than coinbaseMaturity
// confirmations.
func hasUTXOs(r *wallet.Record) bool {
	alive := r.Status == wallet.Confirmed || r.Status == wallet.InMempool
	return alive && (r.Category != wallet.Generate || r.Confirmations > coinbaseMaturity)
}
