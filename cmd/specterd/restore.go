package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/privatefile"
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

Bitcoin Core does not need to have the wallets: specterd serve creates them again and
rescans the chain for their history.`,
		Example: `  specterd restore --check backup.zip       # verify the file and show its contents
  specterd restore backup.zip

  (umask 077; openssl rand -hex 32 > secret_key)    # for PostgreSQL; the server uses it as well
  SECRET_KEY_FILE=secret_key SPECTER_DATABASE_URL=postgres://… specterd restore backup.zip`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := p.plainApp(cmd)
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
			if checkOnly {
				fmt.Fprintf(p.stdout, "%s is an intact backup %s: %s.\n", args[0], of, describeBackup(f.Manifest))
				return nil
			}
			r, err := a.restore(cmd.Context(), f, filepath.Base(args[0]))
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Restored the backup %s.\n", of)
			p.tellRestored(a, r)
			return nil
		},
	}
	addDataFlags(cmd.Flags())
	cmd.Flags().BoolVar(&checkOnly, "check", false, "only verify the file and show its contents")
	return cmd
}

// restore restores a backup into the configured data directory and database. If it
// fails, it removes what it created.
func (a *app) restore(ctx context.Context, f *backup.File, name string) (r store.Restored, err error) {
	if a.usesPostgres() || a.keysAreGiven() {
		keys, err := a.readKeys()
		if err != nil {
			return r, err
		}
		if slices.Contains(f.SigningKeys, auth.Fingerprint(keys[0])) {
			return r, fmt.Errorf("%s: %w", a.keyPlace(), store.ErrOldKey)
		}
	}
	if err := a.refuseFolderInUse(); err != nil {
		return r, err
	}
	made := a.missing() // before anything is created
	defer func() {
		err = errors.Join(err, a.close())
		if err != nil {
			for _, path := range made {
				_ = os.Remove(path) // removes a directory only if it is empty
			}
		}
	}()
	if err := privatefile.MkdirAll(a.cfg.DataFolder); err != nil {
		return r, fmt.Errorf("create the data directory: %w", err)
	}
	if !a.usesPostgres() {
		holder := fmt.Sprintf("process %d, restoring a backup", os.Getpid())
		if a.lock, err = store.Lock(ctx, string(a.cfg.DatabaseURL), holder, 0); err != nil {
			return r, err
		}
	}
	if a.store, err = store.Open(ctx, a.storeOptions()); err != nil {
		return r, err
	}
	if err := a.store.CheckEmpty(ctx); errors.Is(err, store.ErrNotEmpty) {
		return r, a.notEmpty(err.Error())
	} else if err != nil {
		return r, err
	}
	return a.store.Restore(ctx, f, store.RestoreOptions{
		Key: a.keyOfRestored,
		Event: func(tokens int) auth.Event {
			detail := fmt.Sprintf("made at %s; %d tokens removed", f.MadeAt.UTC().Format(time.RFC3339), tokens)
			return operator().Event(a.now(), "backup.restore", name, detail)
		},
	})
}

// missing returns the files and directories that a restore would have to create, the
// data directory last.
func (a *app) missing() []string {
	paths := []string{a.keyFile(), a.marker(), a.cfg.DataFolder}
	if db := string(a.cfg.DatabaseURL); !a.usesPostgres() {
		paths = append([]string{db, db + "-wal", db + "-shm", db + ".lock"}, paths...)
	}
	return slices.DeleteFunc(paths, func(path string) bool {
		_, err := os.Lstat(path)
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// refuseFolderInUse returns an error for a data directory that had a database. An
// existing database is left to CheckEmpty.
func (a *app) refuseFolderInUse() error {
	if a.usesPostgres() {
		return nil
	}
	if _, err := os.Stat(string(a.cfg.DatabaseURL)); err == nil {
		return nil
	}
	for _, path := range []string{a.marker(), a.keyFile()} {
		if _, err := os.Stat(path); err == nil {
			return a.notEmpty(path + " exists")
		}
	}
	return nil
}

func (a *app) notEmpty(why string) error {
	if a.usesPostgres() {
		return fmt.Errorf("a restore requires an empty database, but %s; create a database with createdb, set SPECTER_DATABASE_URL to it, and run this again", why)
	}
	return fmt.Errorf("a restore requires an empty data directory, but %s is in use: %s. Stop specterd, move the directory with: mv %[1]s %[1]s.old; and run this again. Or choose another directory with --data-folder", a.cfg.DataFolder, why)
}

// keyOfRestored creates the signing key of a restored database, unless the operator
// provides it, and marks the data directory as in use. It returns the key's fingerprint.
func (a *app) keyOfRestored() (string, error) {
	keys, err := a.keysOrNew()
	if err != nil {
		return "", err
	}
	if err := a.markInUse("restored a backup"); err != nil {
		return "", err
	}
	return auth.Fingerprint(keys[0]), nil
}

// tellRestored prints what was restored, what is missing, and the next steps.
func (p *program) tellRestored(a *app, r store.Restored) {
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
	if !a.keysAreGiven() {
		say("signing key", "a new one, in %s", a.keyFile())
	} else {
		say("signing key", "the one from %s", a.keyPlace())
	}
	fmt.Fprint(p.stdout, `
Next steps: run specterd serve, which syncs the history with the node, then
            specterd doctor. Ask the users above to create new tokens. If access
            was revoked after the backup was made, revoke it again.
`)
}

// quoteSome returns at most the first ten texts, quoted.
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
