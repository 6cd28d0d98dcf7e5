package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/specterd/specterd/internal/auth"
)

const (
	productionCost = 12 // bcrypt cost, specterd's default
	lowestCost     = 4
	samples        = 30
	// createGoal is the time limit for creating a token in addition to comparing the
	// password.
	createGoal = 5 * time.Millisecond
	// specterRounds is the number of PBKDF2 rounds that specterd applies to every
	// password before bcrypt, so that login times do not reveal imported users.
	specterRounds = 10_000
)

// sample has the durations of a bare password comparison and of the creation of a
// token with a password right after it.
type sample struct{ compare, create time.Duration }

// measureCreate creates tokens with a password, one after the other. The time in
// excess of PBKDF2 and a bare bcrypt comparison of the same cost is specterd's
// overhead, which does not depend on the cost. At the production cost, bcrypt takes
// hundreds of milliseconds and its noise hides the overhead, so only the result at
// the lowest cost is judged.
func measureCreate(ctx context.Context, b *bench) error {
	for _, cost := range []int{productionCost, lowestCost} {
		folder := filepath.Join(b.dir, fmt.Sprintf("cost-%d", cost))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		s, err := startSpecterd(ctx, b.binary, folder, newKey(), fmt.Sprintf("SPECTER_BCRYPT_COST=%d", cost))
		if err != nil {
			return err
		}
		all, err := sampleCreate(ctx, s.address, cost)
		s.stop()
		if err != nil {
			return err
		}
		whole := ordered(all, func(s sample) float64 { return milliseconds(s.create) })
		alone := ordered(all, func(s sample) float64 { return milliseconds(s.compare) })
		rest := ordered(all, func(s sample) float64 { return milliseconds(s.create - s.compare) })
		said := "too noisy to judge by"
		if cost == lowestCost {
			said = b.stdout.verdict(median(rest) <= milliseconds(createGoal))
		}
		_, err = fmt.Fprintf(b.stdout, "%s: POST /api/v1alpha/token/ with a password takes %.2f ms at bcrypt cost %d, PBKDF2 and bcrypt alone %.2f ms (medians of %d in turn);\n"+
			"  the rest %.2f ms (quartiles %.2f to %.2f), goal ≤ %.0f ms: %s\n",
			nameCreate, median(whole), cost, median(alone), samples,
			median(rest), rest[len(rest)/4], rest[len(rest)*3/4], milliseconds(createGoal), said)
		if err != nil {
			return err
		}
	}
	return nil
}

func sampleCreate(ctx context.Context, address string, cost int) ([]sample, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(auth.DefaultPassword), cost)
	if err != nil {
		return nil, err
	}
	var all []sample
	for i := range samples + 1 {
		var s sample
		start := clock()
		_, err := pbkdf2.Key(sha256.New, auth.DefaultPassword, make([]byte, sha256.Size), specterRounds, sha256.Size)
		if err != nil {
			return nil, err
		}
		if err := bcrypt.CompareHashAndPassword(hash, []byte(auth.DefaultPassword)); err != nil {
			return nil, err
		}
		s.compare = clock().Sub(start)
		start = clock()
		if err := createToken(ctx, address, i); err != nil {
			return nil, fmt.Errorf("make a token: %w", err)
		}
		s.create = clock().Sub(start)
		if i > 0 { // the first round is a warm-up and is not counted
			all = append(all, s)
		}
	}
	return all, nil
}

func createToken(ctx context.Context, address string, i int) error {
	body := fmt.Sprintf(`{"jwt_token_description": "bench %d", "jwt_token_life": "1 day"}`, i)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/api/v1alpha/token/", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(auth.FirstAdmin, auth.DefaultPassword)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusCreated {
		err = fmt.Errorf("unexpected response: %s: %s", response.Status, text)
	}
	return err
}
