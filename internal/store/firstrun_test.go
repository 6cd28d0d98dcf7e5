package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const local = "127.0.0.1"

// newInstallation is a database after its first start with the default password.
func newInstallation(b *fixture) *visitors {
	b.t.Helper()
	v := newVisitors(b)
	testkit.Value(v.users.CreateFirst(b.t.Context(), ""))(b.t)
	return v
}

func (v *visitors) wantPending(f *auth.FirstRun, want bool) {
	v.t.Helper()
	if got := testkit.Value(f.Pending(v.t.Context()))(v.t); got != want {
		v.t.Errorf("the first password is awaited: %t", got)
	}
}

func (v *visitors) signsIn(password string) bool {
	v.t.Helper()
	_, err := v.login.Password(v.t.Context(), auth.FirstAdmin, password, local)
	if err != nil && !errors.Is(err, auth.ErrUnauthenticated) {
		v.t.Fatal(err)
	}
	return err == nil
}

func TestFirstRun_Loopback(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newInstallation(b)
		f := auth.NewFirstRun(v.users, v.login, true, "")
		v.wantPending(f, true)
		for _, bad := range []string{"", "short", auth.DefaultPassword, "password", strings.Repeat("x", 73), "adminadmin"} {
			if err := f.Set(t.Context(), "", bad, local); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q: %v", bad, err)
			}
		}
		v.wantPending(f, true)
		if !v.signsIn(auth.DefaultPassword) {
			t.Error("scripts cannot use the default password although no other one is set")
		}
		secret, _, err := v.sessions.Start(t.Context(), auth.FirstAdmin, auth.DefaultPassword, local, clientAgent)
		testkit.Check(t, err)
		for _, c := range []struct {
			address string
			needs   bool
		}{{local, false}, {"::1", false}, {"::ffff:127.0.0.1", false}, {"192.0.2.1", true}, {"fe80::1", true}, {"", true}, {"localhost", true}} {
			if f.NeedsCode(c.address) != c.needs {
				t.Errorf("%q needs a code: %t", c.address, !c.needs)
			}
			if !c.needs {
				continue
			}
			if err := f.Set(t.Context(), "", goodPassword, c.address); !errors.Is(err, auth.ErrSetupCode) {
				t.Errorf("from %q without a code: %v", c.address, err)
			}
		}
		testkit.Check(t, f.Set(t.Context(), "", goodPassword, local))
		v.wantPending(f, false)
		if v.signsIn(auth.DefaultPassword) || !v.signsIn(goodPassword) {
			t.Error("the password was not replaced")
		}
		v.wantEnded("with the default password", secret)
		if err := f.Set(t.Context(), "", "another horse battery", local); !errors.Is(err, auth.ErrFirstRunDone) {
			t.Errorf("a second time: %v", err)
		}
		if n := b.count("SELECT count(*) FROM audit WHERE user_name = 'first run' AND action = 'user.change' AND target = 'admin' AND detail = 'first password' AND address = '127.0.0.1'"); n != 1 {
			t.Errorf("%d audit events", n)
		}
	})
}

func TestFirstRun_Code(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newInstallation(b)
		v.login.RefuseDefaultPasswords()
		code := auth.NewSetupCode()
		if len(code) != 26 || code == auth.NewSetupCode() {
			t.Errorf("the code is %s", code)
		}
		f := auth.NewFirstRun(v.users, v.login, false, code)
		v.wantPending(f, true)
		for _, address := range []string{local, clientAddress} {
			if !f.NeedsCode(address) {
				t.Errorf("%s needs no code", address)
			}
		}
		wrong := []string{"", auth.NewSetupCode(), code[:25], code + "A"}
		for i := range auth.MaxFailures {
			if err := f.Set(t.Context(), wrong[i%len(wrong)], goodPassword, clientAddress); !errors.Is(err, auth.ErrSetupCode) {
				t.Errorf("%q: %v", wrong[i%len(wrong)], err)
			}
		}
		if err := f.Set(t.Context(), code, goodPassword, clientAddress); !errors.Is(err, auth.ErrTooManyFailures) {
			t.Errorf("after wrong codes: %v", err)
		}
		v.wantPending(f, true)
		if v.signsIn(auth.DefaultPassword) {
			t.Error("the default password is accepted")
		}
		v.recorder.Flush(t.Context())
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'login' AND outcome = 'refused' AND detail = 'setup code' AND address = $1", clientAddress); n != 1 {
			t.Errorf("%d audit events", n)
		}
		b.now = b.now.Add(time.Minute)
		if err := f.Set(t.Context(), code, "short", clientAddress); fault.KindOf(err) != fault.Invalid || errors.Is(err, auth.ErrSetupCode) {
			t.Errorf("a short password: %v", err)
		}
		testkit.Check(t, f.Set(t.Context(), " "+strings.ToLower(code[:13])+"-"+code[13:]+"\n", goodPassword, clientAddress))
		if err := f.Set(t.Context(), code, "another horse battery", clientAddress); !errors.Is(err, auth.ErrFirstRunDone) {
			t.Errorf("a second time: %v", err)
		}
		if !v.signsIn(goodPassword) {
			t.Error("the password was not set")
		}
	})
}

