package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "key", Short: "Show and rotate the key that signs tokens",
	}
	addDataFlags(cmd.PersistentFlags())
	cmd.AddCommand(p.keyShowCommand(), p.keyRotateCommand())
	return cmd
}

func (p *program) keyShowCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "show", Short: "List the signing keys and their numbers of valid tokens", Args: cobra.NoArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
			known, err := a.Store.SigningKeys(cmd.Context())
			if err != nil {
				return err
			}
			keys, unread := a.ReadKeys()
			if unread != nil {
				fmt.Fprintln(p.stderr, "Which keys this machine has is unknown:", unread)
			}
			var rows []keyRow
			for _, k := range known {
				n, err := a.Store.TokensOfKey(cmd.Context(), k.Fingerprint)
				if err != nil {
					return err
				}
				state, since := keyState(k)
				if unread == nil && k.Accepted() && keys.Find(k.Fingerprint) == nil {
					state += ", but missing from " + a.KeyLocation()
				}
				since = since.UTC()
				rows = append(rows, keyRow{k.Fingerprint, state, &since, n})
			}
			if unread == nil && a.HasConfiguredKeys() {
				for _, fingerprint := range app.UnusedKeys(known, keys) {
					rows = append(rows, keyRow{fingerprint, "new, used after specterd key rotate", nil, 0})
				}
			}
			return printRows(
				p, cmd, rows, func(k keyRow) any { return k },
				col("FINGERPRINT", func(k keyRow) string { return k.Fingerprint }),
				col("STATE", func(k keyRow) string { return k.State }),
				col("SINCE", keyRow.since),
				column[keyRow]{"TOKENS", func(k keyRow) string { return strconv.Itoa(k.Tokens) }, true},
			)
		}),
	})
}

// keyRow is a signing key of the list.
type keyRow struct {
	Fingerprint string     `json:"fingerprint"`
	State       string     `json:"state"`
	Since       *time.Time `json:"since"` // nil for a new key
	Tokens      int        `json:"tokens"`
}

func (k keyRow) since() string {
	if k.Since == nil {
		return "-"
	}
	return k.Since.Format(timeLayout)
}

func keyState(k auth.SigningKey) (state string, since time.Time) {
	switch {
	case !k.Accepted():
		return "dropped", k.DroppedAt
	case k.Signs():
		return "signs", k.CreatedAt
	}
	return "accepted until its tokens expire", k.RetiredAt
}

func (p *program) keyRotateCommand() *cobra.Command {
	var revoke bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Rotate the signing key (existing tokens stay valid)", Args: cobra.NoArgs,
		Long: `Rotate the key that signs tokens. Existing tokens stay valid until they expire.

Running servers use the new key automatically. The old key is accepted while it has
valid tokens. After that, the server drops it within an hour, or the next rotation does.

This command creates the new key, unless keys are set in SECRET_KEY or SECRET_KEY_FILE,
one per line: then the new key is the one that was never used.

If a key has leaked, use --revoke: it revokes all tokens signed until now, at once.
Tokens imported from Specter Desktop are not signed with these keys and stay valid.`,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
			if revoke {
				if err := p.confirm(cmd, "Rotate the signing key and revoke all tokens that were signed until now?"); err != nil {
					return err
				}
			}
			r, err := a.RotateKey(cmd.Context(), operator(), revoke)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(keyRotationOf(r))
			}
			fmt.Fprintf(p.stdout, "New tokens are now signed with the key %s instead of %s.\n", r.To, r.From)
			for _, d := range r.Dropped {
				if d.Ended > 0 {
					fmt.Fprintf(p.stdout, "Revoked %s of the key %s, and the tokens created by them.\n", text.Count(d.Ended, "token"), d.Fingerprint)
				}
				fmt.Fprintf(p.stdout, "Dropped the key %s, which has no valid tokens left.\n", d.Fingerprint)
			}
			if a.HasConfiguredKeys() {
				fmt.Fprintf(p.stdout, "Remove dropped keys (see specterd key show) from %s.\n", a.KeyLocation())
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&revoke, "revoke", false, "revoke all tokens signed until now, and drop all old keys")
	return addJSON(addYes(cmd))
}

// keyRotation is the output of key rotate --json.
type keyRotation struct {
	From    string       `json:"from"`
	To      string       `json:"to"`
	Dropped []droppedKey `json:"dropped"`
}

type droppedKey struct {
	Fingerprint   string `json:"fingerprint"`
	TokensRevoked int    `json:"tokens_revoked"`
}

func keyRotationOf(r app.KeyRotation) keyRotation {
	out := keyRotation{r.From, r.To, []droppedKey{}}
	for _, d := range r.Dropped {
		out.Dropped = append(out.Dropped, droppedKey{d.Fingerprint, d.Ended})
	}
	return out
}
