package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) policyCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "policy", Short: "Show, set and try spending policies",
		Long: `Show, set and try spending policies.

A policy states which payments may be proposed, released for signing and broadcast, and
whose approval they need. It applies to a wallet, to a member of it (--member), or to the
server (--server-policy). It cannot prevent that holders of keys sign a transaction that was
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

// policyConnection is a connection for a command about a policy. The alias is empty for the server.
type policyConnection struct {
	*connection

	alias string
}

// serverFlag is the flag that selects the policy of the server.
const serverFlag = "server-policy"

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

// policyVersion is the version of a policy or a list.
type policyVersion string

// ETag implements client.Versioned.
func (v policyVersion) ETag() string { return `"` + string(v) + `"` }

// addMatchFlag adds the flag with the version that a change expects; the function returns no option
// without the flag.
func addMatchFlag(cmd *cobra.Command) func() []client.CallOption {
	version := cmd.Flags().String("if-match", "", "refuse the change unless this is the current version, which \"specterd policy show --json\" prints; an empty text if there must be none")
	return func() []client.CallOption {
		if !cmd.Flags().Changed("if-match") {
			return nil
		}
		return []client.CallOption{client.IfMatch(policyVersion(*version))}
	}
}

// withPolicies returns a command that acts on policies. Its first argument is the alias of the
// wallet, unless the target is the server; do gets the other n arguments.
func (p *program) withPolicies(user *string, t *policyTarget, n int, atNode bool, do func(cmd *cobra.Command, c *policyConnection, args []string) error) func(*cobra.Command, []string) error {
	run := p.withAPI(user, atNode, func(cmd *cobra.Command, c *connection, args []string) error {
		if t.server {
			return do(cmd, &policyConnection{c, ""}, args)
		}
		return c.unknownWallet(cmd.Context(), args[0], do(cmd, &policyConnection{c, args[0]}, args[1:]))
	})
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case t.server && len(args) != n:
			return errUsage("with --%s, ALIAS must be omitted; see %s --help", serverFlag, cmd.CommandPath())
		case !t.server && len(args) != n+1:
			return errUsage("ALIAS is required, or --%s; see %s --help", serverFlag, cmd.CommandPath())
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
	cmd.RunE = p.withPolicies(user, &t, 0, false, func(cmd *cobra.Command, c *policyConnection, _ []string) error {
		switch {
		case format != "":
			return p.printColdcardPolicy(cmd.Context(), c, format)
		case t.list != "":
			return p.printPolicyList(cmd, c, t.list, *document)
		}
		found, err := c.policyOf(cmd.Context(), t)
		if err != nil {
			return err
		}
		switch {
		case *document:
			fmt.Fprintf(p.stdout, "%s\n", found.Policy)
			return nil
		case wantsJSON(cmd):
			return p.printJSON(found)
		}
		for _, s := range found.Sentences {
			fmt.Fprintln(p.stdout, s.Text)
		}
		p.printPolicyWarnings(found.Warnings)
		fmt.Fprintf(p.stdout, "\nSet by %s at %s.\n", found.SetBy, found.SetAt.UTC().Format(timeLayout))
		if found.Pending != nil {
			fmt.Fprintf(p.stdout, "A change is pending: \"specterd policy changes %s\" shows it.\n", c.argument())
		}
		return nil
	})
	return addJSON(addTargetFlags(cmd, &t))
}

// argument returns the argument or the flag that selects the wallet or the server.
func (c *policyConnection) argument() string {
	if c.alias == "" {
		return "--" + serverFlag
	}
	return c.alias
}

// policyOf returns the policy of a target.
func (c *policyConnection) policyOf(ctx context.Context, t policyTarget) (*api.PolicyDetails, error) {
	switch {
	case t.server:
		return c.GetServerPolicy(ctx)
	case t.member != "":
		return c.GetMemberPolicy(ctx, c.alias, t.member)
	}
	return c.GetPolicy(ctx, c.alias, nil)
}

func (p *program) printColdcardPolicy(ctx context.Context, c *policyConnection, format string) error {
	if format != "coldcard-hsm" || c.alias == "" {
		return errUsage("--format: must be coldcard-hsm, for the policy of a wallet")
	}
	found, err := c.GetPolicy(ctx, c.alias, &client.GetPolicyParams{Format: format})
	if err != nil {
		return err
	}
	for _, g := range found.Export.Gaps {
		fmt.Fprintf(p.stderr, "Not enforced by the device: %s: %s\n", fieldText(value(g.Rule), g.Field), g.Message)
	}
	fmt.Fprintf(p.stdout, "%s\n", found.Export.Document)
	return nil
}

// listEntry is an entry of a list of recipients, with the alias or the id of a wallet.
type listEntry struct {
	Address    string `json:"address"`
	Wallet     string `json:"wallet"`
	Descriptor string `json:"descriptor"`
	UpTo       int    `json:"up_to"`
	Label      string `json:"label"`
}

func (p *program) printPolicyList(cmd *cobra.Command, c *policyConnection, name string, document bool) error {
	l, err := c.GetPolicyList(cmd.Context(), c.alias, name)
	if err != nil {
		return err
	}
	if document {
		return p.printListDocument(l)
	}
	if wantsJSON(cmd) {
		return p.printJSON(l)
	}
	entries := make([]listEntry, len(l.Entries))
	for i, e := range l.Entries {
		if err := json.Unmarshal(e, &entries[i]); err != nil {
			return fmt.Errorf("read entry %d of the list: %w", i+1, err)
		}
	}
	return printRows(
		p, cmd, entries, itself,
		col("RECIPIENT", recipientText),
		col("LABEL", func(e listEntry) string { return e.Label }),
	)
}

// printListDocument prints the document that policy set reads.
func (p *program) printListDocument(l *api.PolicyList) error {
	text, err := json.Marshal(api.PutPolicyListRequest{Entries: l.Entries})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s\n", text)
	return nil
}

// recipientText returns a set of addresses in words.
func recipientText(e listEntry) string {
	switch {
	case e.Wallet != "":
		return "wallet " + e.Wallet
	case e.Descriptor != "":
		return fmt.Sprintf("the first %d addresses of %s", e.UpTo, e.Descriptor)
	}
	return e.Address
}

// maxPolicyFile is the maximum size of a document in bytes; package policy has a lower limit.
const maxPolicyFile = 1 << 20

func (p *program) policySetCommand(user *string) *cobra.Command {
	var t policyTarget
	var expected func() []client.CallOption
	cmd := &cobra.Command{
		Use: "set [ALIAS] FILE", Short: "Set a policy, or a list of recipients", Args: cobra.RangeArgs(1, 2),
		Long: `Set a policy, or a list of recipients.

