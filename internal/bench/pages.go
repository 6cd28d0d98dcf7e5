package main

import (
	"context"
	"fmt"
	"net"
)

const (
	walletPath = "/api/v1/wallets/" + walletAlias
	pagePath   = walletPath + "/transactions?limit=100"

	// flatGoal is the maximum ratio of the durations for the largest and the
	// smallest wallet.
	flatGoal = 1.2

	deepPlaces  = 9       // number of positions in a history from which pages are read
	largestPage = 1 << 20 // bytes
)

// walletSizes are the numbers of transactions of the wallets. Each wallet has its
// own database.
var walletSizes = []int{1_000, 10_000, 100_000}

// measurePages checks that requests about wallets of different sizes take the same
// time.
func measurePages(ctx context.Context, b *bench) error {
	readers := make([]*reader, len(walletSizes))
	for i, size := range walletSizes {
		s, err := b.history(ctx, size)
		if err != nil {
			return err
		}
		up, err := s.serve(ctx, b)
		if err != nil {
			return err
		}
		defer up.stop()
		readers[i] = newReader(up, s)
		if err := up.calm(ctx); err != nil {
			return err
		}
	}
	var figures []figure
	for _, one := range []struct {
		name, what string
		paths      func(context.Context, *reader) ([]string, error)
	}{
		{nameWallet, "GET v1 wallet", fixed(walletPath)},
		{namePage, "its latest 100 transactions", fixed(pagePath)},
		{nameDeepPage, "100 from the midst, by cursor", deepPages},
	} {
		if !b.wants(one.name) {
			continue
		}
		f, err := measureFlat(ctx, b, readers, one.paths)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		f.name, f.what = one.name, one.what+", of 100,000"
		figures = append(figures, f)
	}
	return printFigures(b.stdout, figures)
}

func fixed(path string) func(context.Context, *reader) ([]string, error) {
	return func(context.Context, *reader) ([]string, error) { return []string{path}, nil }
}

// deepPages returns the paths of pages that are distributed over the history. It
// reads the history once to get the cursors.
func deepPages(ctx context.Context, r *reader) ([]string, error) {
	step := r.transactions / (deepPlaces + 1)
	var paths []string
	var at, next string
	for seen := 0; len(paths) < deepPlaces; {
		part := min(step-seen%step, 1000)
		var page struct {
			Next string `json:"next_cursor"`
		}
		path := fmt.Sprintf("%s/transactions?limit=%d%s", walletPath, part, at)
		if err := r.getJSON(ctx, path, &page); err != nil {
			return nil, err
		}
		next = page.Next
		at = "&cursor=" + next
		if seen += part; seen%step == 0 {
			paths = append(paths, pagePath+at)
		}
	}
	return paths, nil
}

// measureFlat sends the same requests to all readers in turns, over one connection
// each, and compares the durations of the last reader with the first reader's.
func measureFlat(ctx context.Context, b *bench, readers []*reader, pathsOf func(context.Context, *reader) ([]string, error)) (figure, error) {
	paths := make([][]string, len(readers))
	for i, r := range readers {
		var err error
		if paths[i], err = pathsOf(ctx, r); err != nil {
			return figure{}, err
		}
	}
	sides := make([]side, len(readers))
	for i, r := range readers { // opened just before use, because specterd closes idle connections
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.address)
		if err != nil {
			return figure{}, err
		}
		defer func() { _ = conn.Close() }()
		c := &client{conn: conn, buffer: make([]byte, largestPage)}
		for _, path := range paths[i] {
			c.requests = append(c.requests, request(path, r.token))
		}
		sides[i] = side{server: r.server, ask: c.ask}
	}
	if err := inTurns(sides, b.rounds, b.turn); err != nil {
		return figure{}, err
	}
	last := len(sides) - 1
	f := compared(figure{}, sides[0], sides[last], flatGoal)
	f.against = fmt.Sprintf("of 1,000: %s, of 10,000: %s", duration(middle(sides[0].took)), duration(middle(sides[1].took)))
	return f, nil
}
