package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/text"
)

// printPolicyResult prints the result of a request to change a policy or a list.
func (p *program) printPolicyResult(cmd *cobra.Command, d *policyCommands, t policyTarget, r spending.Result, err error) error {
	if err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return p.printJSON(v1.ShowPolicyResult(r))
	}
	for _, w := range r.Loosens {
		fmt.Fprintf(p.stdout, "Permits more than before: %s\n", loosened(w))
	}
	p.printPolicyWarnings(r.Warnings)
	if r.Pending == nil {
		fmt.Fprintf(p.stdout, "Changed %s.\n", t.text(d))
		return nil
	}
	fmt.Fprintf(p.stdout, "The change %s of %s is pending; %s.\n", r.Pending.ID, t.text(d), pendingText(*r.Pending))
	fmt.Fprintf(p.stdout, "Next: \"specterd policy approve %s %s\", with --user for another owner.\n", argumentOf(d, t), r.Pending.ID)
	return nil
}

// loosened states a field in which a policy permits more than before.
func loosened(w policy.Wider) string {
	return fmt.Sprintf("%s: %s → %s", fieldText(w.Rule, w.Field), valueText(w.Old), valueText(w.New))
}

// fieldText names a field of a policy or of one of its rules.
func fieldText(rule, field string) string {
	if rule == "" {
		return field
	}
	return fmt.Sprintf("rule %q, %s", rule, field)
}

func valueText(value string) string {
	if value == "" {
		return "(missing)"
	}
	return value
}

// pendingText states what a change waits for.
func pendingText(c spending.Change) string {
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
		RunE: p.withPolicies(user, &t, 0, false, func(cmd *cobra.Command, d *policyCommands, _ []string) error {
			changes, err := d.changes(cmd.Context(), t)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, changes, v1.ShowPolicyChange,
				col("ID", func(c spending.Change) string { return c.ID }),
				col("CHANGES", changeText),
				col("BY", func(c spending.Change) string { return c.Maker.UserName }),
				col("NOT BEFORE", func(c spending.Change) string { return c.EffectiveAt.UTC().Format(timeLayout) }),
				col("MISSING", func(c spending.Change) string { return text.Count(c.Missing, "approval") }),
			)
		}),
	}
	return addJSON(addServerFlag(cmd, &t))
}

// changeText names what a change is about.
func changeText(c spending.Change) string {
	verb := "set"
	if c.Document == "" {
		verb = "delete"
	}
	switch {
	case c.List != "":
		return verb + " list " + c.List
	case c.Kind == policy.Member:
		return verb + " policy of " + c.User
	}
	return verb + " policy"
}

func (d *policyCommands) changes(ctx context.Context, t policyTarget) ([]spending.Change, error) {
	if t.server {
		return d.ServerChanges(ctx, d.who)
	}
	return d.Changes(ctx, d.access)
}

func (p *program) policyApproveCommand(user *string) *cobra.Command {
	var t policyTarget
	cmd := &cobra.Command{
		Use: "approve [ALIAS] ID", Short: "Approve a pending change of a policy", Args: cobra.RangeArgs(1, 2),
		RunE: p.withPolicies(user, &t, 1, false, func(cmd *cobra.Command, d *policyCommands, args []string) error {
			var r spending.Result
			var err error
			if t.server {
				r, err = d.ApproveServerChange(cmd.Context(), d.who, args[0])
			} else {
				r, err = d.ApproveChange(cmd.Context(), d.access, args[0])
			}
			return p.printPolicyResult(cmd, d, t, r, err)
		}),
	}
	return addJSON(addServerFlag(cmd, &t))
}

func (p *program) policyCancelCommand(user *string) *cobra.Command {
	var t policyTarget
	cmd := &cobra.Command{
		Use: "cancel [ALIAS] ID", Short: "Cancel a pending change of a policy", Args: cobra.RangeArgs(1, 2),
		RunE: p.withPolicies(user, &t, 1, false, func(cmd *cobra.Command, d *policyCommands, args []string) error {
			if err := p.confirm(cmd, "Cancel the change %s?", args[0]); err != nil {
				return err
			}
			var err error
			if t.server {
				err = d.CancelServerChange(cmd.Context(), d.who, args[0])
			} else {
				err = d.CancelChange(cmd.Context(), d.access, args[0])
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
