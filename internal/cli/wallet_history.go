package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

func (p *program) walletAddressCommand(user *string) *cobra.Command {
	var label, branch string
	var list, used, unused bool
	cmd := &cobra.Command{
		Use: "address ALIAS", Short: "Reveal the next unused receive address, or list addresses", Args: cobra.ExactArgs(1),
		Long: `Reveal the next unused receive address, or list addresses.

The address is the only output to standard output. No other command or request gets the
same address.`,
		Example: "  specterd wallet address savings --label 'invoice 17'\n  specterd wallet address savings --list --used",
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			if !list {
				return p.revealAddress(cmd, c, args[0], label)
			}
			params := client.ListAddressesParams{Limit: pageSize, Revealed: new(true), Branch: branch}
			switch {
			case used && unused:
				return errUsage("--used and --unused exclude each other")
			case used || unused:
				params.Used = &used
			}
			if !slices.Contains([]string{"", "receive", "change"}, branch) {
				return errUsage("--branch must be receive or change")
			}
			if cmd.Flags().Changed("label") {
				params.Label = &label
			}
			return p.listAddresses(cmd, c, args[0], params)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&label, "label", "", "label of the new address; with --list: only addresses with this label")
	f.BoolVar(&list, "list", false, "list the revealed addresses and reveal none")
	f.StringVar(&branch, "branch", "", "with --list: only receive or change addresses")
	f.BoolVar(&used, "used", false, "with --list: only addresses that were paid to")
	f.BoolVar(&unused, "unused", false, "with --list: only addresses that were not paid to")
	return addJSON(cmd)
}

func (p *program) revealAddress(cmd *cobra.Command, c *connection, alias, label string) error {
	if c.local != nil {
		_ = c.local.node.CheckOnce(cmd.Context()) // the node is called, and its state matters, only if the range must be extended
	}
	a, err := c.CreateAddress(cmd.Context(), alias, api.CreateAddressRequest{Label: label})
	if err != nil {
		return c.unknownWallet(cmd.Context(), alias, err)
	}
	if wantsJSON(cmd) {
		return p.printJSON(a)
	}
	if a.Warning != nil {
		fmt.Fprintf(p.stderr, "Warning: %s.\n", *a.Warning)
	}
	fmt.Fprintln(p.stdout, a.Address)
	return nil
}

func (p *program) listAddresses(cmd *cobra.Command, c *connection, alias string, params client.ListAddressesParams) error {
	all, asOf, err := collectAsOf(0, func(cursor string) (*api.ListAsOf[api.Address], error) {
		params.Cursor = cursor
		return c.ListAddressesPage(cmd.Context(), alias, &params)
	})
	if err != nil {
		return c.unknownWallet(cmd.Context(), alias, err)
	}
	branches := map[string]int{"receive": 0, "change": 1}
	return printRowsAsOf(
		p, cmd, asOf, all,
		col("ADDRESS", func(a api.Address) string { return a.Address }),
		col("PATH", func(a api.Address) string { return fmt.Sprintf("%d/%d", branches[a.Branch], a.Index) }),
		col("USED", func(a api.Address) string { return yesOrNo(a.Used) }),
		col("LABEL", func(a api.Address) string { return a.Label }),
	)
}

func yesOrNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func (p *program) walletUTXOsCommand(user *string) *cobra.Command {
	params := client.ListUTXOsParams{Limit: pageSize}
	var label string
	var frozen bool
	cmd := &cobra.Command{
		Use: "utxos ALIAS", Short: "List the UTXOs of a wallet", Args: cobra.ExactArgs(1),
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			if cmd.Flags().Changed("label") {
				params.Label = &label
			}
			if cmd.Flags().Changed("frozen") {
				params.Frozen = &frozen
			}
			return p.listUTXOs(cmd, c, args[0], params)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&label, "label", "", "only UTXOs with this label on the output or its address; empty: only without a label")
	f.StringVar(&params.Address, "address", "", "only UTXOs of this address")
	f.BoolVar(&frozen, "frozen", false, "only frozen UTXOs; with =false only the others")
	return addJSON(cmd)
}