// TestFirstRun_NotPending checks that the password is not set if the admin does not await
// it.
func TestFirstRun_NotPending(t *testing.T) {
	for name, change := range map[string]string{
		"password set": "UPDATE users SET password_is_default = FALSE WHERE name = 'admin'",
		"disabled":     "UPDATE users SET disabled_at = 1 WHERE name = 'admin'",
		"no admin":     "UPDATE users SET is_admin = FALSE WHERE name = 'admin'",
		"deleted":      "DELETE FROM users WHERE name = 'admin'",
	} {
		t.Run(name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, b *fixture) {
				v := newInstallation(b)
				before := b.rows("SELECT name, password_hash FROM users WHERE name <> 'admin'")
				f := auth.NewFirstRun(v.users, v.login, true, "")
				b.exec(change)
				v.wantPending(f, false)
				if err := f.Set(t.Context(), "", goodPassword, local); !errors.Is(err, auth.ErrFirstRunDone) {
					t.Errorf("got %v", err)
				}
				if v.signsIn(goodPassword) || b.rows("SELECT name, password_hash FROM users WHERE name <> 'admin'") != before {
					t.Error("a password was set")
				}
			})
		})
	}
}

// TestFirstRun_SetMeanwhile checks that the second of two browsers that began at the same time
// does not replace the password of the first.
func TestFirstRun_SetMeanwhile(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newInstallation(b)
		first := auth.NewFirstRun(v.users, v.login, true, "")
		slow := auth.NewUsers(meanwhile{b.Store, func() { testkit.Check(t, first.Set(t.Context(), "", goodPassword, local)) }}, v.passwords, func() time.Time { return b.now })
		if err := auth.NewFirstRun(slow, v.login, true, "").Set(t.Context(), "", "another horse battery", local); !errors.Is(err, auth.ErrFirstRunDone) {
			t.Errorf("the second browser: %v", err)
		}
		if !v.signsIn(goodPassword) || v.signsIn("another horse battery") {
			t.Error("the second browser replaced the password")
		}
	})
}

// TestFirstRun_Concurrent checks that only one of several browsers sets the password, also
// in several processes.
func TestFirstRun_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newInstallation(b)
		passwords := []string{"correct horse battery 1", "correct horse battery 2", "correct horse battery 3", "correct horse battery 4"}
		results := make([]chan error, len(passwords))
		for i, password := range passwords {
			p := v
			if i%2 == 1 {
				p = v.process()
			}
			results[i] = make(chan error, 1)
			go func() {
				results[i] <- auth.NewFirstRun(p.users, p.login, true, "").Set(t.Context(), "", password, local)
			}()
		}
		succeeded := 0
		for i, password := range passwords {
			err := <-results[i]
			if err != nil && !errors.Is(err, auth.ErrFirstRunDone) {
				t.Error(err)
			}
			if err == nil {
				succeeded++
			}
			if v.signsIn(password) != (err == nil) {
				t.Errorf("the password %d is valid although the result is %v, or the reverse", i, err)
			}
		}
		if succeeded != 1 {
			t.Errorf("%d succeeded", succeeded)
		}
	})
}
