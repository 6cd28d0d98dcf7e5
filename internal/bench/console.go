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
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/wallet"
)

const (
	consoleRequests = 300 // for each page
	consoleTimeGoal = 50 * time.Millisecond
	consoleSizeGoal = 60_000 // bytes of a page
	firstLoadGoal   = 80_000 // bytes of the first page with its files, compressed
	consoleFileGoal = 1.2    // maximum ratio to the duration of the API's export
)

// consolePath is the path of the wallet whose number of transactions is large.
const consolePath = "/wallets/" + walletAlias

// consolePages returns the paths of the pages that are measured. The chart with all
// transactions and the oldest page of the history, whose running balances result
// from all later transactions, read most.
func consolePages(s seeded, now time.Time) []string {
	second := now.Add(-time.Duration(s.transactions)*interval).AddDate(0, 0, 1).Format(time.DateOnly)
	pages := []string{
		"/", consolePath + "?period=30d", consolePath + "?period=90d", consolePath + "?period=1y", consolePath + "?period=all", consolePath + "/receive",
		consolePath + "/history", consolePath + "/history?to=" + second, consolePath + "/transactions/" + madeUp("transaction", s.transactions/2),
		consolePath + "/utxos", consolePath + "/send", consolePath + "/proposals", consolePath + "/members", consolePath + "/settings", "/tokens", "/settings", "/node",
	}
	for _, text := range []string{"invoice", "Invoice 20", "nothing has this label", madeUp("transaction", 7), addressAt(&wallet.Place{Index: 20})} {
		pages = append(pages, consolePath+"/history?q="+url.QueryEscape(text))
	}
	for _, amounts := range []string{"min=60&max=61", "min=1000000000000", "kind=mixed&min=100000&state=effective"} { // no transaction has such amounts
		pages = append(pages, consolePath+"/history?unit=sat&"+amounts)
	}
	for _, text := range []string{walletAlias + "mark", addressAt(&wallet.Place{Index: 20})} {
		pages = append(pages, "/find?q="+url.QueryEscape(text))
	}
	return pages
}

// consoleFiles are the downloads of the console, each with the same export of the API.
var consoleFiles = []struct{ path, apiPath, accept string }{
	{consolePath + "/history.csv", walletPath + "/transactions", "text/csv"},
	{consolePath + "/history.jsonl", walletPath + "/transactions", "application/jsonl"},
	{consolePath + "/ledger.csv", walletPath + "/transactions?view=ledger", "text/csv"},
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
	for _, path := range consolePages(s, clock()) {
		f, err := browser.measure(ctx, path)
		if err != nil {
			return err
		}
		figures = append(figures, f)
	}
	for _, file := range consoleFiles {
		f, err := browser.measureFile(ctx, b, file.path, file.apiPath, file.accept)
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
	found := answer.StatusCode == http.StatusSeeOther && strings.HasPrefix(answer.Header.Get("Location"), consolePath) // by a search
	if err == nil && answer.StatusCode != http.StatusOK && !found {
		err = fmt.Errorf("GET %s: %s: %.300s", path, answer.Status, body)
	}
	return body, err
}

// measure requests a page many times, one request after the other, and judges the slowest
// hundredth and the size. Other programs on the machine affect the processor time less.
func (b *browser) measure(ctx context.Context, path string) (figure, error) {
	took := make([]time.Duration, consoleRequests)
	size := 0
	spent := b.threadTime()
	for i := range took {
		start := clock()
		body, err := b.page(ctx, path)
		if err != nil {
			return figure{}, err
		}
		took[i] = clock().Sub(start)
		size = len(body)
	}
	spent = b.threadTime() - spent
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	return figure{
		name: nameConsole, what: fmt.Sprintf("%.60s", path), value: "p99 " + duration(p99),
		against: fmt.Sprintf("median %s, of processor %s", duration(middle(took)), duration(spent/consoleRequests)), spread: fmt.Sprintf("%.1f kB", float64(size)/1000),
		goal: fmt.Sprintf("≤ %s, ≤ %d kB", duration(consoleTimeGoal), consoleSizeGoal/1000), good: p99 <= consoleTimeGoal && size <= consoleSizeGoal,
	}, nil
}

// measureFile compares a download with the same export of the API.
func (b *browser) measureFile(ctx context.Context, o *bench, path, apiPath, accept string) (figure, error) {
	size := 0
	download := func() error {
		body, err := b.page(ctx, path)
		size = len(body)
		return err
	}
	sides := []side{
		{server: b.server, ask: func() error {
			_, err := b.get(ctx, apiPath, accept)
			return err
		}},
		{server: b.server, ask: download},
	}
	if err := inTurns(sides, min(o.rounds, maxExports), (*side).again); err != nil {
		return figure{}, err
	}
	f := figure{name: nameConsole, what: fmt.Sprintf("%s, %.1f MB", path, float64(size)/1e6), against: "by the API: " + duration(middle(sides[0].took))}
	return compared(f, sides[0], sides[1], consoleFileGoal), nil
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
		goal:    fmt.Sprintf("≤ %d kB", firstLoadGoal/1000), good: total <= firstLoadGoal,
	}, nil
}

// counter counts the bytes that are written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