// utxos returns the UTXOs of a wallet, and the block to which the list is current.
func (c *connection) utxos(ctx context.Context, alias string, params client.ListUTXOsParams) ([]api.UTXO, *api.AsOf, error) {
	return collectAsOf(0, func(cursor string) (*api.ListAsOf[api.UTXO], error) {
		params.Cursor = cursor
		return c.ListUTXOsPage(ctx, alias, &params)
	})
}

func (p *program) listUTXOs(cmd *cobra.Command, c *connection, alias string, params client.ListUTXOsParams) error {
	all, asOf, err := c.utxos(cmd.Context(), alias, params)
	if err != nil {
		return c.unknownWallet(cmd.Context(), alias, err)
	}
	return printRowsAsOf(
		p, cmd, asOf, all,
		col("OUTPOINT", func(u api.UTXO) string { return fmt.Sprintf("%s:%d", u.Txid, u.Vout) }),
		amountCol("BTC", func(u api.UTXO) btc.Amount { return btc.Amount(u.Amount) }),
		column[api.UTXO]{"CONF", func(u api.UTXO) string { return strconv.Itoa(u.Confirmations) }, true},
		col("STATUS", utxoStatus),
		col("ADDRESS", func(u api.UTXO) string { return u.Address }),
		col("LABEL", func(u api.UTXO) string { return u.Label }),
	)
}

// utxoStatus says whether a UTXO can be spent, and why not.
func utxoStatus(u api.UTXO) string {
	switch {
	case u.Frozen:
		return "frozen"
	case u.Reserved:
		return "reserved"
	case u.Locked:
		return "locked"
	case u.Immature:
		return "immature"
	case !u.Trusted:
		return "pending"
	}
	return "available"
}

func (p *program) walletTransactionsCommand(user *string) *cobra.Command {
	var filter wallet.Filter
	var params client.ListTransactionsParams
	var since, until, zone, least, most string
	var asCSV, ascending bool
	limit := 100
	cmd := &cobra.Command{
		Use: "transactions [ALIAS]", Short: "List transactions of one wallet or of all, latest first", Args: cobra.MaximumNArgs(1),
		Example: `  specterd wallet transactions savings --since 2026-01-01 --until 2026-12-31 --tz Europe/Berlin --csv > 2026.csv
  specterd wallet transactions savings --ledger --since 2026-01-01`,
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			if limit < 1 {
				return errUsage("--limit must be 1 or more")
			}
			if err := checkLedger(cmd); err != nil {
				return err
			}
			var err error
			filter.Since, filter.Until, err = v1.ParsePeriod(since, until, zone)
			if err = errors.Join(wallet.Category(params.Category).Check("category"), err, setAmounts(&filter, least, most)); err != nil {
				return err
			}
			params.Since, params.Until, params.TZ = since, until, zone
			params.MinAmountSat, params.MaxAmountSat = int64(filter.MinAmount), int64(filter.MaxAmount)
			if ascending {
				params.Order = "asc"
			}
			h := history{c, strings.Join(args, ""), params}
			switch isLedger := isSet(cmd, ledgerFlag); {
			case asCSV:
				err = p.writeCSV(cmd, h, isLedger)
			case isLedger:
				err = p.printLedger(cmd, h, filter)
			default:
				err = p.listTransactions(cmd, h, limit)
			}
			return c.unknownWallet(cmd.Context(), h.alias, err)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "only at or after this date, or time such as 2026-01-31T12:00:00Z")
	f.StringVar(&until, "until", "", "only up to the end of this date, or before this time")
	f.StringVar(&zone, "tz", "UTC", "time zone of the dates, such as Europe/Berlin")
	f.StringVar(&params.Category, "category", "", "only generate, receive, send, selftransfer or mixed")
	f.StringVar(&least, "min-amount", "", "only with at least this amount in or out, such as 0.01BTC or 50000sat")
	f.StringVar(&most, "max-amount", "", "only with at most this amount in or out, such as 0.01BTC or 50000sat")
	f.StringVar(&params.Label, "label", "", "only with this label on the transaction, an output or its address")
	f.StringVar(&params.Address, "address", "", "only with an output to this address")
	f.BoolVar(&params.Unconfirmed, "unconfirmed", false, "only unconfirmed transactions")
	f.BoolVar(&params.Dead, "dead", false, "also replaced, conflicted and abandoned transactions")
	f.BoolVar(&ascending, "ascending", false, "list the earliest first")
	f.IntVar(&limit, "limit", limit, "maximum number of transactions in a table or in JSON, 1 or more")
	f.BoolVar(&asCSV, "csv", false, "print all as CSV, with the columns of the API; with --ledger, those of the ledger")
	f.Bool(ledgerFlag, false, "list each payment with the running balance, the earliest first, without a limit")
	addJSON(cmd).MarkFlagsMutuallyExclusive("csv", jsonFlag)
	cmd.MarkFlagsMutuallyExclusive("csv", "limit")
	return cmd
}

