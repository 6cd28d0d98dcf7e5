package main

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
)

const (
	consoleRequests = 300 // for each page
	consoleTimeBar  = 50 * time.Millisecond
	consoleSizeBar  = 60_000 // bytes of a page
	firstLoadBar    = 80_000 // bytes of the first page with its files, compressed
)

// consolePages are the pages of a wallet whose number of transactions is large.
var consolePages = []string{
	"/", "/wallets/" + walletAlias, "/wallets/" + walletAlias + "/receive", "/wallets/" + walletAlias + "/history", "/wallets/" + walletAlias + "/history?q=invoice",
	"/wallets/" + walletAlias + "/utxos", "/wallets/" + walletAlias + "/send", "/wallets/" + walletAlias + "/proposals", "/wallets/" + walletAlias + "/members",
	"/wallets/" + walletAlias + "/settings", "/tokens", "/settings", "/node",
}

// measureConsole measures the pages of the console for a wallet with 100,000 transactions.
func measureConsole(ctx context.Context, b *bench) error {
	s, err := b.history(ctx, walletSizes[len(walletSizes)-1])
	if err != nil {
		return err
	}
	secret, err := s.signIn(ctx)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	up, err := s.serve(ctx, b)
	if err != nil {
		return err
	}
	defer up.stop()
	browser := &browser{reader: newReader(up, s), cookie: "specterd=" + secret}
	var figures []figure
	for _, path := range consolePages {
		f, err := browser.measure(ctx, path)
		if err != nil {
			return err
		}
		figures = append(figures, f)
	}
	first, err := browser.firstLoad(ctx)
	if err != nil {
		return err
	}
	return printFigures(b.stdout, append(figures, first))
}

// signIn adds a session of the wallet's owner, and returns its secret.
func (s *seeded) signIn(ctx context.Context) (string, error) {
	db, err := openStore(ctx, s.database())
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	u, err := db.UserByName(ctx, "alice")
	if err != nil {
		return "", err
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	now := clock()
	one := auth.Session{ID: uuid.NewString(), UserID: u.ID, UserName: u.Name, AccessVersion: u.AccessVersion, CreatedAt: now, LastSeenAt: now, ProvedAt: now}
	who := u.Credential().Principal("")
	err = db.CreateSession(ctx, who, one, sha256.Sum256(random), who.Event(now, "session.create", one.ID, ""))
	return base64.RawURLEncoding.EncodeToString(random), err
}

// browser requests pages with a session.
type browser struct {
	*reader
	cookie string
}

func (b *browser) page(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.address+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Cookie", b.cookie)
	answer, err := b.http.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %.300s", path, answer.Status, body)
	}
	return body, err
}

// measure requests a page many times, one request after the other, and judges the slowest
// hundredth and the size.
func (b *browser) measure(ctx context.Context, path string) (figure, error) {
	took := make([]time.Duration, consoleRequests)
	size := 0
	for i := range took {
		start := clock()
		body, err := b.page(ctx, path)
		if err != nil {
			return figure{}, err
		}
		took[i] = clock().Sub(start)
		size = len(body)
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	return figure{
		name: nameConsole, what: path, value: "p99 " + duration(p99), against: "median " + duration(middle(took)), spread: fmt.Sprintf("%.1f kB", float64(size)/1000),
		bar: fmt.Sprintf("≤ %s, ≤ %d kB", duration(consoleTimeBar), consoleSizeBar/1000), good: p99 <= consoleTimeBar && size <= consoleSizeBar,
	}, nil
}

var assetPath = regexp.MustCompile(`/assets/[^"]+`)

// firstLoad measures the size of the home page, which is not compressed, and of the files that
// it loads, which are.
func (b *browser) firstLoad(ctx context.Context) (figure, error) {
	body, err := b.page(ctx, "/")
	if err != nil {
		return figure{}, err
	}
	var page counter
	w := gzip.NewWriter(&page)
	_, _ = w.Write(body)
	_ = w.Close() // a counter has no errors
	files := 0
	for _, path := range assetPath.FindAllString(string(body), -1) {
		content, err := b.page(ctx, path)
		if err != nil {
			return figure{}, err
		}
		files += len(content)
	}
	total := files + len(body)
	return figure{
		name: nameConsole, what: "the first page with its files", value: fmt.Sprintf("%.1f kB", float64(total)/1000),
		against: fmt.Sprintf("with the page compressed: %.1f kB", float64(files+int(page))/1000),
		bar:     fmt.Sprintf("≤ %d kB", firstLoadBar/1000), good: total <= firstLoadBar,
	}, nil
}

// counter counts the bytes that are written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
