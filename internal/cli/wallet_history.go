package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/historyexport"
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
		RunE: p.withWallet(user, false, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, _ []string) error {
			if !list {
				return p.revealAddress(cmd, d, access, label)
			}
			filter := wallet.AddressFilter{}
			revealed := true
			switch {
			case used && unused:
				return errUsage("--used and --unused exclude each other")
			case used || unused:
				filter.Used = &used
			}
			filter.Revealed = &revealed
			var err error
			if filter.Branch, err = parseBranch(branch); err != nil {
				return err
			}
			if cmd.Flags().Changed("label") {
				filter.Label = &label
			}
			return p.listAddresses(cmd, d, access, filter)
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

func (p *program) revealAddress(cmd *cobra.Command, d *walletCommands, access wallet.Access, label string) error {
	_ = d.node.CheckOnce(cmd.Context()) // the node is called, and its state matters, only if the range must be extended
	a, err := d.service.NextAddress(cmd.Context(), access, label)
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return p.printJSON(v1.ShowNewAddress(a))
	}
	if warning := a.Warning(); warning != "" {
		fmt.Fprintf(p.stderr, "Warning: %s.\n", warning)
	}
	fmt.Fprintln(p.stdout, a.Address)
	return nil
}

// parseBranch returns the branch with this name, or nil for an empty name.
func parseBranch(name string) (*wallet.Branch, error) {
	branches := map[string]wallet.Branch{"receive": wallet.ReceiveBranch, "change": wallet.ChangeBranch}
	branch, known := branches[name]
	switch {
	case name == "":
		return nil, nil
	case !known:
		return nil, errUsage("--branch must be receive or change")
	}
	return &branch, nil
}

// rowsAtATime is how many rows of a list are read at once.
const rowsAtATime = 1000

func (p *program) listAddresses(cmd *cobra.Command, d *walletCommands, access wallet.Access, filter wallet.AddressFilter) error {
	v, err := d.service.View(cmd.Context(), access, auth.RoleViewer)
	if err != nil {
		return err
	}
	var all []wallet.Address
	for after := (*wallet.Place)(nil); ; {
		part, err := d.service.Addresses(cmd.Context(), access, filter, after, rowsAtATime)
		if err != nil {
			return err
		}
		if all = append(all, part...); len(part) < rowsAtATime {
			break
		}
		after = &part[len(part)-1].Place
	}
	return printRowsAsOf(
		p, cmd, v.Synced, all, v1.ShowAddress,
		col("ADDRESS", func(a wallet.Address) string { return a.Address }),
		col("PATH", func(a wallet.Address) string { return fmt.Sprintf("%d/%d", a.Branch, a.Index) }),
		col("USED", func(a wallet.Address) string { return yesOrNo(a.Used) }),
		col("LABEL", func(a wallet.Address) string { return a.Label }),
	)
}

func yesOrNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func (p *program) walletUTXOsCommand(user *string) *cobra.Command {
	var filter wallet.UTXOFilter
	var label string
	var frozen bool
	cmd := &cobra.Command{
		Use: "utxos ALIAS", Short: "List the UTXOs of a wallet", Args: cobra.ExactArgs(1),
		RunE: p.withWallet(user, false, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, _ []string) error {
			if cmd.Flags().Changed("label") {
				filter.Label = &label
			}
			if cmd.Flags().Changed("frozen") {
				filter.Frozen = &frozen
			}
			return p.listUTXOs(cmd, d, access, filter)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&label, "label", "", "only UTXOs with this label on the output or its address; empty: only without a label")
	f.StringVar(&filter.Address, "address", "", "only UTXOs of this address")
	f.BoolVar(&frozen, "frozen", false, "only frozen UTXOs; with =false only the others")
	return addJSON(cmd)
}

func (p *program) listUTXOs(cmd *cobra.Command, d *walletCommands, access wallet.Access, filter wallet.UTXOFilter) error {
	v, err := d.service.View(cmd.Context(), access, auth.RoleViewer)
	if err != nil {
		return err
	}
	var all []wallet.UTXO
	for after := (btc.Outpoint{}); ; {
		part, err := d.service.FilteredUTXOs(cmd.Context(), access, filter, after, rowsAtATime)
		if err != nil {
			return err
		}
		if all = append(all, part...); len(part) < rowsAtATime {
			break
		}
		after = part[len(part)-1].Outpoint
	}
	return printRowsAsOf(
		p, cmd, v.Synced, all, v1.ShowUTXO,
		col("OUTPOINT", func(c wallet.UTXO) string { return c.String() }),
		amountCol("BTC", func(c wallet.UTXO) btc.Amount { return c.Amount }),
		column[wallet.UTXO]{"CONF", func(c wallet.UTXO) string { return strconv.Itoa(c.Confirmations) }, true},
		col("STATUS", utxoStatus),
		col("ADDRESS", func(c wallet.UTXO) string { return c.Address }),
		col("LABEL", func(c wallet.UTXO) string { return c.Label }),
	)
}

// utxoStatus says whether a UTXO can be spent, and why not.
func utxoStatus(c wallet.UTXO) string {
	switch {
	case c.Frozen:
		return "frozen"
	case c.Reserved:
		return "reserved"
	case c.Locked:
		return "locked"
	case c.Immature:
		return "immature"
	case !c.Trusted:
		return "pending"
	}
	return "available"
}

func (p *program) walletTransactionsCommand(user *string) *cobra.Command {
	var filter wallet.Filter
	var since, until, zone, category, least, most string
	var asCSV bool
	limit := 100
	cmd := &cobra.Command{
		Use: "transactions [ALIAS]", Short: "List transactions of one wallet or of all, latest first", Args: cobra.MaximumNArgs(1),
		Example: `  specterd wallet transactions savings --since 2026-01-01 --until 2026-12-31 --tz Europe/Berlin --csv > 2026.csv
  specterd wallet transactions savings --ledger --since 2026-01-01`,
		RunE: p.withWallets(user, false, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			if limit < 1 {
				return errUsage("--limit must be 1 or more")
			}
			if err := checkLedger(cmd); err != nil {
				return err
			}
			filter.Category, filter.Outputs = wallet.Category(category), true
			var err error
			filter.Since, filter.Until, err = v1.ParsePeriod(since, until, zone)
			if err = errors.Join(filter.Category.Check("category"), err, setAmounts(&filter, least, most)); err != nil {
				return err
			}
			set := wallet.All(d.who)
			if len(args) > 0 {
				access, err := d.access(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				set = wallet.One(access)
			}
			switch {
			case isSet(cmd, ledgerFlag):
				return p.printLedger(cmd, d, set, filter, zone, asCSV)
			case asCSV:
				return p.writeCSV(cmd, d, set, filter)
			}
			return p.listTransactions(cmd, d, set, filter, limit)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "only at or after this date, or time such as 2026-01-31T12:00:00Z")
	f.StringVar(&until, "until", "", "only up to the end of this date, or before this time")
	f.StringVar(&zone, "tz", "UTC", "time zone of the dates, such as Europe/Berlin")
	f.StringVar(&category, "category", "", "only generate, receive, send, selftransfer or mixed")
	f.StringVar(&least, "min-amount", "", "only with at least this amount in or out, such as 0.01BTC or 50000sat")
	f.StringVar(&most, "max-amount", "", "only with at most this amount in or out, such as 0.01BTC or 50000sat")
	f.StringVar(&filter.Label, "label", "", "only with this label on the transaction, an output or its address")
	f.StringVar(&filter.Address, "address", "", "only with an output to this address")
	f.BoolVar(&filter.Unconfirmed, "unconfirmed", false, "only unconfirmed transactions")
	f.BoolVar(&filter.Dead, "dead", false, "also replaced, conflicted and abandoned transactions")
	f.BoolVar(&filter.Ascending, "ascending", false, "list the earliest first")
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

func (p *program) writeCSV(cmd *cobra.Command, d *walletCommands, set wallet.Set, filter wallet.Filter) error {
	_, records, err := d.service.EachTransaction(cmd.Context(), set, filter)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(p.exported())
	return errors.Join(historyexport.WriteCSV(w, false, records), w.Flush())
}

func (p *program) listTransactions(cmd *cobra.Command, d *walletCommands, set wallet.Set, filter wallet.Filter, limit int) error {
	records, tip, err := d.service.Transactions(cmd.Context(), set, filter, wallet.HistoryCursor{}, limit+1)
	if err != nil {
		return err
	}
	if len(records) > limit {
		records = records[:limit]
		defer fmt.Fprintf(p.stderr, "There are more than %s; --limit sets how many are listed.\n", text.Count(limit, "transaction"))
	}
	return printRowsAsOf(
		p, cmd, tip, records, v1.ShowTransaction,
		col("TIME", func(r wallet.Record) string { return r.Time.UTC().Format(timeLayout) }),
		col("WALLET", func(r wallet.Record) string { return r.Alias }),
		amountCol("BTC", func(r wallet.Record) btc.Amount { return r.Flow }),
		col("STATUS", func(r wallet.Record) string { return string(r.Status) }),
		col("TXID", func(r wallet.Record) string { return r.Txid }),
		col("CATEGORY", func(r wallet.Record) string { return string(r.Category) }),
		col("LABEL", labelOf),
	)
}

// labelOf returns the label of a transaction, or of the address that represents it.
func labelOf(r wallet.Record) string {
	if r.Label != "" {
		return r.Label
	}
	return r.AddressLabel
}
