package cli

import (
	"time"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
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
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			w, err := c.GetWallet(cmd.Context(), args[0], nil)
			if err != nil {
				return c.unknownWallet(cmd.Context(), args[0], err)
			}
			if wantsJSON(cmd) {
				return p.printJSON(shownBalances{w.Alias, w.Balances, w.AsOf})
			}
			out, row := p.properties()
			b := w.Balances
			for _, one := range []struct {
				name   string
				amount int64
			}{
				{"available", b.Available},
				{"trusted", b.Trusted},
				{"reserved", b.Reserved},
				{"frozen", b.Frozen},
				{"pending", b.UntrustedPending},
				{"immature", b.Immature},
				{"confirmed", b.Confirmed},
			} {
				row(one.name, "%s BTC", bitcoins(btc.Amount(one.amount)))
			}
			row("as of", "%s", asOfText(w.AsOf))
			return out.Flush()
		}),
	})
}

// shownBalances is the output of wallet balance --json.
type shownBalances struct {
	Wallet string `json:"wallet"`
	api.Balances
	AsOf *api.AsOf `json:"as_of"`
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

// printLedger prints a ledger, the earliest entry first. In the API, it is available as CSV only.
func (p *program) printLedger(cmd *cobra.Command, h history, filter wallet.Filter) error {
	if h.local == nil {
		return errUsage("with a server (--server, SPECTER_SERVER), --ledger requires --csv, because the API returns ledgers as CSV only")
	}
	location, err := time.LoadLocation(h.params.TZ)
	if err != nil {
		return err
	}
	set := wallet.All(h.local.who)
	if h.alias != "" {
		access, err := h.local.access(cmd.Context(), h.alias)
		if err != nil {
			return err
		}
		set = wallet.One(access)
	}
	tip, entries, err := h.local.service.Ledger(cmd.Context(), set, wallet.LedgerParams{Since: filter.Since, Until: filter.Until})
	if err != nil {
		return err
	}
	var rows []wallet.Entry
	for e, err := range entries {
		if err != nil {
			return err
		}
		rows = append(rows, e)
	}
	asOf := func(items []any) any { return v1.ShowListAsOf(items, tip) }
	return printList(
		p, cmd, rows, asOf, v1.ShowLedgerEntry,
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
