package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/auth"
)

func (p *program) walletMemberCommand(user *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "member", Short: "List, add, change and remove the members of a wallet",
		Long: `List, add, change and remove the members of a wallet.

--user must be an owner of the wallet, except for list. A viewer reads; a proposer also
creates proposals and addresses; a signer also signs and broadcasts; an owner also manages
the wallet and its members.`,
	}
	cmd.AddCommand(p.memberListCommand(user), p.memberAddCommand(user), p.memberSetCommand(user), p.memberRemoveCommand(user))
	return cmd
}

func (p *program) memberListCommand(user *string) *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "list ALIAS", Short: "List the members of a wallet", Args: cobra.ExactArgs(1),
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			members, err := c.members(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, members, itself,
				col("USER", func(m api.Member) string { return m.User }),
				col("ROLE", func(m api.Member) string { return m.Role }),
				col("SINCE", func(m api.Member) string { return m.CreatedAt.UTC().Format(timeLayout) }),
			)
		}),
	})
}

func (p *program) memberAddCommand(user *string) *cobra.Command {
	role := string(auth.RoleViewer)
	cmd := &cobra.Command{
		Use: "add ALIAS USER", Short: "Add a user as a member without an invitation", Args: cobra.ExactArgs(2),
		Long: `Add a user as a member without an invitation.

In the API, and so with --server, the user must accept an invitation, unless
SPECTER_ADMINS_ADD_MEMBERS is set.`,
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			if _, err := c.member(cmd.Context(), args[0], args[1]); err == nil {
				return fmt.Errorf("%s is a member of %s already; change the role with \"specterd wallet member set\"", args[1], args[0])
			} else if _, isOther := errors.AsType[notMemberError](err); !isOther {
				return err
			}
			if c.local != nil {
				if _, err := userNamed(cmd.Context(), c.local.App, args[1]); err != nil {
					return err
				}
				c.local.service.WithAdminsAddingMembers(true)
			}
			m, err := c.PutMember(cmd.Context(), args[0], args[1], api.PutMemberRequest{Role: role})
			switch {
			case c.local == nil && errors.Is(err, client.ErrMemberNotFound):
				return fmt.Errorf("%s must accept an invitation, which the web console or the API sends; on the machine of the server, this command adds a member at once", args[1])
			case err != nil:
				return memberError(err, args[0], args[1])
			}
			return p.printMember(cmd, c, m, args, "Added %s to %s as %s.\n")
		}),
	}
	cmd.Flags().StringVar(&role, "role", role, "viewer, proposer, signer or owner")
	return addJSON(cmd)
}

func (p *program) memberSetCommand(user *string) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use: "set ALIAS USER --role ROLE", Short: "Change the role of a member", Args: cobra.ExactArgs(2),
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			before, err := c.member(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			if before.Role == role {
				return p.printMember(cmd, c, &before, args, "%[1]s is %[3]s of %[2]s already; nothing was changed.\n")
			}
			if c.local != nil {
				c.local.service.WithAdminsAddingMembers(false)
			}
			m, err := c.PutMember(cmd.Context(), args[0], args[1], api.PutMemberRequest{Role: role})
			if err != nil {
				return memberError(err, args[0], args[1])
			}
			return p.printMember(cmd, c, m, args, "%[1]s is %[3]s of %[2]s.\n")
		}),
	}
	cmd.Flags().StringVar(&role, "role", "", "viewer, proposer, signer or owner")
	_ = cmd.MarkFlagRequired("role")
	return addJSON(cmd)
}

// printMember prints the member that a command with these arguments has changed, which the token
// may not be allowed to read, in a format for the user, the alias of the wallet and the role.
func (p *program) printMember(cmd *cobra.Command, c *connection, m *api.Member, args []string, format string) error {
	if m == nil {
		found, err := c.member(cmd.Context(), args[0], args[1])
		if err != nil {
			return err
		}
		m = &found
	}
	if wantsJSON(cmd) {
		return p.printJSON(m)
	}
	fmt.Fprintf(p.stdout, format, m.User, args[0], m.Role)
	return nil
}

// memberError returns the error of a change of a member, in terms of the command.
func memberError(err error, alias, user string) error {
	if errors.Is(err, client.ErrLastOwner) {
		return fmt.Errorf("%s is the last owner of %s; make another member an owner first, or delete the wallet", user, alias)
	}
	return err
}

// members returns the members of a wallet.
func (c *connection) members(ctx context.Context, alias string) ([]api.Member, error) {
	members, err := collect(c.ListMembers(ctx, alias))
	return members, c.unknownWallet(ctx, alias, err)
}

// notMemberError is the error for a user who is not a member of a wallet.
type notMemberError struct{ user, alias string }

func (e notMemberError) Error() string {
	return fmt.Sprintf("%s is not a member of %s; \"specterd wallet member list %[2]s\" shows the members", e.user, e.alias)
}

// member returns the member of this name.
func (c *connection) member(ctx context.Context, alias, user string) (api.Member, error) {
	members, err := c.members(ctx, alias)
	if err != nil {
		return api.Member{}, err
	}
	i := slices.IndexFunc(members, func(m api.Member) bool { return auth.FoldName(m.User) == auth.FoldName(user) })
	if i < 0 {
		return api.Member{}, notMemberError{user, alias}
	}
	return members[i], nil
}

func (p *program) memberRemoveCommand(user *string) *cobra.Command {
	return addYes(&cobra.Command{
		Use: "rm ALIAS USER", Short: "Remove a member from a wallet", Args: cobra.ExactArgs(2),
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			m, err := c.member(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			if err := p.confirm(cmd, "Remove %s (%s) from wallet %s?", m.User, m.Role, args[0]); err != nil {
				return err
			}
			if err := c.DeleteMember(cmd.Context(), args[0], m.User); err != nil {
				return memberError(err, args[0], m.User)
			}
			fmt.Fprintf(p.stdout, "Removed %s from %s.\n", m.User, args[0])
			return nil
		}),
	})
}
