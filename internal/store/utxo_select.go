package store

import (
	"context"
	"fmt"
	"math"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// SortedUTXOs implements wallet.Book.
func (s *Store) SortedUTXOs(ctx context.Context, walletID string, sel wallet.UTXOSelection, after *wallet.UTXO, limit int) ([]wallet.UTXO, error) {
	t := totalParams(walletID, sel)
	p := db.SortedUTXOsParams{
		WalletID: t.WalletID, Least: t.Least, Most: t.Most, AnyFrozen: t.AnyFrozen, Frozen: t.Frozen, AnyReserved: t.AnyReserved, Reserved: t.Reserved,
		AnyLabel: t.AnyLabel, Label: t.Label, Sign: -1, AfterPlace: math.MinInt64, MaxRows: int64(limit),
	}
	switch sel.Order {
	case wallet.OldestFirst:
		p.Sign = 1
	case wallet.LargestFirst:
		p.ByAmount = true
	case wallet.SmallestFirst:
		p.Sign, p.ByAmount = 1, true
	}
	if after != nil {
		p.AfterPlace, p.AfterTxid, p.AfterVout = p.Sign*after.Time.UnixMicro(), after.Txid, int64(after.Vout)
		if p.ByAmount {
			p.AfterPlace = p.Sign * int64(after.Amount)
		}
	}
	rows, err := s.reads().SortedUTXOs(ctx, p)
	if err != nil {
		return nil, translate(fmt.Errorf("list selected UTXOs: %w", err))
	}
	utxos := make([]wallet.UTXO, len(rows))
	for i, row := range rows {
		utxos[i] = utxoOf(db.UTXOsRow(row))
	}
	return utxos, nil
}

// UTXOTotal implements wallet.Book.
func (s *Store) UTXOTotal(ctx context.Context, walletID string, sel wallet.UTXOSelection) (int, btc.Amount, error) {
	row, err := s.reads().UTXOTotal(ctx, totalParams(walletID, sel))
	if err != nil {
		return 0, 0, translate(fmt.Errorf("sum up selected UTXOs: %w", err))
	}
	return int(row.Utxos), btc.Amount(row.AmountSat), nil
}

func totalParams(walletID string, sel wallet.UTXOSelection) db.UTXOTotalParams {
	p := db.UTXOTotalParams{
		WalletID: walletID, Least: sel.Least, Most: sel.Most, AnyLabel: sel.Label == "", Label: sel.Label,
		AnyFrozen: sel.Frozen == nil, AnyReserved: sel.Reserved == nil,
	}
	if sel.Most == 0 {
		p.Most = math.MaxInt64
	}
	if sel.Frozen != nil {
		p.Frozen = *sel.Frozen
	}
	if sel.Reserved != nil {
		p.Reserved = *sel.Reserved
	}
	return p
}
