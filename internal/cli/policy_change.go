package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/text"
)

// printPolicyResult prints the result of a request to change a policy or a list.
func (p *program) printPolicyResult(cmd *cobra.Command, c *policyConnection, t policyTarget, r *api.PolicyResult, err error) error {
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return p.printJSON(r)
	}
	for _, w := range r.Loosens {
		fmt.Fprintf(p.stdout, "Permits more than before: %s\n", loosened(w))
	}
	p.printPolicyWarnings(r.Warnings)
	if r.Unchanged && r.Pending != nil {
		fmt.Fprintf(p.stdout, "Nothing was changed: the change %s has this approval already; %s.\n", r.Pending.ID, pendingText(*r.Pending))
		return nil
	}
	if r.Unchanged {
		fmt.Fprintf(p.stdout, "Nothing was changed: %s is the same as before.\n", t.text(c))
		return nil
	}
	if r.Pending == nil {
		fmt.Fprintf(p.stdout, "Changed %s.\n", t.text(c))
		return nil
	}
	fmt.Fprintf(p.stdout, "The change %s of %s is pending; %s.\n", r.Pending.ID, t.text(c), pendingText(*r.Pending))
	if r.Pending.Missing > 0 {
		fmt.Fprintf(p.stdout, "Next: \"specterd policy approve %s %s\", with --user for another owner.\n", c.argument(), r.Pending.ID)
	}
	return nil
}

// loosened states a field in which a policy permits more than before.
func loosened(w api.Wider) string {
	return fmt.Sprintf("%s: %s → %s", fieldText(value(w.Rule), w.Field), valueText(w.Old), valueText(w.New))
}

// fieldText names a field of a policy or of one of its rules.
func fieldText(rule, field string) string {
	if rule == "" {
		return field
	}
	return fmt.Sprintf("rule %q, %s", rule, field)
}

func valueText(value *string) string {
	if value == nil {
		return "(missing)"
	}
	return *value
}

// pendingText states what a change waits for.
func pendingText(c api.PolicyChange) string {
	at := c.EffectiveAt.UTC().Format(timeLayout)
	switch {
	case c.Missing > 0 && c.EffectiveAt.After(c.RequestedAt):
		return fmt.Sprintf("it lacks %s, and takes effect at %s at the earliest", text.Count(c.Missing, "approval"), at)
	case c.Missing > 0:
		return "it lacks " + text.Count(c.Missing, "approval")
	}
	return "it takes effect at " + at
}

func (p *program) policyChangesCommand(user *string) *cobra.Command {
	var t policyTarget
	cmd := &cobra.Command{
		Use: "changes [ALIAS]", Short: "List the pending changes of policies", Args: cobra.MaximumNArgs(1),
		RunE: p.withPolicies(user, &t, 0, false, func(cmd *cobra.Command, c *policyConnection, _ []string) error {
			changes, err := c.changes(cmd.Context())
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, changes, itself,
				col("ID", func(c api.PolicyChange) string { return c.ID }),
				col("CHANGES", changeText),
				col("BY", func(c api.PolicyChange) string { return c.RequestedBy }),
				col("NOT BEFORE", func(c api.PolicyChange) string { return c.EffectiveAt.UTC().Format(timeLayout) }),
				col("MISSING", func(c api.PolicyChange) string { return text.Count(c.Missing, "approval") }),
			)
		}),
	}
	return addJSON(addServerFlag(cmd, &t))
}

// changeText names what a change is about.
func changeText(c api.PolicyChange) string {
	verb := "set"
	if c.Deletes {
		verb = "delete"
	}
	switch {
	case c.List != nil:
		return verb + " list " + *c.List
	case c.Layer == string(policy.Member):
		return verb + " policy of " + value(c.User)
	}
	return verb + " policy"
}

func (c *policyConnection) changes(ctx context.Context) ([]api.PolicyChange, error) {
	if c.alias == "" {
		return collect(c.ListServerPolicyChanges(ctx))
	}
	return collect(c.ListPolicyChanges(ctx, c.alias))
}

func (p *program) policyApproveCommand(user *string) *cobra.Command {
	var t policyTarget
	cmd := &cobra.Command{
		Use: "approve [ALIAS] ID", Short: "Approve a pending change of a policy", Args: cobra.RangeArgs(1, 2),
		RunE: p.withPolicies(user, &t, 1, false, func(cmd *cobra.Command, c *policyConnection, args []string) error {
			var r *api.PolicyResult
			var err error
			if t.server {
				r, err = c.ApproveServerPolicyChange(cmd.Context(), args[0])
			} else {
				r, err = c.ApprovePolicyChange(cmd.Context(), c.alias, args[0])
			}
			return p.printPolicyResult(cmd, c, t, r, err)
		}),
	}
	return addJSON(addServerFlag(cmd, &t))
}

func (p *program) policyCancelCommand(user *string) *cobra.Command {
	var t policyTarget
	cmd := &cobra.Command{
		Use: "cancel [ALIAS] ID", Short: "Cancel a pending change of a policy", Args: cobra.RangeArgs(1, 2),
		RunE: p.withPolicies(user, &t, 1, false, func(cmd *cobra.Command, c *policyConnection, args []string) error {
			if err := p.confirm(cmd, "Cancel the change %s?", args[0]); err != nil {
				return err
			}
			var err error
			if t.server {
				err = c.CancelServerPolicyChange(cmd.Context(), args[0])
			} else {
				err = c.CancelPolicyChange(cmd.Context(), c.alias, args[0])
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Cancelled the change %s.\n", args[0])
			return nil
		}),
	}
	return addYes(addServerFlag(cmd, &t))
}
