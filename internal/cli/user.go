package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
)

func (p *program) userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "user", Short: "Add, list, change and delete users",
	}
	addDataFlags(cmd.PersistentFlags())
	addInitFlag(cmd.PersistentFlags())
	cmd.AddCommand(
		p.userAddCommand(), p.userListCommand(), p.userShowCommand(), p.userSetCommand(), p.userQuotaCommand(), p.userRemoveCommand(),
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
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowUser(u))
			}
			fmt.Fprintf(p.stdout, "Added user %s.\n", u.Name)
			return nil
		}),
	}
	cmd.Flags().BoolVar(&admin, "admin", false, "make the user an admin")
	addPasswordFlag(cmd, &fromStdin)
	return addJSON(cmd)
}

func (p *program) userListCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "list", Short: "List the users", Args: cobra.NoArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
			users, err := allUsers(cmd.Context(), a)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, users, v1.ShowUser,
				col("NAME", func(u auth.User) string { return u.Name }),
				col("ROLE", roleOf),
				col("STATUS", statusOf),
				col("CREATED", func(u auth.User) string { return u.CreatedAt.UTC().Format(timeLayout) }),
			)
		}),
	})
}

// rowsAtATime is how many rows of a list are read at once.
const rowsAtATime = 1000

func allUsers(ctx context.Context, a *app.App) ([]auth.User, error) {
	var all []auth.User
	for after := ""; ; after = all[len(all)-1].Name {
		part, err := a.Users.List(ctx, after, rowsAtATime)
		if err != nil {
			return nil, err
		}
		if all = append(all, part...); len(part) < rowsAtATime {
			return all, nil
		}
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

func (p *program) userRemoveCommand() *cobra.Command {
	var deleteWallets bool
	cmd := &cobra.Command{
		Use: "rm NAME", Short: "Delete a user with all their tokens", Args: cobra.ExactArgs(1),
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			u, err := userNamed(cmd.Context(), a, args[0])
			if err != nil {
				return err
			}
			wallets := ""
			if deleteWallets {
				wallets = ", and the wallets that have no other owner, for all their members"
			}
			if err := p.confirm(cmd, "Delete user %s with all their tokens%s?", u.Name, wallets); err != nil {
				return err
			}
			if err := a.Users.Delete(cmd.Context(), operator(), args[0], deleteWallets); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Deleted user %s.\n", args[0])
			return nil
		}),
	}
	cmd.Flags().BoolVar(&deleteWallets, "delete-wallets", false, "also delete the wallets that have no other owner, for all their members")
	return addYes(cmd)
}

// Names of the flags for passwords.
const (
	passwordFlag      = "password"
	passwordStdinFlag = "password-stdin"
)

func addPasswordFlag(cmd *cobra.Command, fromStdin *bool) {
	cmd.Flags().BoolVar(fromStdin, passwordStdinFlag, false, "read the password from the first line of standard input")
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
