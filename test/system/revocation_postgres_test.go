package system

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestTokenRevocation_Postgres checks that, if one of two processes on a PostgreSQL
// database revokes a token, the other refuses it at once.
func TestTokenRevocation_Postgres(t *testing.T) {
	database := "SPECTER_DATABASE_URL=" + testkit.Postgres(t)
	refused := tool(t, t.TempDir(), "serve")
	refused.Env = append(refused.Env, database)
	if out, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(out), "SECRET_KEY") {
		t.Errorf("without a key: %v\n%s", err, out)
	}

	one := startServer(t, t.TempDir(), database, "SECRET_KEY="+testKey)
	two := startServer(t, t.TempDir(), database, "SECRET_KEY="+testKey)
	for i, servers := range [][2]*server{{one, two}, {two, one}} {
		t.Run(fmt.Sprint("created by process ", i+1), func(t *testing.T) {
			var made madeToken
			request := map[string]any{"description": string(rune('a' + i)), "lifetime": "1 hour"}
			if status := call(t.Context(), http.MethodPost, servers[0].url+"/api/v1/tokens", "", request, &made); status != http.StatusCreated {
				t.Fatalf("create: status %d\n%s", status, servers[0].log)
			}
			for range 3 {
				if status := call(t.Context(), http.MethodGet, servers[1].url+"/api/v1/tokens/self", made.Secret, nil, nil); status != http.StatusOK {
					t.Errorf("use at the other process: status %d", status)
				}
			}
			if status := call(t.Context(), http.MethodDelete, servers[0].url+"/api/v1/tokens/"+made.ID, "", nil, nil); status != http.StatusOK {
				t.Errorf("delete: status %d", status)
			}
			for _, s := range servers {
				if status := call(t.Context(), http.MethodGet, s.url+"/api/v1/tokens/self", made.Secret, nil, nil); status != http.StatusUnauthorized {
					t.Errorf("use after the deletion: status %d", status)
				}
			}
		})
	}
}
