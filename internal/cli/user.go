package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
)

func (p *program) userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "user", Short: "Add, list, update and delete users",
	}
	addDataFlags(cmd.PersistentFlags())
	addInitFlag(cmd.PersistentFlags())
	cmd.AddCommand(
		p.userAddCommand(), p.userListCommand(), p.userPasswdCommand(),
		p.userChangeCommand("disable", "Disable a user and delete all their tokens", true),
		p.userChangeCommand("enable", "Enable a disabled user", false),
		p.userRemoveCommand(), p.userQuotaCommand(),
	)
	return cmd
}

func (p *program) userAddCommand() *cobra.Command {
	var fromStdin, admin bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a user (prompts for the password)", Args: cobra.ExactArgs(1),
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			password, err := p.newPassword(args[0], fromStdin)
			if err != nil {
				return err
			}
			u, err := a.Users.Create(cmd.Context(), operator(), args[0], password, admin)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Added user %s.\n", u.Name)
			return nil
		}),
	}
	cmd.Flags().BoolVar(&admin, "admin", false, "make the user an admin")
	addPasswordFlag(cmd, &fromStdin)
	return cmd
}

func (p *program) userListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the users", Args: cobra.NoArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tROLE\tSTATUS\tCREATED")
			for after := ""; ; {
				users, err := a.Users.List(cmd.Context(), after, 500)
				if err != nil {
					return err
				}
				for _, u := range users {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", u.Name, roleOf(u), statusOf(u), u.CreatedAt.UTC().Format("2006-01-02 15:04 UTC"))
					after = u.Name
				}
				if len(users) < 500 {
					return w.Flush()
				}
			}
		}),
	}
}

func roleOf(u auth.User) string {
	if u.Admin {
		return "admin"
	}
	return "user"
}

func statusOf(u auth.User) string {
	switch {
	case !u.Active():
		return "disabled"
	case u.PasswordIsDefault:
		return "active, default password"
	}
	return "active"
}

func (p *program) userPasswdCommand() *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use: "passwd NAME", Short: "Set a user's password and delete all their tokens", Args: cobra.ExactArgs(1),
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			if _, err := a.Users.Get(cmd.Context(), args[0]); err != nil {
				return err
			}
			password, err := p.newPassword(args[0], fromStdin)
			if err != nil {
				return err
			}
			u, err := a.Users.Change(cmd.Context(), operator(), args[0], auth.UserChange{Password: &password})
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Changed the password of %s and deleted their tokens.\n", u.Name)
			return nil
		}),
	}
	addPasswordFlag(cmd, &fromStdin)
	return cmd
}

func (p *program) userChangeCommand(verb, short string, disabled bool) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			u, err := a.Users.Get(cmd.Context(), args[0])
			if err == nil && u.Active() != disabled {
				fmt.Fprintf(p.stdout, "User %s is already %s; nothing was changed.\n", u.Name, statusOf(u))
				return nil
			}
			u, err = a.Users.Change(cmd.Context(), operator(), args[0], auth.UserChange{Disabled: &disabled})
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "User %s is %s.\n", u.Name, statusOf(u))
			return nil
		}),
	}
}

func (p *program) userRemoveCommand() *cobra.Command {
	var deleteWallets bool
	cmd := &cobra.Command{
		Use: "rm NAME", Short: "Delete a user with all their tokens", Args: cobra.ExactArgs(1),
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			if err := a.Users.Delete(cmd.Context(), operator(), args[0], deleteWallets); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Deleted user %s.\n", args[0])
			return nil
		}),
	}
	cmd.Flags().BoolVar(&deleteWallets, "delete-wallets", false, "also delete the wallets that have no other owner, for all their members")
	return cmd
}

func addPasswordFlag(cmd *cobra.Command, fromStdin *bool) {
	cmd.Flags().BoolVar(fromStdin, "password-stdin", false, "read the password from the first line of standard input")
}

// newPassword reads a new password from the first line of standard input, or prompts for
// it twice at the terminal without echo. It returns an error if there is no terminal or
// if the two entries differ.
func (p *program) newPassword(name string, fromStdin bool) (string, error) {
	if fromStdin {
		line, err := bufio.NewReader(p.stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	f, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", errors.New("no terminal to prompt for the password; use --password-stdin")
	}
	first, err := p.ask(f, "New password for "+name+": ")
	if err != nil {
		return "", err
	}
	second, err := p.ask(f, "Repeat the password: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the passwords differ; nothing was changed")
	}
	return first, nil
}

func (p *program) ask(terminal *os.File, question string) (string, error) {
	fmt.Fprint(p.stderr, question)
	password, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(p.stderr)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(password), nil
}
