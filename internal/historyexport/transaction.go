package historyexport

import (
	"encoding/hex"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// TransactionOf converts a record of a history.
func TransactionOf(r wallet.Record) api.Transaction {
	out := api.Transaction{
		Txid: r.Txid, Wallet: r.Alias, Time: r.Time.UTC(), Status: string(r.Status), Confirmations: r.Confirmations,
		Category: string(r.Category), Flow: int64(r.Flow), Fee: (*int64)(r.Fee), VSize: r.VSize,
		Replaceable: r.Replaceable, Conflicts: r.Conflicts,
		Address: text.Optional(r.Address), AddressLabel: r.AddressLabel, Label: r.Label,
		Outputs: make([]api.Output, len(r.Outputs)), Hex: hex.EncodeToString(r.Raw),
	}
	if r.Block != nil {
		out.Block = &api.Block{Height: r.Block.Height, Hash: r.Block.Hash, Time: r.Block.Time.UTC()}
	}
	for i, o := range r.Outputs {
		out.Outputs[i] = OutputOf(o)
	}
	return out
}

// OutputOf converts an output.
func OutputOf(o wallet.Output) api.Output {
	out := api.Output{
		Vout: o.Vout, Address: text.Optional(o.Address), Amount: int64(o.Amount), Mine: o.Own != nil, Label: o.Label, AddressLabel: o.AddressLabel,
	}
	if o.Own != nil {
		branch := o.Own.Branch.Name()
		out.Branch, out.Index = &branch, &o.Own.Index
	}
	return out
}
