package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

func (p *program) policyCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "policy", Short: "Show, set and try spending policies",
		Long: `Show, set and try spending policies.

A policy states which payments may be proposed, released for signing and broadcast, and
whose approval they need. It applies to a wallet, to a member of it (--member), or to the
server (--server). It cannot prevent that holders of keys sign a transaction that was
created elsewhere.`,
	}
	addWalletFlags(cmd, &user)
	cmd.AddCommand(
		p.policyShowCommand(&user), p.policySetCommand(&user), p.policyDeleteCommand(&user), p.policySimulateCommand(&user), p.policyUsageCommand(&user),
		p.policyChangesCommand(&user), p.policyApproveCommand(&user), p.policyCancelCommand(&user),
	)
	return cmd
}

// policyTarget contains the flags that select a policy or a list of recipients.
type policyTarget struct {
	member, list string
	server       bool
}

// policyCommands are the services and the access for a command about a policy. The access is
// the zero value for the server.
type policyCommands struct {
	*walletCommands
	*spending.Service

	access wallet.Access
}

const serverFlag = "server"

// addServerFlag adds the flag that selects the policy of the server, in place of the argument
// ALIAS.
func addServerFlag(cmd *cobra.Command, t *policyTarget) *cobra.Command {
	cmd.Flags().BoolVar(&t.server, serverFlag, false, "the policy of the server, without ALIAS")
	return cmd
}

// addTargetFlags adds the flags that select a policy or a list.
func addTargetFlags(cmd *cobra.Command, t *policyTarget) *cobra.Command {
	addServerFlag(cmd, t)
	cmd.Flags().StringVar(&t.member, "member", "", "name of a member, for the policy of this member in the wallet")
	cmd.Flags().StringVar(&t.list, "list", "", "name of a list of recipients of the wallet, instead of a policy")
	cmd.MarkFlagsMutuallyExclusive(serverFlag, "member", "list")
	return cmd
}

// addMatchFlag adds the flag with the version that a change expects; the function returns nil
// without the flag.
func addMatchFlag(cmd *cobra.Command) func() spending.Versions {
	version := cmd.Flags().String("if-match", "", "refuse the change unless this is the current version, which \"specterd policy show --json\" prints; an empty text if there must be none")
	return func() spending.Versions {
		if !cmd.Flags().Changed("if-match") {
			return nil
		}
		return spending.Versions{*version}
	}
}

// withPolicies returns a command that acts on policies. Its first argument is the alias of the
// wallet, unless the target is the server; do gets the other n arguments.
func (p *program) withPolicies(user *string, t *policyTarget, n int, atNode bool, do func(cmd *cobra.Command, d *policyCommands, args []string) error) func(*cobra.Command, []string) error {
	run := p.withWallets(user, atNode, func(cmd *cobra.Command, d *walletCommands, args []string) error {
		c := policyCommands{walletCommands: d, Service: d.Spending(d.node, d.service, d.proposals)}
		if t.server {
			return do(cmd, &c, args)
		}
		var err error
		if c.access, err = d.access(cmd.Context(), args[0]); err != nil {
			return err
		}
		return do(cmd, &c, args[1:])
	})
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case t.server && len(args) != n:
			return errUsage("with --server, ALIAS must be omitted; see %s --help", cmd.CommandPath())
		case !t.server && len(args) != n+1:
			return errUsage("ALIAS is required, or --server; see %s --help", cmd.CommandPath())
		}
		return run(cmd, args)
	}
}

