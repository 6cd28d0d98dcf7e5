package system

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func (s *server) delete(made madeToken) {
	s.t.Helper()
	if status := call(s.t.Context(), http.MethodDelete, s.url+"/api/v1/tokens/"+made.ID, "", nil, nil); status != http.StatusOK {
		s.t.Fatalf("delete: status %d\n%s", status, s.log)
	}
}

// use makes a request with each token and checks the status of the response.
func (s *server) use(want int, tokens ...madeToken) {
	s.t.Helper()
	for i, made := range tokens {
		if got := call(s.t.Context(), http.MethodGet, s.url+"/api/v1/tokens/self", made.Secret, nil, nil); got != want {
			s.t.Errorf("token %d: status %d, want %d\n%s", i, got, want, s.log)
		}
	}
}

// key runs a specterd key command, which must succeed, and returns its output.
func key(t *testing.T, dir string, environment []string, args ...string) string {
	t.Helper()
	cmd := tool(t, dir, append([]string{"key"}, args...)...)
	cmd.Env = append(cmd.Env, environment...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("specterd key %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// commandApp opens a data directory in this process, as a command does.
func commandApp(t *testing.T, dir string) *app.App {
	t.Helper()
	return openApp(t, map[string]string{"SPECTER_DATA_FOLDER": dir, "SPECTER_BCRYPT_COST": "4", "HOME": dir}, app.Creating)
}

func keysIn(t *testing.T, dir string) auth.Keys {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "secret_key"))
	testkit.Check(t, err)
	keys, err := auth.ParseKeys(text)
	testkit.Check(t, err)
	return keys
}

// TestKeyRotation rotates the key twice while the server is running, with valid tokens of all
// three keys. Revoked tokens stay revoked, and keys without valid tokens are dropped.
func TestKeyRotation(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir)
	first, gone := s.token("first"), s.token("gone")
	s.use(http.StatusOK, first, gone)
	first1 := keysIn(t, dir)[0]
	key(t, dir, nil, "rotate")
	second := s.token("second")
	key(t, dir, nil, "rotate")
	s.use(http.StatusOK, first, gone, second) // works before and after the server loads the third key
	third := s.token("third")
	s.delete(gone)
	s.use(http.StatusOK, first, second, third)
	keys := keysIn(t, dir)
	if len(keys) != 3 {
		t.Fatalf("%d keys are in the file", len(keys))
	}
	shown := key(t, dir, nil, "show")
	for _, k := range keys {
		if !strings.Contains(shown, auth.Fingerprint(k)) || strings.Contains(shown, string(k)) || strings.Contains(s.log.String(), string(k)) {
			t.Errorf("the output is\n%s", shown)
		}
	}
	if n := strings.Count(shown, " 1\n"); n != 3 {
		t.Errorf("each key has one valid token, but the output is\n%s", shown)
	}

	s.kill()
	s = startServer(t, dir)
	s.use(http.StatusOK, first, second, third)
	s.use(http.StatusUnauthorized, gone)

	s.delete(first)
	a := commandApp(t, dir)
	ahead := time.Duration(0)
	a.Watch = clock.NewWatch(a.Log, func() time.Time { return time.Now().Add(ahead) }, clock.Steady)
	ahead = 2 * time.Hour
	testkit.Check(t, a.DropOldKeys(t.Context()))
	if n := len(keysIn(t, dir)); n != 3 {
		t.Errorf("%d keys are left with an unreliable clock", n)
	}
	ahead = 0
	testkit.Check(t, a.DropOldKeys(t.Context()))
	if keys := keysIn(t, dir); len(keys) != 2 || keys.Find(auth.Fingerprint(first1)) != nil {
		t.Errorf("%d keys are in the file although the first has no valid tokens", len(keys))
	}
	s.use(http.StatusUnauthorized, first, gone)
	s.use(http.StatusOK, second, third)

	out := key(t, dir, nil, "rotate", "--revoke", "--yes")
	if strings.Count(out, "Revoked 1 token of the key") != 2 || len(keysIn(t, dir)) != 1 {
		t.Errorf("after --revoke %d keys are in the file; the output is\n%s", len(keysIn(t, dir)), out)
	}
	s.use(http.StatusUnauthorized, first, gone, second, third)
	fourth := s.token("fourth")
	s.use(http.StatusOK, fourth)
	if info, err := os.Stat(filepath.Join(dir, "secret_key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("other users can read the key: %v, %v", info.Mode(), err)
	}
	list, err := tool(t, dir, "audit", "list", "--action", "key").CombinedOutput()
	if err != nil || bytes.Count(list, []byte("key.rotate")) != 3 || bytes.Count(list, []byte("key.drop")) != 3 {
		t.Errorf("the audit log: %v\n%s", err, list)
	}
	if out, err := tool(t, dir, "audit", "verify").CombinedOutput(); err != nil {
		t.Errorf("audit verify: %v\n%s", err, out)
	}
}

// TestKeyRotation_AsRoot checks that the server can read a key that root rotated.
func TestKeyRotation_AsRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("nothing to check unless the test runs as root")
		return
	}
	const nobody = 65534
	dir := t.TempDir()
	initialize(t, dir)
	testkit.Check(t, os.Chown(dir, nobody, nobody))
	key(t, dir, nil, "rotate")
	for _, name := range []string{"secret_key", "secret_key.lock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		testkit.Check(t, err)
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != nobody || owner.Gid != nobody {
			t.Errorf("%s belongs to %d", name, owner.Uid)
		}
	}
}

