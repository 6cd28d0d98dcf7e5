package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/specterd/specterd/internal/auth"
)

const (
	bcryptCost = 12 // as specterd has it by default
	samples    = 30
	// createBar is what making a token may take beyond bcrypt.
	createBar = 5 * time.Millisecond
)

// sample is one comparison of a password by itself, and one token made with a
// password right after.
type sample struct{ bcrypt, create time.Duration }

// measureCreate makes tokens with a password, one after the other. What that
// takes beyond a bare bcrypt comparison of the same cost is specterd's doing.
func measureCreate(ctx context.Context, address string, stdout io.Writer) error {
	hash, err := bcrypt.GenerateFromPassword([]byte(auth.DefaultPassword), bcryptCost)
	if err != nil {
		return err
	}
	var all []sample
	for i := range samples + 1 {
		var s sample
		start := clock()
		if err := bcrypt.CompareHashAndPassword(hash, []byte(auth.DefaultPassword)); err != nil {
			return err
		}
		s.bcrypt = clock().Sub(start)
		start = clock()
		if err := createToken(ctx, address, i); err != nil {
			return fmt.Errorf("make a token: %w", err)
		}
		s.create = clock().Sub(start)
		if i > 0 { // the first is to warm up
			all = append(all, s)
		}
	}
	whole := ordered(all, func(s sample) float64 { return milliseconds(s.create) })
	alone := ordered(all, func(s sample) float64 { return milliseconds(s.bcrypt) })
	rest := ordered(all, func(s sample) float64 { return milliseconds(s.create - s.bcrypt) })
	_, err = fmt.Fprintf(stdout, "\n%s: POST /api/v1alpha/token/ with a password takes %.2f ms, bcrypt at cost %d alone %.2f ms, medians of %d in turn.\n"+
		"  The rest is %.2f ms at the median (quartiles %.2f to %.2f), bar ≤ %.2f ms: %s\n",
		nameCreate, median(whole), bcryptCost, median(alone), samples,
		median(rest), rest[len(rest)/4], rest[len(rest)*3/4], milliseconds(createBar), verdict(median(rest) <= milliseconds(createBar)))
	return err
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