func (p *program) policyShowCommand(user *string) *cobra.Command {
	var t policyTarget
	var format string
	cmd := &cobra.Command{
		Use: "show [ALIAS]", Short: "Show a policy as sentences, or a list of recipients", Args: cobra.MaximumNArgs(1),
		Long: `Show a policy as sentences, or a list of recipients.

With --document, the document is printed that "specterd policy set" reads.`,
		Example: "  specterd policy show vault\n  specterd policy show vault --document > vault-policy.json",
	}
	document := cmd.Flags().Bool("document", false, "print the document instead")
	cmd.Flags().StringVar(&format, "format", "", "coldcard-hsm: print the policy for the HSM mode of a Coldcard instead")
	cmd.RunE = p.withPolicies(user, &t, 0, false, func(cmd *cobra.Command, d *policyCommands, _ []string) error {
		switch {
		case format != "":
			return p.printColdcardPolicy(cmd.Context(), d, format)
		case t.list != "":
			return p.printPolicyList(cmd, d, t.list, *document)
		}
		found, err := d.policyOf(cmd.Context(), t)
		if err != nil {
			return err
		}
		switch {
		case *document:
			fmt.Fprintf(p.stdout, "%s\n", found.JSON())
			return nil
		case wantsJSON(cmd):
			return p.printJSON(v1.ShowPolicy(found))
		}
		for _, s := range found.Sentences() {
			fmt.Fprintln(p.stdout, s)
		}
		p.printPolicyWarnings(found.Warnings())
		fmt.Fprintf(p.stdout, "\nSet by %s at %s.\n", found.SetBy, found.SetAt.UTC().Format(timeLayout))
		if found.Pending != nil {
			fmt.Fprintf(p.stdout, "A change is pending: \"specterd policy changes %s\" shows it.\n", argumentOf(d, t))
		}
		return nil
	})
	return addJSON(addTargetFlags(cmd, &t))
}

// argumentOf returns the argument or the flag that selects a wallet or the server.
func argumentOf(d *policyCommands, t policyTarget) string {
	if t.server {
		return "--" + serverFlag
	}
	return d.access.Alias()
}

// policyOf returns the policy of a target.
func (d *policyCommands) policyOf(ctx context.Context, t policyTarget) (spending.Policy, error) {
	switch {
	case t.server:
		return d.GetServer(ctx, d.who)
	case t.member != "":
		return d.GetMember(ctx, d.access, t.member)
	}
	return d.Get(ctx, d.access)
}

func (p *program) printColdcardPolicy(ctx context.Context, d *policyCommands, format string) error {
	if format != "coldcard-hsm" || d.access == (wallet.Access{}) {
		return errUsage("--format: must be coldcard-hsm, for the policy of a wallet")
	}
	text, gaps, err := d.ColdcardHSM(ctx, d.access)
	if err != nil {
		return err
	}
	for _, g := range gaps {
		fmt.Fprintf(p.stderr, "Not enforced by the device: %s: %s\n", fieldText(g.Rule, g.Field), g.Message)
	}
	fmt.Fprintf(p.stdout, "%s\n", text)
	return nil
}

func (p *program) printPolicyList(cmd *cobra.Command, d *policyCommands, name string, document bool) error {
	l, err := d.GetList(cmd.Context(), d.access, name)
	if err != nil {
		return err
	}
	if document {
		fmt.Fprintf(p.stdout, "%s\n", l.JSON())
		return nil
	}
	if wantsJSON(cmd) {
		return p.printJSON(v1.ShowPolicyList(l))
	}
	return printRows(
		p, cmd, l.Entries, func(policy.Target) any { return nil },
		col("RECIPIENT", func(t policy.Target) string { return recipientText(t, l.WalletName) }),
		col("LABEL", func(t policy.Target) string { return t.Label }),
	)
}

// recipientText returns a set of addresses in words.
func recipientText(t policy.Target, walletName func(id string) string) string {
	switch {
	case t.WalletID != "":
		return "wallet " + walletName(t.WalletID)
	case t.Descriptor != "":
		return fmt.Sprintf("the first %d addresses of %s", t.UpTo, t.Descriptor)
	}
	return t.Address
}

// maxPolicyFile is the maximum size of a document in bytes; package policy has a lower limit.
const maxPolicyFile = 1 << 20

