package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

const (
	loginsARound   = 10   // logins for each name and round
	loginTolerance = 0.02 // maximum relative difference of the medians
	triedPassword  = "not the password that anybody has"
)

// loginNames are the user names of the measured login attempts, one of each kind.
var loginNames = []string{ordinaryLogin, "unknown", "imported", "disabled"}

const ordinaryLogin = "ordinary"

// measureLogin measures failed logins of existing, imported, disabled and unknown
// users, whose durations must not differ measurably. The order within each round is
// random. Only the medians are judged; on a busy machine, more rounds are required
// to meet the goal. The medians of the server's CPU time are also shown.
func measureLogin(ctx context.Context, b *bench) error {
	s := seeded{folder: b.dir + "/login", key: newKey()}
	if err := s.addLogins(ctx); err != nil {
		return err
	}
	// Each login has another client address, since the server permits only a few
	// failed logins per address.
	up, err := s.serve(ctx, b, "SPECTER_TRUSTED_PROXIES=127.0.0.1")
	if err != nil {
		return err
	}
	defer up.stop()
	if err := up.calm(ctx); err != nil {
		return err
	}
	took, worked := map[string][]time.Duration{}, map[string][]time.Duration{}
	order := slices.Clone(loginNames)
	for i := range b.rounds*loginsARound + 1 {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] }) //nolint:gosec // need not be unpredictable
		for _, name := range order {
			before := up.threadTime()
			one, err := up.refuse(ctx, name, fmt.Sprintf("10.%d.%d.%d", i>>8, i&255, len(took[name])&255))
			if err != nil {
				return err
			}
			if i > 0 { // the first round is a warm-up and is not counted
				took[name], worked[name] = append(took[name], one), append(worked[name], up.threadTime()-before)
			}
		}
	}
	var figures []figure
	for _, name := range loginNames {
		f := timed(figure{name: nameLogin, what: "a login is refused at bcrypt cost 12, " + name + " name"}, took[name])
		if name != ordinaryLogin {
			ratio := func(of map[string][]time.Duration) float64 {
				return middle(of[name]).Seconds() / middle(of[ordinaryLogin]).Seconds()
			}
			f.against = ordinaryLogin + ": " + duration(middle(took[ordinaryLogin]))
			f.ratio, f.processor = fmt.Sprintf("%.3f", ratio(took)), fmt.Sprintf("%.3f", ratio(worked))
			f.goal = fmt.Sprintf("%.2f–%.2f", 1-loginTolerance, 1+loginTolerance)
			f.good = math.Abs(ratio(took)-1) <= loginTolerance
		}
		figures = append(figures, f)
	}
	return printFigures(b.stdout, figures)
}

// addLogins creates a data directory with a user of each kind.
func (s *seeded) addLogins(ctx context.Context) (err error) {
	if err := s.addUser(ctx); err != nil {
		return err
	}
	db, err := openStore(ctx, s.database())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	passwords, err := auth.NewPasswords(productionCost, runtime.NumCPU())
	if err != nil {
		return err
	}
	users, operator := auth.NewUsers(db, passwords, clock), auth.Operator("bench")
	if _, err := users.CreateFirst(ctx, newKey()); err != nil {
		return err
	}
	for _, name := range []string{ordinaryLogin, "disabled"} {
		if _, err := users.Create(ctx, operator, name, newKey(), false); err != nil {
			return err
		}
	}
	disabled := true
	if _, err := users.Change(ctx, operator, "disabled", auth.UserChange{Disabled: &disabled}); err != nil {
		return err
	}
	salt := base64.StdEncoding.EncodeToString(make([]byte, 32))
	hash, err := pbkdf2.Key(sha256.New, newKey(), []byte(salt), 10_000, 32)
	if err != nil {
		return err
	}
	_, _, err = auth.NewImports(db, passwords, clock).User(ctx, operator, auth.ForeignUser{Origin: "bench/imported", Name: "imported", Salt: salt, Hash: hash}, false)
	return err
}

// refuse makes a login with a wrong password, and returns its duration.
func (s *server) refuse(ctx context.Context, name, from string) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/api/v1/users/me", http.NoBody)
	if err != nil {
		return 0, err
	}
	r.SetBasicAuth(name, triedPassword)
	r.Header.Set("X-Forwarded-For", from)
	start := clock()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	took := clock().Sub(start)
	if err = errors.Join(err, response.Body.Close()); err == nil && response.StatusCode != http.StatusUnauthorized {
		err = fmt.Errorf("a login of %s was answered with %s", name, response.Status)
	}
	return took, err
}
