package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) userShowCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "show NAME", Short: "Show a user", Args: cobra.ExactArgs(1),
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			u, err := userNamed(cmd.Context(), a, args[0])
			if err != nil {
				return err
			}
			uses, err := a.Users.QuotaUse(cmd.Context(), u)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowUserDetails(u, uses))
			}
			w, row := p.properties()
			row("name", "%s", u.Name)
			row("role", "%s", roleOf(u))
			row("status", "%s", statusOf(u))
			row("created", "%s", u.CreatedAt.UTC().Format(timeLayout))
			for _, use := range uses {
				if !use.PerWallet {
					row(string(use.Quota), "%d of at most %d", use.Used, use.Limit)
				}
			}
			return w.Flush()
		}),
	})
}

// userSettings contains the flags of user set.
type userSettings struct {
	admin, disabled, password, fromStdin bool
}

func (p *program) userSetCommand() *cobra.Command {
	var s userSettings
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change the password, the role or the status of a user", Args: cobra.ExactArgs(1),
		Long: `Change the password, the role or the status of a user.

A new password and --disabled delete all tokens of the user.`,
		Example: `  specterd user set alice --password
  specterd user set alice --admin
  specterd user set bob --disabled`,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			u, err := userNamed(cmd.Context(), a, args[0])
			if err != nil {
				return err
			}
			return p.setUser(cmd, a, u, s)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&s.admin, "admin", false, "make the user an admin; with =false an ordinary user")
	f.BoolVar(&s.disabled, "disabled", false, "disable the user; with =false enable the user")
	f.BoolVar(&s.password, passwordFlag, false, "set a new password, for which the command prompts")
	addPasswordFlag(cmd, &s.fromStdin)
	return addJSON(addYes(cmd))
}

// change returns the changes of role and status, without values that u has already.
func (s *userSettings) change(cmd *cobra.Command, u auth.User) (change auth.UserChange) {
	if cmd.Flags().Changed("admin") && s.admin != u.Admin {
		change.Admin = &s.admin
	}
	if cmd.Flags().Changed("disabled") && s.disabled == u.Active() {
		change.Disabled = &s.disabled
	}
	return change
}

// setUser applies the flags of user set that change something.
func (p *program) setUser(cmd *cobra.Command, a *app.App, u auth.User, s userSettings) error {
	change, setsPassword := s.change(cmd, u), s.password || s.fromStdin
	switch {
	case !cmd.Flags().Changed("admin") && !cmd.Flags().Changed("disabled") && !setsPassword:
		return errUsage("nothing to change: use --password, --admin or --disabled")
	case !setsPassword && change.IsEmpty():
		if wantsJSON(cmd) {
			return p.printJSON(v1.ShowUser(u))
		}
		fmt.Fprintf(p.stdout, "User %s is %s, %s already; nothing was changed.\n", u.Name, roleOf(u), statusOf(u))
		return nil
	}
	tokens, err := p.confirmChange(cmd, a, u, change, setsPassword)
	if err != nil {
		return err
	}
	if setsPassword {
		password, err := p.newPassword(u.Name, s.fromStdin)
		if err != nil {
			return err
		}
		change.Password = &password
	}
	if u, err = a.Users.Change(cmd.Context(), operator(), u.Name, change); err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return p.printJSON(v1.ShowUser(u))
	}
	p.printChange(u, setsPassword, tokens)
	return nil
}

func (p *program) printChange(u auth.User, setsPassword bool, tokens int) {
	if setsPassword {
		fmt.Fprintf(p.stdout, "Changed the password of %s.\n", u.Name)
	}
	if tokens > 0 {
		fmt.Fprintf(p.stdout, "Deleted %s.\n", text.Count(tokens, "token"))
	}
	fmt.Fprintf(p.stdout, "User %s is %s, %s.\n", u.Name, roleOf(u), statusOf(u))
}

// confirmChange asks whether to make a change that deletes tokens, and returns their
// number.
func (p *program) confirmChange(cmd *cobra.Command, a *app.App, u auth.User, change auth.UserChange, setsPassword bool) (tokens int, err error) {
	if disables := change.Disabled != nil && *change.Disabled; !disables && !setsPassword {
		return 0, nil
	}
	lost, _, err := a.Store.AllTokens(cmd.Context(), u.Name)
	if err != nil || len(lost) == 0 {
		return 0, err
	}
	return len(lost), p.confirm(cmd, "%s and delete %s?", describeChange(u, change, setsPassword), text.Count(len(lost), "token"))
}

// describeChange describes a change that deletes tokens, for a question.
func describeChange(u auth.User, change auth.UserChange, setsPassword bool) string {
	switch disables := change.Disabled != nil && *change.Disabled; {
	case setsPassword && disables:
		return "Change the password of " + u.Name + ", disable the user"
	case setsPassword:
		return "Change the password of " + u.Name
	}
	return "Disable " + u.Name
}
