package store_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestRefusedLogins_BoundedAuditLog checks that guessing user names does not fill the
// audit log, and that its hash chain stays intact.
func TestRefusedLogins_BoundedAuditLog(t *testing.T) {
	testkit.NeedsTime(t)
	onBothEngines(t, func(t *testing.T, b *fixture) {
		passwords, err := auth.NewPasswords(4, 2)
		must(t, err)
		recorder := auth.NewRecorder(slog.New(slog.DiscardHandler), b.Store)
		login := auth.NewLogin(slog.New(slog.DiscardHandler), b.Store, passwords, nil, recorder, func() time.Time { return b.now })
		const attempts = 300
		for i := range attempts {
			_, err := login.Password(t.Context(), fmt.Sprint("nobody ", i), "wrong password", fmt.Sprintf("10.0.%d.1", i%100))
			if !errors.Is(err, auth.ErrUnauthenticated) {
				t.Fatal(err)
			}
		}
		recorder.EndLoginCounts()
		recorder.Flush(t.Context())
		if n := b.count("SELECT count(*) FROM audit WHERE outcome = 'refused'"); n > 70 {
			t.Errorf("%d entries", n)
		}
		must(t, b.SealAudit(t.Context()))
		if r := b.verify(""); len(r.Problems) > 0 {
			t.Error(r.Problems)
		}
	})
}