func (p *program) policySetCommand(user *string) *cobra.Command {
	var t policyTarget
	var expected func() spending.Versions
	cmd := &cobra.Command{
		Use: "set [ALIAS] FILE", Short: "Set a policy, or a list of recipients", Args: cobra.RangeArgs(1, 2),
		Long: `Set a policy, or a list of recipients.

FILE contains the document in JSON; - reads standard input. --user must be an owner of the
wallet. A change that only tightens takes effect at once. A change that loosens the policy
waits for the approvals and the delay that the present policy requires for changes. The node
must be running: addresses are valid for its network only.`,
		Example: `  specterd policy set vault vault-policy.json
  specterd policy set vault suppliers.json --list suppliers
  specterd policy set --server server-policy.json`,
		RunE: p.withPolicies(user, &t, 1, true, func(cmd *cobra.Command, d *policyCommands, args []string) error {
			document, err := p.readLimited(args[0], maxPolicyFile)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			var r spending.Result
			switch {
			case t.server:
				r, err = d.PutServer(ctx, d.who, document, expected())
			case t.member != "":
				r, err = d.PutMember(ctx, d.access, t.member, document, expected())
			case t.list != "":
				r, err = d.PutList(ctx, d.access, t.list, document, expected())
			default:
				r, err = d.Put(ctx, d.access, document, expected())
			}
			return p.printPolicyResult(cmd, d, t, r, err)
		}),
	}
	expected = addMatchFlag(cmd)
	return addJSON(addTargetFlags(cmd, &t))
}

func (p *program) policyDeleteCommand(user *string) *cobra.Command {
	var t policyTarget
	var expected func() spending.Versions
	cmd := &cobra.Command{
		Use: "delete [ALIAS]", Short: "Delete a policy, so that it permits all payments, or a list of recipients", Args: cobra.MaximumNArgs(1),
		RunE: p.withPolicies(user, &t, 0, false, func(cmd *cobra.Command, d *policyCommands, _ []string) error {
			if err := p.confirm(cmd, "Delete %s?", t.text(d)); err != nil {
				return err
			}
			ctx := cmd.Context()
			var r spending.Result
			var err error
			switch {
			case t.server:
				r, err = d.DeleteServer(ctx, d.who, expected())
			case t.member != "":
				r, err = d.DeleteMember(ctx, d.access, t.member, expected())
			case t.list != "":
				r, err = d.DeleteList(ctx, d.access, t.list, expected())
			default:
				r, err = d.Delete(ctx, d.access, expected())
			}
			return p.printPolicyResult(cmd, d, t, r, err)
		}),
	}
	expected = addMatchFlag(cmd)
	return addJSON(addYes(addTargetFlags(cmd, &t)))
}

// text returns the target in words.
func (t policyTarget) text(d *policyCommands) string {
	switch {
	case t.server:
		return "the policy of the server"
	case t.member != "":
		return "the policy of " + t.member + " in " + d.access.Alias()
	case t.list != "":
		return "the list " + t.list + " of " + d.access.Alias()
	}
	return "the policy of " + d.access.Alias()
}

func (p *program) policySimulateCommand(user *string) *cobra.Command {
	var c creation
	var t policyTarget
	cmd := &cobra.Command{
		Use: "simulate ALIAS --to ADDRESS=AMOUNT", Short: "State what the policies say about a payment", Args: cobra.ExactArgs(1),
		Long: `State what the policies say about a payment, by a dry run of its creation.

Nothing is stored or reserved. The node must be running.`,
		Example: "  specterd policy simulate vault --to bc1q…=0.25BTC --fee-rate 12.5",
		RunE: p.withPolicies(user, &t, 0, true, func(cmd *cobra.Command, d *policyCommands, _ []string) error {
			params, err := c.params(d.Now())
			if err != nil {
				return err
			}
			s, err := d.Simulate(cmd.Context(), d.access, params)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowSimulation(s))
			}
			p.printSimulation(s)
			return nil
		}),
	}
	f := cmd.Flags()
	f.StringArrayVar(&c.to, "to", nil, "recipient and amount: ADDRESS=50000sat, ADDRESS=0.0005BTC, ADDRESS=max, a bitcoin: URI or data:HEX; may be repeated")
	f.StringSliceVar(&c.from, "from", nil, "the only UTXOs to spend, each as txid:vout (\"specterd wallet utxos\"), separated by commas; default Bitcoin Core selects")
	f.StringVar(&c.feeRate, "fee-rate", "", "fee rate in sat/vB, up to the maximum of the wallet and the server; default the node's estimate for --target-blocks")
	f.IntVar(&c.targetBlocks, "target-blocks", 0, "confirmation target in blocks, 1 to 1008; default 6, if there is no --fee-rate")
	c.replaceable = true
	_ = cmd.MarkFlagRequired("to")
	return addJSON(cmd)
}

