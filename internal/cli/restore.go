package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) restoreCommand() *cobra.Command {
	var checkOnly bool
	cmd := &cobra.Command{
		Use: "restore FILE", Args: cobra.ExactArgs(1),
		Short: "Restore a backup into an empty data directory or database",
		Long: `Restore a backup into a data directory that was never in use, or into an empty
PostgreSQL database. Existing data is never overwritten, and nothing is changed before
the whole file is verified. A file that is damaged, or that was made by a newer
specterd, is refused. After an interrupted restore, run the same command again; no
other command starts on the incomplete data.

A backup of SQLite can be restored to PostgreSQL and the reverse. This is also how to
migrate from one to the other.

Everything is restored as it was at the time of the backup, including passwords, with
these exceptions:

  tokens      are all removed, since some may have been revoked after the backup. Their
              users must create new ones; the output lists who had which tokens
  signing key is new. With SQLite, it is created as a file in the data directory; with
              PostgreSQL, set it in SECRET_KEY, and do not use the old key
  proposals   that were open are open, with the signatures at that time. Transactions
              broadcast since then are detected at the next sync with the node
  wallets     created since then are missing. Bitcoin Core may still have them
  webhooks    are disabled and have no secrets, and pending deliveries are skipped. For
              each, rotate the secret, enable the webhook, and recover its events

Bitcoin Core does not need to have the wallets: specterd serve creates them again and
rescans the chain for their history.`,
		Example: `  specterd restore --check backup.zip       # verify the file and show its contents
  specterd restore backup.zip

  (umask 077; openssl rand -hex 32 > secret_key)    # for PostgreSQL; the server uses it as well
  SECRET_KEY_FILE=secret_key SPECTER_DATABASE_URL=postgres://… specterd restore backup.zip`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := p.newApp(cmd.Flags(), false)
			if err != nil {
				return err
			}
			f, err := backup.Open(args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			if err := errors.Join(f.Check(cmd.Context()), store.CheckBackup(cmd.Context(), f)); err != nil {
				return err
			}
			of := fmt.Sprintf("made at %s by %s from %s", f.MadeAt.UTC().Format(timeLayout), text.Escape(f.Program), text.Escape(f.Engine))
			switch {
			case checkOnly && wantsJSON(cmd):
				return p.printJSON(backupOf(args[0], f.Manifest))
			case checkOnly:
				fmt.Fprintf(p.stdout, "%s is an intact backup %s: %s.\n", args[0], of, describeBackup(f.Manifest))
				return nil
			}
			r, err := a.Restore(cmd.Context(), operator(), f, filepath.Base(args[0]))
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(restoredOf(a, f, args[0], r))
			}
			fmt.Fprintf(p.stdout, "Restored the backup %s.\n", of)
			p.printRestored(a, r)
			return nil
		},
	}
	addDataFlags(cmd.Flags())
	cmd.Flags().BoolVar(&checkOnly, "check", false, "only verify the file and show its contents")
	return addJSON(cmd)
}

// restored is the output of restore --json.
type restored struct {
	Backup        shownBackup  `json:"backup"`
	Users         []string     `json:"users"`
	Wallets       []string     `json:"wallets"`
	TokensRemoved []lostTokens `json:"tokens_removed"`
	OpenProposals int64        `json:"open_proposals"`
	Webhooks      int64        `json:"webhooks_disabled"`
	SigningKey    string       `json:"signing_key"` // its location
}

type lostTokens struct {
	User         string   `json:"user"`
	Descriptions []string `json:"descriptions"`
}

func restoredOf(a *app.App, f *backup.File, path string, r store.Restored) restored {
	out := restored{
		Backup: backupOf(path, f.Manifest), Users: append([]string{}, r.Users...), Wallets: []string{}, TokensRemoved: []lostTokens{},
		OpenProposals: r.Proposals, Webhooks: r.Webhooks, SigningKey: a.KeyLocation(),
	}
	for _, w := range r.Wallets {
		out.Wallets = append(out.Wallets, w.Name)
	}
	for _, lost := range r.Tokens {
		out.TokensRemoved = append(out.TokensRemoved, lostTokens{lost.UserName, append([]string{}, lost.Descriptions...)})
	}
	return out
}

// printRestored prints what was restored, what is missing, and the next steps.
func (p *program) printRestored(a *app.App, r store.Restored) {
	say := func(what, format string, args ...any) {
		fmt.Fprintf(p.stdout, "%-11s %s\n", what, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(p.stdout)
	say("users", "%d, with their passwords at that time: %s", len(r.Users), quoteSome(r.Users))
	names := make([]string, len(r.Wallets))
	for i, w := range r.Wallets {
		names[i] = w.Name
	}
	say("wallets", "%d: %s", len(r.Wallets), quoteSome(names))
	say("", "Wallets created later are missing. Bitcoin Core may still have them as specterd-…: see docs/backup.md")
	tokens := 0
	for _, lost := range r.Tokens {
		tokens += len(lost.Descriptions)
	}
	if tokens == 0 {
		say("tokens", "there were no valid ones")
	} else {
		say("tokens", "%d were removed; their users must create new ones:", tokens)
	}
	for _, lost := range r.Tokens {
		say("", "%q: %d (%s)", lost.UserName, len(lost.Descriptions), quoteSome(lost.Descriptions))
	}
	say("proposals", "%d are open, with their signatures at that time; later broadcasts are detected at the node", r.Proposals)
	if r.Webhooks > 0 {
		say("webhooks", "%d, disabled and without secrets: for each, rotate the secret, enable the webhook, and", r.Webhooks)
		say("", "recover its events; see docs/webhooks.md")
	}
	if !a.HasConfiguredKeys() {
		say("signing key", "a new one, in %s", a.KeyFile())
	} else {
		say("signing key", "the one from %s", a.KeyLocation())
	}
	fmt.Fprint(p.stdout, `
Next steps: run specterd serve, which syncs the history with the node, then
            specterd doctor. Ask the users above to create new tokens. If access
            was revoked after the backup was made, revoke it again.
`)
}

// quoteSome returns the first ten texts, quoted, and the number of the remaining texts.
func quoteSome(all []string) string {
	const most = 10
	quoted := make([]string, min(len(all), most))
	for i := range quoted {
		quoted[i] = fmt.Sprintf("%q", all[i])
	}
	if len(all) > most {
		quoted = append(quoted, fmt.Sprintf("and %d more", len(all)-most))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(quoted, ", ")
}
