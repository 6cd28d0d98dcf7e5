package cli

import (
	"bufio"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/historyexport"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/wallet"
)

const ledgerFlag = "ledger"

func (p *program) walletBalanceCommand(user *string) *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "balance ALIAS", Short: "Show the balance of a wallet and what payments can spend", Args: cobra.ExactArgs(1),
		Long: `Show the balance of a wallet, in BTC, and what payments can spend.

  available  what payments can spend: trusted without reserved and frozen UTXOs
  trusted    confirmed UTXOs, and unconfirmed change
  reserved   the part of trusted that open proposals reserve
  frozen     the part of trusted that members have frozen
  pending    unconfirmed payments from others
  immature   mining rewards with fewer than 101 confirmations
  confirmed  UTXOs with at least one confirmation`,
		RunE: p.withWallet(user, false, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, _ []string) error {
			v, err := d.service.Get(cmd.Context(), access)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowBalances(v))
			}
			w, row := p.properties()
			b := v.Balances
			for _, one := range []struct {
				name   string
				amount btc.Amount
			}{
				{"available", b.Available()},
				{"trusted", b.Trusted},
				{"reserved", b.Reserved},
				{"frozen", b.Frozen},
				{"pending", b.UntrustedPending},
				{"immature", b.Immature},
				{"confirmed", b.Confirmed},
			} {
				row(one.name, "%s BTC", bitcoins(one.amount))
			}
			row("as of", "%s", asOf(v))
			return w.Flush()
		}),
	})
}

// withoutLedger are the flags of wallet transactions that a ledger, which has all transactions
// of a period, must not have.
var withoutLedger = []string{"category", "min-amount", "max-amount", "label", "address", "unconfirmed", "dead", "limit"}

// checkLedger refuses flags that a ledger must not have.
func checkLedger(cmd *cobra.Command) error {
	for _, name := range withoutLedger {
		if isSet(cmd, ledgerFlag) && cmd.Flags().Changed(name) {
			return errUsage("--%s must not be used with --ledger, which has all transactions of a period", name)
		}
	}
	return nil
}

// printLedger prints the ledger of a set of wallets, the earliest entry first.
func (p *program) printLedger(cmd *cobra.Command, d *walletCommands, set wallet.Set, filter wallet.Filter, zone string, asCSV bool) error {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return err
	}
	tip, entries, err := d.service.Ledger(cmd.Context(), set, wallet.LedgerParams{Since: filter.Since, Until: filter.Until})
	if err != nil {
		return err
	}
	if asCSV {
		w := bufio.NewWriter(p.exported())
		return errors.Join(historyexport.WriteLedger(w, false, location, entries), w.Flush())
	}
	var rows []wallet.Entry
	for e, err := range entries {
		if err != nil {
			return err
		}
		rows = append(rows, e)
	}
	return printRowsAsOf(
		p, cmd, tip, rows, v1.ShowLedgerEntry,
		col("TIME", func(e wallet.Entry) string { return e.Time.In(location).Format("2006-01-02 15:04 MST") }),
		col("WALLET", func(e wallet.Entry) string { return e.Alias }),
		col("KIND", func(e wallet.Entry) string { return string(e.Kind) }),
		amountCol("BTC", func(e wallet.Entry) btc.Amount { return e.Amount }),
		column[wallet.Entry]{"FEE", feeOfEntry, true},
		amountCol("BALANCE", func(e wallet.Entry) btc.Amount { return e.Balance }),
		col("STATUS", func(e wallet.Entry) string { return string(e.Status) }),
		col("TXID", func(e wallet.Entry) string { return e.Txid }),
		col("LABEL", func(e wallet.Entry) string { return e.Label }),
	)
}

func feeOfEntry(e wallet.Entry) string {
	if e.Fee == nil {
		return ""
	}
	return bitcoins(*e.Fee)
}