// TestPlantedSymlinks checks a data directory in which the service account replaced files
// by symbolic links to a file of root. Commands that root runs neither write to that file
// nor change its owner.
func TestPlantedSymlinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("nothing to check unless the test runs as root")
		return
	}
	const nobody, content = 65534, "a file of root's"
	target := filepath.Join(t.TempDir(), "target")
	testkit.Check(t, os.WriteFile(target, []byte(content), 0o600))
	unharmed := func(what string) {
		t.Helper()
		got, err := os.ReadFile(target)
		testkit.Check(t, err)
		info, err := os.Stat(target)
		testkit.Check(t, err)
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 0 || string(got) != content {
			t.Fatalf("%s: the target belongs to %d and has %q", what, owner.Uid, got)
		}
	}
	plant := func(dir, name string) {
		t.Helper()
		testkit.Check(t, os.RemoveAll(filepath.Join(dir, name)))
		testkit.Check(t, os.Symlink(target, filepath.Join(dir, name)))
		testkit.Check(t, os.Lchown(filepath.Join(dir, name), nobody, nobody))
	}
	for _, name := range []string{"secret_key.new", "secret_key.lock", "specterd.db.lock", "specterd.db-wal"} {
		dir := t.TempDir()
		initialize(t, dir)
		testkit.Check(t, os.Chown(dir, nobody, nobody))
		plant(dir, name)
		_ = tool(t, dir, "key", "rotate").Run() // may fail
		unharmed(name)
	}
	for _, name := range []string{"specterd.db", "secret_key.new", "in-use.new", "specterd.db.lock"} { // the links are planted before the first start
		dir := t.TempDir()
		testkit.Check(t, os.Chown(dir, nobody, nobody))
		plant(dir, name)
		_ = tool(t, dir, "user", "list", "--init").Run()
		unharmed(name)
	}
	dir, elsewhere := t.TempDir(), t.TempDir()
	initialize(t, dir)
	testkit.Check(t, os.Chown(dir, nobody, nobody))
	testkit.Check(t, os.Symlink(elsewhere, filepath.Join(dir, "backups")))
	testkit.Check(t, os.Lchown(filepath.Join(dir, "backups"), nobody, nobody))
	out, err := tool(t, dir, "backup").CombinedOutput()
	if entries, e := os.ReadDir(elsewhere); err == nil || e != nil || len(entries) > 0 {
		t.Errorf("a backup followed a link: %v, %v, %v\n%s", entries, e, err, out)
	}
}

// TestKeyRotation_Interrupted checks that, after an interruption at any point of a rotation, the
// server starts, accepts all valid tokens, and can rotate again.
func TestKeyRotation_Interrupted(t *testing.T) {
	for name, breakOff := range map[string]func(t *testing.T, a *app.App){
		"while the file is written": func(t *testing.T, a *app.App) {
			testkit.Check(t, os.WriteFile(a.KeyFile()+".new", []byte("0123"), 0o600))
		},
		"before the database knows": func(t *testing.T, a *app.App) {
			addKey(t, a)
		},
		"when the database knows": func(t *testing.T, a *app.App) {
			testkit.Check(t, a.Store.RotateKey(t.Context(), known(t, a)[0].Fingerprint, addKey(t, a), auth.Event{At: a.Now()}))
		},
		"before the old key is taken out of the file": func(t *testing.T, a *app.App) {
			r, err := a.RotateKey(t.Context(), auth.Operator("root"), false) // the previous key has no tokens and is dropped
			testkit.Check(t, err)
			keys := keysIn(t, a.Config.DataFolder)
			_, err = a.RotateKey(t.Context(), auth.Operator("root"), false)
			testkit.Check(t, err)
			if len(known(t, a)) < 3 || r.To == "" {
				t.Fatal("nothing was rotated")
			}
			writeKeys(t, a, append(keysIn(t, a.Config.DataFolder), keys.Find(r.To))) // restores the file as it was before the key was removed
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := startServer(t, dir)
			before, gone := s.token("before"), s.token("gone")
			s.delete(gone)
			s.kill()
			breakOff(t, commandApp(t, dir))
			s = startServer(t, dir)
			after := s.token("after")
			s.use(http.StatusOK, before, after)
			s.use(http.StatusUnauthorized, gone)
			key(t, dir, nil, "rotate")
			last := s.token("last")
			s.use(http.StatusOK, before, after, last)
			a := commandApp(t, dir)
			counted := slices.DeleteFunc(known(t, a), func(k auth.SigningKey) bool { return !k.Accepted() })
			if keys := keysIn(t, dir); len(keys) != len(counted) {
				t.Errorf("%d keys are in the file, %d are valid", len(keys), len(counted))
			}
		})
	}
}

