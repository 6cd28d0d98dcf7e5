package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) sessionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "session", Short: "List and end sessions of the web console",
	}
	addDataFlags(cmd.PersistentFlags())
	cmd.AddCommand(p.sessionListCommand(), p.sessionDeleteCommand())
	return cmd
}

func (p *program) sessionListCommand() *cobra.Command {
	var userName string
	cmd := &cobra.Command{
		Use: "list", Short: "List the sessions of all users", Args: cobra.NoArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
			all, err := sessionsOf(cmd, a, userName)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, all, showSession,
				col("ID", func(s auth.Session) string { return s.ID }),
				col("USER", func(s auth.Session) string { return s.UserName }),
				col("CREATED", func(s auth.Session) string { return s.CreatedAt.UTC().Format(timeLayout) }),
				col("LAST SEEN", func(s auth.Session) string { return s.LastSeenAt.UTC().Format(timeLayout) + " from " + s.Address }),
				col("AGENT", func(s auth.Session) string { return s.Agent }),
			)
		}),
	}
	cmd.Flags().StringVar(&userName, "user", "", "only sessions of this user")
	return addJSON(cmd)
}

// sessionsOf returns the sessions of a user, or of all users if the name is empty, that have
// not ended.
func sessionsOf(cmd *cobra.Command, a *app.App, userName string) ([]auth.Session, error) {
	if userName == "" {
		all, err := a.Store.AllSessions(cmd.Context())
		return auth.ValidSessions(all, a.Now()), err
	}
	u, err := userNamed(cmd.Context(), a, userName)
	if err != nil {
		return nil, err
	}
	return a.Sessions(nil).List(cmd.Context(), operator().For(u))
}

// sessionJSON is a session for --json; the API has no sessions.
type sessionJSON struct {
	ID         string    `json:"id"`
	User       string    `json:"user"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ProvedAt   time.Time `json:"proved_at"`
	Address    string    `json:"address"`
	Agent      string    `json:"agent"`
}

func showSession(s auth.Session) any {
	return sessionJSON{s.ID, s.UserName, s.CreatedAt.UTC(), s.LastSeenAt.UTC(), s.ProvedAt.UTC(), s.Address, s.Agent}
}

func (p *program) sessionDeleteCommand() *cobra.Command {
	var userName string
	var all bool
	cmd := &cobra.Command{
		Use: "delete ID… | --user NAME --all", Short: "End sessions of the web console",
		Args: cobra.ArbitraryArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, ids []string) error {
			switch {
			case (userName != "") != all:
				return errUsage("--user NAME and --all end all sessions of a user, and need each other")
			case all == (len(ids) > 0):
				return errUsage("name sessions, which \"specterd session list\" lists, or a user: --user NAME --all")
			case all:
				return p.endAllSessions(cmd, a, userName)
			}
			return p.endSessions(cmd, a, ids)
		}),
	}
	cmd.Flags().StringVar(&userName, "user", "", "user whose sessions end, with --all")
	cmd.Flags().BoolVar(&all, "all", false, "end all sessions of the user")
	return addYes(cmd)
}

func (p *program) endSessions(cmd *cobra.Command, a *app.App, ids []string) error {
	owners := make([]auth.User, len(ids))
	for i, id := range ids {
		c, err := a.Store.SessionByID(cmd.Context(), id)
		if err != nil {
			return sessionError(id, err)
		}
		owners[i] = auth.User{ID: c.UserID, Name: c.UserName}
	}
	what := text.Count(len(ids), "session")
	if len(ids) == 1 {
		what = "session " + ids[0] + " of " + owners[0].Name
	}
	if err := p.confirm(cmd, "End %s?", what); err != nil {
		return err
	}
	for i, id := range ids {
		if err := a.Sessions(nil).Delete(cmd.Context(), operator().For(owners[i]), id); err != nil {
			return sessionError(id, err)
		}
		fmt.Fprintf(p.stdout, "Ended %s.\n", id)
	}
	return nil
}

func sessionError(id string, err error) error {
	if errors.Is(err, auth.ErrSessionNotFound) {
		return fmt.Errorf("end %s: session not found; it may have ended, and \"specterd session list\" shows the ids", id)
	}
	return fmt.Errorf("end %s: %w", id, err)
}

func (p *program) endAllSessions(cmd *cobra.Command, a *app.App, userName string) error {
	u, err := userNamed(cmd.Context(), a, userName)
	if err != nil {
		return err
	}
	if err := p.confirm(cmd, "End all sessions of %s?", u.Name); err != nil {
		return err
	}
	n, err := a.Sessions(nil).DeleteOthers(cmd.Context(), operator().For(u))
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "Ended %s of %s.\n", text.Count(n, "session"), u.Name)
	return nil
}
