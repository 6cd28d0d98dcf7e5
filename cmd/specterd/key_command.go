package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
)

func (p *program) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "key", Short: "Show and rotate the key that signs tokens; works beside a running server",
	}
	addDataFlags(cmd.PersistentFlags())
	cmd.AddCommand(p.keyShowCommand(), p.keyRotateCommand())
	return cmd
}

func (p *program) keyShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "List the signing keys by their fingerprints, and how many living tokens each has", Args: cobra.NoArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app, _ []string) error {
			known, keys, err := a.bothKeys(cmd.Context())
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "FINGERPRINT\tSTATE\tSINCE\tTOKENS")
			for _, k := range known {
				n, err := a.store.TokensOfKey(cmd.Context(), k.Fingerprint)
				if err != nil {
					return err
				}
				state, since := keyState(k)
				if k.Accepted() && keys.Find(k.Fingerprint) == nil {
					state += ", but missing in " + a.keyPlace()
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", k.Fingerprint, state, since.UTC().Format(timeLayout), n)
			}
			if a.keysAreGiven() {
				for _, fingerprint := range unused(known, keys) {
					fmt.Fprintf(w, "%s\tnew: specterd key rotate has it sign\t-\t0\n", fingerprint)
				}
			}
			return w.Flush()
		}),
	}
}

func keyState(k auth.SigningKey) (state string, since time.Time) {
	switch {
	case !k.Accepted():
		return "dropped", k.DroppedAt
	case k.Signs():
		return "signs", k.CreatedAt
	}
	return "accepted until its tokens end", k.RetiredAt
}

func (p *program) keyRotateCommand() *cobra.Command {
	var revoke bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Have a new key sign tokens; those of the old one live on until they end", Args: cobra.NoArgs,
		Long: `Have a new key sign tokens; those of the old one live on until they end.

Running servers notice by themselves. The old key is accepted as long as a token of it
lives, and is dropped then: by the server within an hour, or by the next rotate.

The key is made here, unless keys are given in SECRET_KEY or SECRET_KEY_FILE, one a
line: then it is the one there that was never used.

Of a key that leaked: --revoke ends all tokens that were signed until now, at once.
Those that were brought along from Specter Desktop are of no key, and live on.`,
		RunE: p.withApp(func(cmd *cobra.Command, a *app, _ []string) error {
			r, err := a.rotateKey(cmd.Context(), operator(), revoke)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "New tokens are signed with the key %s, and no more with %s.\n", r.to, r.from)
			for _, d := range r.dropped {
				if d.Ended > 0 {
					fmt.Fprintf(p.stdout, "%d tokens of the key %s ended, and those made with them.\n", d.Ended, d.Fingerprint)
				}
				fmt.Fprintf(p.stdout, "No token is left of the key %s: it was dropped.\n", d.Fingerprint)
			}
			if a.keysAreGiven() {
				fmt.Fprintf(p.stdout, "Take keys that were dropped (specterd key show) out of %s.\n", a.keyPlace())
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&revoke, "revoke", false, "end all tokens that were signed with the keys until now, and drop these")
	return cmd
}
