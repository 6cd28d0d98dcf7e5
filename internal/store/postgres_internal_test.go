package store

import (
	"log/slog"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestPostgres_NoCompilation checks that the server compiles no statements of any connection.
func TestPostgres_NoCompilation(t *testing.T) {
	s := testkit.Must(Open(t.Context(), Options{URL: testkit.Postgres(t), Log: slog.New(slog.DiscardHandler), Now: time.Now}))
	t.Cleanup(func() { testkit.Check(t, s.Close()) })
	for range 3 {
		conn := testkit.Must(s.rw.Conn(t.Context()))
		t.Cleanup(func() { testkit.Check(t, conn.Close()) })
		var setting string
		if err := conn.QueryRowContext(t.Context(), "SHOW jit").Scan(&setting); err != nil || setting != "off" {
			t.Errorf("jit is %q, %v", setting, err)
		}
	}
}
