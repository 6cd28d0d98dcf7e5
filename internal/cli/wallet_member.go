package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/wallet"
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
		RunE: p.withWallet(user, false, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, _ []string) error {
			members, err := d.service.Members(cmd.Context(), access)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, members, v1.ShowMember,
				col("USER", func(m wallet.Member) string { return m.UserName }),
				col("ROLE", func(m wallet.Member) string { return string(m.Role) }),
				col("SINCE", func(m wallet.Member) string { return m.CreatedAt.UTC().Format(timeLayout) }),
			)
		}),
	})
}

func (p *program) memberAddCommand(user *string) *cobra.Command {
	role := string(auth.RoleViewer)
	cmd := &cobra.Command{
		Use: "add ALIAS USER", Short: "Add a user as a member without an invitation", Args: cobra.ExactArgs(2),
		Long: `Add a user as a member without an invitation.

In the API, the user must accept an invitation, unless SPECTER_ADMINS_ADD_MEMBERS is set.`,
		RunE: p.withWallet(user, false, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, args []string) error {
			if _, err := d.member(cmd.Context(), access, args[1]); err == nil {
				return fmt.Errorf("%s is a member of %s already; change the role with \"specterd wallet member set\"", args[1], args[0])
			}
			if _, err := userNamed(cmd.Context(), d.App, args[1]); err != nil {
				return err
			}
			d.service.WithAdminsAddingMembers(true)
			m, _, err := d.service.PutMember(cmd.Context(), access, args[1], auth.WalletRole(role))
			if err != nil {
				return memberError(err, args[0], args[1])
			}
			return p.printMember(cmd, m, "Added %s to %s as %s.\n", m.UserName, args[0], m.Role)
		}),
	}
	cmd.Flags().StringVar(&role, "role", role, "viewer, proposer, signer or owner")
	return addJSON(cmd)
}

func (p *program) memberSetCommand(user *string) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use: "set ALIAS USER --role ROLE", Short: "Change the role of a member", Args: cobra.ExactArgs(2),
		RunE: p.withWallet(user, false, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, args []string) error {
			before, err := d.member(cmd.Context(), access, args[1])
			if err != nil {
				return err
			}
			if before.Role == auth.WalletRole(role) {
				return p.printMember(cmd, before, "%s is %s of %s already; nothing was changed.\n", before.UserName, before.Role, args[0])
			}
			d.service.WithAdminsAddingMembers(false)
			m, _, err := d.service.PutMember(cmd.Context(), access, args[1], auth.WalletRole(role))
			if err != nil {
				return memberError(err, args[0], args[1])
			}
			return p.printMember(cmd, m, "%s is %s of %s.\n", m.UserName, m.Role, args[0])
		}),
	}
	cmd.Flags().StringVar(&role, "role", "", "viewer, proposer, signer or owner")
	_ = cmd.MarkFlagRequired("role")
	return addJSON(cmd)
}

func (p *program) printMember(cmd *cobra.Command, m wallet.Member, format string, args ...any) error {
	if wantsJSON(cmd) {
		return p.printJSON(v1.ShowMember(m))
	}
	fmt.Fprintf(p.stdout, format, args...)
	return nil
}

// memberError returns the error of a change of a member, in terms of the command.
func memberError(err error, alias, user string) error {
	if errors.Is(err, wallet.ErrLastOwner) {
		return fmt.Errorf("%s is the last owner of %s; make another member an owner first, or delete the wallet", user, alias)
	}
	return err
}

// member returns the member of this name.
func (d *walletCommands) member(ctx context.Context, access wallet.Access, user string) (wallet.Member, error) {
	members, err := d.service.Members(ctx, access)
	if err != nil {
		return wallet.Member{}, err
	}
	i := slices.IndexFunc(members, func(m wallet.Member) bool { return auth.FoldName(m.UserName) == auth.FoldName(user) })
	if i < 0 {
		return wallet.Member{}, fmt.Errorf("%s is not a member of %s; \"specterd wallet member list %s\" shows the members", user, access.Alias(), access.Alias())
	}
	return members[i], nil
}

func (p *program) memberRemoveCommand(user *string) *cobra.Command {
	return addYes(&cobra.Command{
		Use: "rm ALIAS USER", Short: "Remove a member from a wallet", Args: cobra.ExactArgs(2),
		RunE: p.withWallet(user, false, func(cmd *cobra.Command, d *walletCommands, access wallet.Access, args []string) error {
			m, err := d.member(cmd.Context(), access, args[1])
			if err != nil {
				return err
			}
			if err := p.confirm(cmd, "Remove %s (%s) from wallet %s?", m.UserName, m.Role, args[0]); err != nil {
				return err
			}
			if err := d.service.RemoveMember(cmd.Context(), access, m.UserName); err != nil {
				return memberError(err, args[0], m.UserName)
			}
			fmt.Fprintf(p.stdout, "Removed %s from %s.\n", m.UserName, args[0])
			return nil
		}),
	})
}