// setAmounts sets the range of amounts of a filter. An empty text sets none.
func setAmounts(f *wallet.Filter, least, most string) error {
	err := fault.JoinErrors(setAmount(&f.MinAmount, "min_amount", least), setAmount(&f.MaxAmount, "max_amount", most))
	if err != nil {
		return err
	}
	return f.CheckAmounts("min_amount", "max_amount")
}

func setAmount(to *btc.Amount, field, text string) error {
	if text == "" {
		return nil
	}
	n, err := proposal.ParseAmount(text)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return fault.InvalidField(field, "%s", f.Message)
	}
	*to = n
	return err
}

// history is a request for the transactions of a wallet, or of all wallets if the alias is empty.
type history struct {
	*connection

	alias  string
	params client.ListTransactionsParams
}

// page returns a page of the transactions.
func (h history) page(ctx context.Context) (*api.ListAsOf[api.Transaction], error) {
	if h.alias == "" {
		return h.ListAllTransactionsPage(ctx, &h.params)
	}
	return h.ListTransactionsPage(ctx, h.alias, &h.params)
}

// export writes all transactions to w.
func (h history) export(ctx context.Context, w io.Writer, mediaType string) error {
	if h.alias == "" {
		return h.ExportAllTransactions(ctx, w, mediaType, &h.params)
	}
	return h.ExportTransactions(ctx, w, h.alias, mediaType, &h.params)
}

func (p *program) writeCSV(cmd *cobra.Command, h history, isLedger bool) error {
	if isLedger {
		h.params.View = "ledger"
	}
	w := bufio.NewWriter(p.exported())
	return errors.Join(h.export(cmd.Context(), w, client.CSV), w.Flush())
}

func (p *program) listTransactions(cmd *cobra.Command, h history, limit int) error {
	h.params.Limit = min(limit+1, pageSize)
	all, asOf, err := collectAsOf(limit+1, func(cursor string) (*api.ListAsOf[api.Transaction], error) {
		h.params.Cursor = cursor
		return h.page(cmd.Context())
	})
	if err != nil {
		return err
	}
	if len(all) > limit {
		all = all[:limit]
		defer fmt.Fprintf(p.stderr, "There are more than %s; --limit sets how many are listed.\n", text.Count(limit, "transaction"))
	}
	return printRowsAsOf(
		p, cmd, asOf, all,
		col("TIME", func(t api.Transaction) string { return t.Time.UTC().Format(timeLayout) }),
		col("WALLET", func(t api.Transaction) string { return t.Wallet }),
		amountCol("BTC", func(t api.Transaction) btc.Amount { return btc.Amount(t.Flow) }),
		col("STATUS", func(t api.Transaction) string { return t.Status }),
		col("TXID", func(t api.Transaction) string { return t.Txid }),
		col("CATEGORY", func(t api.Transaction) string { return t.Category }),
		col("LABEL", labelOf),
	)
}

// labelOf returns the label of a transaction, or of the address that represents it.
func labelOf(t api.Transaction) string { return cmp.Or(t.Label, t.AddressLabel) }
