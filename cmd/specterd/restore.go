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
		Short: "Bring a backup back, into an empty place",
		Long: `Bring a backup back, into an empty place: a data folder that was not in use, or a
PostgreSQL database in which there is nothing. What is there is never overwritten.
Nothing is changed before the whole file was looked through; one that is damaged, or
of a newer specterd, is refused. A restore that is broken off is begun anew by the same
command, and until then nothing else starts on it.

A backup of SQLite can be restored to PostgreSQL and the reverse. That is also how to
move from one to the other.

All is as it was when the backup was made, users' passwords too, with these exceptions:

  tokens      are removed, all of them: some may have been revoked since. Their users
              have to make new ones; it is said who had which
  signing key is a new one. With SQLite it is made, as a file in the data folder; with
              PostgreSQL give it in SECRET_KEY, and not the old one
  proposals   that were open are open, with the signatures of that time. Whatever was
              sent since is found once specterd has looked at the node
  wallets     that were made since are missing. Bitcoin Core may still have them

Bitcoin Core need not have any of the wallets: specterd serve makes them anew there,
and has the chain looked through for their history.`,
		Example: `  specterd restore --check backup.zip       # is it whole, and what is in it?
  specterd restore backup.zip

  (umask 077; openssl rand -hex 32 > secret_key)    # to PostgreSQL: keep this for the server
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
			of := fmt.Sprintf("of %s by %s, from %s", f.MadeAt.UTC().Format(timeLayout), text.Escape(f.Program), text.Escape(f.Engine))
			if checkOnly {
				fmt.Fprintf(p.stdout, "%s is a whole backup, %s: %s.\n", args[0], of, describeBackup(f.Manifest))
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
	cmd.Flags().BoolVar(&checkOnly, "check", false, "look whether the file is whole, say what is in it, and change nothing")
	return cmd
}

// restore puts a backup into the place that the settings name. Where that does not
// succeed, it leaves that as it was.
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
	made := a.missing() // before anything is made
	defer func() {
		err = errors.Join(err, a.close())
		if err != nil {
			for _, path := range made {
				_ = os.Remove(path) // a folder only if it is empty
			}
		}
	}()
	if err := privatefile.MkdirAll(a.cfg.DataFolder); err != nil {
		return r, fmt.Errorf("make the data folder: %w", err)
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
			detail := fmt.Sprintf("of %s; %d tokens removed", f.MadeAt.UTC().Format(time.RFC3339), tokens)
			return operator().Event(a.now(), "backup.restore", name, detail)
		},
	})
}

// missing returns those of the files and folders that a restore makes that are not
// there, the folder last.
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

// refuseFolderInUse refuses a data folder that has, or had, a database, unless that is
// for CheckEmpty to say.
func (a *app) refuseFolderInUse() error {
	if a.usesPostgres() {
		return nil
	}
	if _, err := os.Stat(string(a.cfg.DatabaseURL)); err == nil {
		return nil
	}
	for _, path := range []string{a.marker(), a.keyFile()} {
		if _, err := os.Stat(path); err == nil {
			return a.notEmpty("it has " + path)
		}
	}
	return nil
}

func (a *app) notEmpty(why string) error {
	if a.usesPostgres() {
		return fmt.Errorf("a backup is restored into an empty database only, and %s; make a new one with createdb, name that in SPECTER_DATABASE_URL, and run this again", why)
	}
	return fmt.Errorf("a backup is restored into an empty place only, and %s is in use: %s. Stop specterd, move it away with: mv %[1]s %[1]s.old; and run this again. Or give another folder with --data-folder", a.cfg.DataFolder, why)
}

// keyOfRestored makes the key of a restored database, unless it is given, and marks
// the data folder as in use. It returns the key's fingerprint.
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

// tellRestored says what is there now, what is not, and what to do next.
func (p *program) tellRestored(a *app, r store.Restored) {
	say := func(what, format string, args ...any) {
		fmt.Fprintf(p.stdout, "%-11s %s\n", what, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(p.stdout)
	say("users", "%d, with the passwords of that time: %s", len(r.Users), quoteSome(r.Users))
	names := make([]string, len(r.Wallets))
	for i, w := range r.Wallets {
		names[i] = w.Name
	}
	say("wallets", "%d: %s", len(r.Wallets), quoteSome(names))
	say("", "Those made since are missing. Bitcoin Core may still have them, as specterd-…: see docs/backup.md")
	tokens := 0
	for _, lost := range r.Tokens {
		tokens += len(lost.Descriptions)
	}
	if tokens == 0 {
		say("tokens", "there were none that had not ended")
	} else {
		say("tokens", "%d were removed, and have to be made anew by their users:", tokens)
	}
	for _, lost := range r.Tokens {
		say("", "%q: %d (%s)", lost.UserName, len(lost.Descriptions), quoteSome(lost.Descriptions))
	}
	say("proposals", "%d are open, with the signatures of that time; what was sent since is found at the node", r.Proposals)
	if !a.keysAreGiven() {
		say("signing key", "a new one, in %s", a.keyFile())
	} else {
		say("signing key", "the given one, from now on")
	}
	fmt.Fprint(p.stdout, `
Next: specterd serve, which brings the history up to date with the node; then
      specterd doctor; and tell the users above that they need new tokens.
      If somebody lost access since the backup was made, take it away again.
`)
}

// quoteSome lists some of many.
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
