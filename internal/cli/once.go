package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/idempotency"
)

// once calls create, which creates an object and returns its id. If a command with the
// same idempotency key has succeeded within 24 hours, also in another process, it returns
// the id of its object instead. An empty key or a dry run (an empty id) is not stored.
func (d *walletCommands) once(cmd *cobra.Command, key string, create func(ctx context.Context) (id string, err error)) (id string, repeated bool, err error) {
	if key == "" {
		id, err = create(cmd.Context())
		return id, false, err
	}
	if !idempotency.IsKey(key) {
		return "", false, fmt.Errorf("--idempotency-key: must have 1 to %d visible ASCII characters", idempotency.MaxKey)
	}
	request := idempotency.Request{UserID: d.who.UserID, Route: cmd.CommandPath(), Key: key, Fingerprint: fingerprintOf(cmd)}
	claim, kept, err := idempotency.New(d.Store, d.Now, nil).Begin(cmd.Context(), request)
	switch {
	case errors.Is(err, idempotency.ErrReused):
		return "", false, errors.New("--idempotency-key: this key was used for a command with other arguments or flags; use a new key for each payment")
	case err != nil:
		return "", false, err
	case kept != nil:
		return string(kept.Body), true, nil
	}
	// An interrupted command completes, like a request whose client has disconnected.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), idempotency.RunsFor)
	defer cancel()
	settling := context.WithoutCancel(ctx)
	if id, err = create(ctx); err != nil || id == "" {
		return id, false, errors.Join(err, claim.Release(settling))
	}
	if err := claim.Keep(settling, idempotency.Answer{Status: http.StatusCreated, Body: []byte(id)}); err != nil {
		return id, false, fmt.Errorf("%s was created, but its idempotency key could not be stored: %w", id, err)
	}
	return id, false, nil
}

// fingerprintOf returns a hash of the arguments of a command and its own flags, except
// flags for its output, and of the contents of a file with recipients.
func fingerprintOf(cmd *cobra.Command) [sha256.Size]byte {
	parts := append([]string(nil), cmd.Flags().Args()...)
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == jsonFlag || f.Name == "psbt" {
			return
		}
		parts = append(parts, "--"+f.Name, f.Value.String())
		if f.Name == recipientsFlag {
			table, _ := os.ReadFile(f.Value.String()) // the command returns the error
			parts = append(parts, string(table))
		}
	})
	var text strings.Builder
	for _, part := range parts {
		fmt.Fprintf(&text, "%d:%s,", len(part), part)
	}
	return sha256.Sum256([]byte(text.String()))
}