// addKey adds an unused key to the key file and returns its fingerprint.
func addKey(t *testing.T, a *app.App) string {
	t.Helper()
	added := []byte(strings.Repeat("0123456789abcdef", 4))
	writeKeys(t, a, append(keysIn(t, a.Config.DataFolder), added))
	return auth.Fingerprint(added)
}

func writeKeys(t *testing.T, a *app.App, keys auth.Keys) {
	t.Helper()
	text, err := keys.Text()
	testkit.Check(t, err)
	testkit.Check(t, os.WriteFile(a.KeyFile(), text, 0o600))
}

func known(t *testing.T, a *app.App) []auth.SigningKey {
	t.Helper()
	keys, err := a.Store.SigningKeys(t.Context())
	testkit.Check(t, err)
	return keys
}

// TestKeyRotation_Postgres checks that two processes on PostgreSQL use the signing key that
// is current in the database and accept each other's tokens, including during a rolling
// restart.
func TestKeyRotation_Postgres(t *testing.T) {
	database := "SPECTER_DATABASE_URL=" + testkit.Postgres(t)
	old, next := testKey, strings.Repeat("fedcba98", 8)
	file := filepath.Join(t.TempDir(), "keys")
	write := func(keys ...string) {
		testkit.Check(t, os.WriteFile(file, []byte(strings.Join(keys, "\n")+"\n"), 0o600))
	}
	write(old)
	fromFile := []string{database, "SECRET_KEY_FILE=" + file}
	one := startServer(t, t.TempDir(), fromFile...)
	two := startServer(t, t.TempDir(), database, "SECRET_KEY="+old)
	first := one.token("first")
	two.use(http.StatusOK, first)

	refused := tool(t, t.TempDir(), "key", "rotate")
	refused.Env = append(refused.Env, fromFile...)
	if out, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(out), "has no unused key") {
		t.Errorf("without a next key: %v\n%s", err, out)
	}
	write(old, next) // server one reads the key file when it finds an unknown key
	two.kill()       // server two still has the keys that it loaded at its start
	two = startServer(t, t.TempDir(), database, "SECRET_KEY="+old+"\n"+next)
	second := two.token("second") // signed with the old key
	one.use(http.StatusOK, first, second)
	if shown := key(t, t.TempDir(), fromFile, "show"); !strings.Contains(shown, "new, used after") {
		t.Errorf("the output is\n%s", shown)
	}
	key(t, t.TempDir(), fromFile, "rotate")
	third, fourth := one.token("third"), two.token("fourth")
	one.use(http.StatusOK, first, second, third, fourth)
	two.use(http.StatusOK, first, second, third, fourth)

	// A process without the required key does not start, and drops no key.
	write(old)
	forgotten := startServerFails(t, t.TempDir(), fromFile...)
	if !strings.Contains(forgotten, "does not match the database") {
		t.Errorf("the output is %s", forgotten)
	}
	write(next)
	if out := startServerFails(t, t.TempDir(), fromFile...); !strings.Contains(out, "2 valid tokens of the key with fingerprint ") {
		t.Errorf("the output is %s", out)
	}

	// A key without valid tokens is dropped permanently.
	write(old, next)
	two.delete(first)
	two.delete(second)
	write(old, next, strings.Repeat("00ff", 16))
	key(t, t.TempDir(), fromFile, "rotate")
	one.use(http.StatusOK, third, fourth)
	one.use(http.StatusUnauthorized, first, second)
	cmd := tool(t, t.TempDir(), "key", "rotate")
	cmd.Env = append(cmd.Env, fromFile...)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "has no unused key") {
		t.Errorf("after it was dropped: %v\n%s", err, out)
	}
	// Server two lacks the newest key, so it refuses such requests temporarily.
	if status := call(t.Context(), http.MethodPost, two.url+"/api/v1/tokens", "", map[string]any{"description": "x", "lifetime": "1 hour"}, nil); status != http.StatusServiceUnavailable {
		t.Errorf("a token without a key: status %d", status)
	}
	fifth := one.token("fifth")
	two.use(http.StatusServiceUnavailable, fifth)
	two.use(http.StatusOK, third, fourth)
}

// startServerFails starts a server, which must exit with an error, and returns its output.
func startServerFails(t *testing.T, dir string, environment ...string) string {
	t.Helper()
	cmd := tool(t, dir, "serve")
	cmd.Env = append(cmd.Env, environment...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the server started")
	}
	return string(out)
}