FILE contains the document in JSON; - reads standard input. --user must be an owner of the
wallet. A change that only tightens takes effect at once. A change that loosens the policy
waits for the approvals and the delay that the present policy requires for changes. The node
must be running: addresses are valid for its network only.`,
		Example: `  specterd policy set vault vault-policy.json
  specterd policy set vault suppliers.json --list suppliers
  specterd policy set --server-policy server-policy.json`,
		RunE: p.withPolicies(user, &t, 1, true, func(cmd *cobra.Command, c *policyConnection, args []string) error {
			document, err := p.readLimited(args[0], maxPolicyFile)
			if err != nil {
				return err
			}
			r, err := c.put(cmd.Context(), t, document, expected())
			return p.printPolicyResult(cmd, c, t, r, err)
		}),
	}
	expected = addMatchFlag(cmd)
	return addJSON(addTargetFlags(cmd, &t))
}

// put sets the policy or the list of a target. The document must be a JSON object.
func (c *policyConnection) put(ctx context.Context, t policyTarget, document []byte, options []client.CallOption) (*api.PolicyResult, error) {
	if err := json.Unmarshal(document, new(any)); err != nil {
		return nil, fmt.Errorf("FILE: must contain a JSON object: %w", err)
	}
	request := api.PutPolicyRequest{Policy: document}
	switch {
	case t.server:
		return c.PutServerPolicy(ctx, request, options...)
	case t.member != "":
		return c.PutMemberPolicy(ctx, c.alias, t.member, request, options...)
	case t.list == "":
		return c.PutPolicy(ctx, c.alias, request, options...)
	}
	var list api.PutPolicyListRequest
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil || list.Entries == nil {
		return nil, errUsage("FILE: must contain a JSON object with the member entries and no other, such as {\"entries\": [{\"address\": \"bc1q…\"}]}")
	}
	return c.PutPolicyList(ctx, c.alias, t.list, list, options...)
}

func (p *program) policyDeleteCommand(user *string) *cobra.Command {
	var t policyTarget
	var expected func() []client.CallOption
	cmd := &cobra.Command{
		Use: "delete [ALIAS]", Short: "Delete a policy, so that it permits all payments, or a list of recipients", Args: cobra.MaximumNArgs(1),
		RunE: p.withPolicies(user, &t, 0, false, func(cmd *cobra.Command, c *policyConnection, _ []string) error {
			if err := p.confirm(cmd, "Delete %s?", t.text(c)); err != nil {
				return err
			}
			ctx := cmd.Context()
			var r *api.PolicyResult
			var err error
			switch {
			case t.server:
				r, err = c.DeleteServerPolicy(ctx, expected()...)
			case t.member != "":
				r, err = c.DeleteMemberPolicy(ctx, c.alias, t.member, expected()...)
			case t.list != "":
				r, err = c.DeletePolicyList(ctx, c.alias, t.list, expected()...)
			default:
				r, err = c.DeletePolicy(ctx, c.alias, expected()...)
			}
			return p.printPolicyResult(cmd, c, t, r, err)
		}),
	}
	expected = addMatchFlag(cmd)
	return addJSON(addYes(addTargetFlags(cmd, &t)))
}

// text returns the target in words.
func (t policyTarget) text(c *policyConnection) string {
	switch {
	case t.server:
		return "the policy of the server"
	case t.member != "":
		return "the policy of " + t.member + " in " + c.alias
	case t.list != "":
		return "the list " + t.list + " of " + c.alias
	}
	return "the policy of " + c.alias
}

func (p *program) policySimulateCommand(user *string) *cobra.Command {
	var c creation
	var t policyTarget
	cmd := &cobra.Command{
		Use: "simulate ALIAS --to ADDRESS=AMOUNT", Short: "State what the policies say about a payment", Args: cobra.ExactArgs(1),
		Long: `State what the policies say about a payment, by a dry run of its creation.

