package console

import "github.com/specterd/specterd/internal/wallet"

// unproposedRow is a transaction that spends UTXOs of a wallet without a proposal.
type unproposedRow struct {
	wallet.UnproposedSpend

	Wallet, Path string
}

// maxUnproposed is the maximum number of unproposed spends in a warning.
const maxUnproposed = 5

// unproposed returns the recent unproposed spends of a set of wallets.
func (c *call) unproposed(set wallet.Set) ([]unproposedRow, error) {
	found, err := c.Wallets.UnproposedSpends(c.r.Context(), set, maxUnproposed)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	views, err := c.wallets()
	if err != nil {
		return nil, err
	}
	var rows []unproposedRow
	for _, spend := range found {
		for _, v := range views {
			if v.ID == spend.WalletID {
				rows = append(rows, unproposedRow{spend, v.Name, walletPath(v.Alias, "transactions", spend.Txid)})
			}
		}
	}
	return rows, nil
}