// printPolicyWarnings prints what is probably unintended in policies.
func (p *program) printPolicyWarnings(all []policy.Warning) {
	for _, w := range all {
		fmt.Fprintf(p.stdout, "Warning: %s\n", w.Message)
	}
}

func (p *program) printSimulation(s spending.Simulation) {
	defer p.printPolicyWarnings(s.Warnings)
	for _, l := range s.Limits {
		where := "the policy of the " + l.Layer
		if l.Rule != "" {
			where += fmt.Sprintf(", rule %q", l.Rule)
		}
		fmt.Fprintf(p.stdout, "%s, %s: %s\n", where, l.Field, l.Message)
		if !l.FreesAt.IsZero() {
			fmt.Fprintf(p.stdout, "  permitted from %s if nothing else changes\n", l.FreesAt.UTC().Format(timeLayout))
		}
	}
	switch {
	case len(s.Limits) > 0:
		fmt.Fprintln(p.stdout, "The payment is not permitted.")
		return
	case s.Review == nil:
		fmt.Fprintln(p.stdout, "The payment is permitted; there is no policy for it.")
		return
	}
	fmt.Fprintln(p.stdout, "The payment is permitted.")
	for _, line := range reviewLines(s.Review, nil) {
		fmt.Fprintln(p.stdout, line)
	}
}

// reviewLines state what policies require of a proposal, and the decisions about it.
func reviewLines(r *proposal.Review, approvals []proposal.Approval) []string {
	if r == nil {
		return nil
	}
	var lines []string
	for i, required := range r.Required {
		line := fmt.Sprintf("%s of %s, by rule %q of the %s", text.Count(required.Count, "approval"), proposal.GroupsText(required.Groups()), required.Rule, required.Kind)
		if n := r.Missing[i]; len(approvals) > 0 && n > 0 {
			line += fmt.Sprintf("; missing: %d", n)
		}
		lines = append(lines, line)
	}
	if !r.ReleaseAt.IsZero() {
		lines = append(lines, "not released before "+r.ReleaseAt.UTC().Format(timeLayout))
	}
	for _, a := range approvals {
		verb := "approved"
		if a.Rejects {
			verb = "rejected"
		}
		lines = append(lines, fmt.Sprintf("%s by %s at %s", verb, a.By.UserName, a.At.UTC().Format(timeLayout)))
	}
	return lines
}

func (p *program) policyUsageCommand(user *string) *cobra.Command {
	var t policyTarget
	return addJSON(&cobra.Command{
		Use: "usage ALIAS", Short: "Show how much of the windows of the policies is used", Args: cobra.ExactArgs(1),
		RunE: p.withPolicies(user, &t, 0, false, func(cmd *cobra.Command, d *policyCommands, _ []string) error {
			budgets, err := d.Usage(cmd.Context(), d.access)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, budgets, v1.ShowBudget,
				col("POLICY", func(b spending.Budget) string { return string(b.Kind) }),
				col("RULE", func(b spending.Budget) string { return b.Rule }),
				col("PER", func(b spending.Budget) string { return policy.DurationText(b.Window.Per) }),
				col("BTC USED", func(b spending.Budget) string { return usedOf(b.Window.MaxSat, b.Spent.Amount, bitcoins) }),
				col("PAYMENTS", func(b spending.Budget) string { return usedOf(b.Window.MaxCount, b.Spent.Count, strconv.Itoa) }),
			)
		}),
	})
}

// usedOf returns what is used of a limit, such as "3 of 20".
func usedOf[N any](limit *N, used N, text func(N) string) string {
	if limit == nil {
		return text(used)
	}
	return text(used) + " of " + text(*limit)
}