Nothing is stored or reserved. The node must be running.`,
		Example: "  specterd policy simulate vault --to bc1q…=0.25BTC --fee-rate 12.5",
		RunE: p.withPolicies(user, &t, 0, true, func(cmd *cobra.Command, to *policyConnection, _ []string) error {
			request, err := c.request(time.Now())
			if err != nil {
				return err
			}
			s, err := to.SimulatePolicy(cmd.Context(), to.alias, request)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(s)
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
func (p *program) printPolicyWarnings(all []api.PolicyWarning) {
	for _, w := range all {
		fmt.Fprintf(p.stdout, "Warning: %s\n", w.Message)
	}
}

func (p *program) printSimulation(s *api.Simulation) {
	defer p.printPolicyWarnings(s.Warnings)
	for _, l := range s.Limits {
		where := "the policy of the " + l.Layer
		if l.Rule != nil {
			where += fmt.Sprintf(", rule %q", *l.Rule)
		}
		fmt.Fprintf(p.stdout, "%s, %s: %s\n", where, l.Field, l.Message)
	}
	switch {
	case !s.Allowed:
		fmt.Fprintf(p.stdout, "The payment is not permitted%s.\n", whenPermitted(s.PermittedAt, "; "))
		return
	case s.Review == nil:
		fmt.Fprintln(p.stdout, "The payment is permitted; there is no policy for it.")
		return
	}
	fmt.Fprintln(p.stdout, "The payment is permitted.")
	for _, line := range reviewLines(s.Review) {
		fmt.Fprintln(p.stdout, line)
	}
}

// reviewLines state what policies require of a proposal, and the decisions about it.
func reviewLines(r *api.Review) []string {
	if r == nil {
		return nil
	}
	var lines []string
	for _, required := range r.Required {
		line := fmt.Sprintf("%s of %s, by rule %q of the %s", text.Count(required.Count, "approval"), groupsText(required.Of), required.Rule, required.Layer)
		if len(r.Approvals) > 0 && required.Missing > 0 {
			line += fmt.Sprintf("; missing: %d", required.Missing)
		}
		lines = append(lines, line)
	}
	if r.ReleaseAt != nil {
		lines = append(lines, "not released before "+r.ReleaseAt.UTC().Format(timeLayout))
	}
	for _, a := range r.Approvals {
		verb := "approved"
		if a.Decision == "reject" {
			verb = "rejected"
		}
		lines = append(lines, fmt.Sprintf("%s by %s at %s", verb, a.User, a.At.UTC().Format(timeLayout)))
	}
	return lines
}

// groupsText returns groups such as role:signer in words, such as "signers or bob".
func groupsText(of []string) string {
	names := make([]string, len(of))
	for i, group := range of {
		kind, name, _ := strings.Cut(group, ":")
		if kind == "role" {
			name += "s"
		}
		names[i] = name
	}
	return strings.Join(names, " or ")
}

func (p *program) policyUsageCommand(user *string) *cobra.Command {
	var t policyTarget
	return addJSON(&cobra.Command{
		Use: "usage ALIAS", Short: "Show how much of the windows of the policies is used and left", Args: cobra.ExactArgs(1),
		RunE: p.withPolicies(user, &t, 0, false, func(cmd *cobra.Command, c *policyConnection, _ []string) error {
			budgets, err := collect(c.GetPolicyUsage(cmd.Context(), c.alias))
			if err != nil {
				return err
			}
			inBTC := func(sats int64) string { return bitcoins(btc.Amount(sats)) }
			return printRows(
				p, cmd, budgets, itself,
				col("POLICY", func(b api.Budget) string { return b.Layer }),
				col("RULE", func(b api.Budget) string { return b.Rule }),
				col("PER", func(b api.Budget) string { return b.Per }),
				col("BTC USED", func(b api.Budget) string { return usedOf(b.MaxSat, b.SpentSat, inBTC) }),
				col("BTC LEFT", func(b api.Budget) string { return leftOf(b.MaxSat, b.SpentSat, inBTC) }),
				col("PAYMENTS USED", func(b api.Budget) string { return usedOf(b.MaxCount, b.SpentCount, strconv.Itoa) }),
				col("PAYMENTS LEFT", func(b api.Budget) string { return leftOf(b.MaxCount, b.SpentCount, strconv.Itoa) }),
			)
		}),
	})
}

// leftOf returns what is left of a limit, or nothing without one.
func leftOf[N int | int64](limit *N, used N, text func(N) string) string {
	if limit == nil {
		return ""
	}
	return text(max(0, *limit-used))
}

// usedOf returns what is used of a limit, such as "3 of 20".
func usedOf[N any](limit *N, used N, text func(N) string) string {
	if limit == nil {
		return text(used)
	}
	return text(used) + " of " + text(*limit)
}
