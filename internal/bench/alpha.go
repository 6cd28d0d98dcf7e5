package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	alphaPath = "/api/v1alpha/wallets/" + walletAlias + "/"

	// alphaMemoryGoal is the maximum number of bytes that the server allocates for a request
	// of the large wallet.
	alphaMemoryGoal = 32_000_000
	// linearGoal is the maximum ratio of the CPU times per transaction for the large and the
	// small wallet.
	linearGoal = 1.3
)

// alphaSizes are the numbers of transactions of the wallets that v1alpha returns whole, and
// alphaGoals the maximum durations.
var (
	alphaSizes = [3]int{20, 1_000, 20_000}
	alphaGoals = [3]time.Duration{2 * time.Millisecond, 15 * time.Millisecond, 400 * time.Millisecond}
)

// measureAlpha measures requests for all data of a wallet through v1alpha, and for its open
// proposals.
func measureAlpha(ctx context.Context, b *bench) error {
	var figures []figure
	if b.wants(nameAlpha) {
		f, err := b.alphaWallets(ctx)
		if err != nil {
			return err
		}
		figures = append(figures, f...)
	}
	if b.wants(nameAlphaPSBT) {
		for i, open := range alphaOpen {
			f, err := b.alphaPSBTs(ctx, open, alphaPSBTGoals[i])
			if err != nil {
				return err
			}
			figures = append(figures, f)
		}
	}
	return printFigures(b.stdout, figures)
}

// alphaWallets measures wallets of several sizes.
func (b *bench) alphaWallets(ctx context.Context) ([]figure, error) {
	var (
		figures []figure
		perTx   [len(alphaSizes)]time.Duration // CPU time
	)
	for i, size := range alphaSizes {
		r, err := b.monitor(ctx, fmt.Sprintf("v1alpha-%d", size), size)
		if err != nil {
			return nil, err
		}
		var bytes int64
		sides := []side{{server: r.server, ask: func() (err error) {
			bytes, err = r.get(ctx, alphaPath, "")
			return err
		}}}
		err = inTurns(sides, b.rounds, b.turn)
		var memory allocation
		if err == nil {
			memory, err = r.allocated(ctx, sides[0].ask)
		}
		r.stop()
		if err != nil {
			return nil, err
		}
		what := fmt.Sprintf("GET v1alpha wallet of %d, %.1f MB", size, float64(bytes)/1e6)
		f := figure{name: nameAlpha, what: what, against: duration(sides[0].processor()) + " of processor"}
		figures = append(figures, medianWithin(f, sides[0].took, alphaGoals[i]), memoryOf(what, memory, i == len(alphaSizes)-1))
		perTx[i] = sides[0].processor() / time.Duration(size)
	}
	ratio := perTx[2].Seconds() / perTx[1].Seconds()
	return append(figures, figure{
		name: nameAlpha, what: fmt.Sprintf("CPU time of a transaction, of %d", alphaSizes[2]), value: duration(perTx[2]),
		against: fmt.Sprintf("of %d: %s", alphaSizes[1], duration(perTx[1])), ratio: fmt.Sprintf("%.2f", ratio),
		goal: fmt.Sprintf("≤ %.2f", linearGoal), good: ratio <= linearGoal,
	}), nil
}

func memoryOf(what string, m allocation, isJudged bool) figure {
	f := figure{
		name: nameAlpha, what: "memory allocated for " + what, value: fmt.Sprintf("%.1f MB", float64(m.perRequest)/1e6),
		against: "peak of the process " + megabytes(m.peak),
	}
	if isJudged {
		f.goal, f.good = "≤ "+megabytes(alphaMemoryGoal), m.perRequest <= alphaMemoryGoal
	}
	return f
}

// monitored is a reader of a server that exposes metrics.
type monitored struct {
	*reader
	metrics string // URL
}

// monitor makes up a history and starts a specterd on it that exposes metrics at a free port.
func (b *bench) monitor(ctx context.Context, name string, transactions int) (monitored, error) {
	s, err := b.newHistory(ctx, name, transactions)
	if err != nil {
		return monitored{}, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return monitored{}, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return monitored{}, err
	}
	up, err := s.serve(ctx, b, "SPECTER_METRICS_LISTEN="+address)
	if err != nil {
		return monitored{}, err
	}
	if err := up.calm(ctx); err != nil {
		up.stop()
		return monitored{}, err
	}
	return monitored{newReader(up, s), "http://" + address + "/metrics"}, nil
}

// allocation is the memory that requests require, in bytes.
type allocation struct {
	perRequest int64 // allocated, in total
	peak       int64 // of the whole process
}

// allocated sends requests, one after the other, and returns the memory that they require.
func (m monitored) allocated(ctx context.Context, ask func() error) (a allocation, err error) {
	const requests = 5
	if err := m.forgetPeak(); err != nil {
		return a, err
	}
	before, err := m.allocatedBytes(ctx)
	if err != nil {
		return a, err
	}
	for range requests {
		if err := ask(); err != nil {
			return a, err
		}
	}
	after, err := m.allocatedBytes(ctx)
	_, peak := m.memory()
	return allocation{(after - before) / requests, peak}, err
}

// allocatedBytes returns the number of bytes that the process has allocated since its start.
func (m monitored) allocatedBytes(ctx context.Context) (int64, error) {
	body, err := m.openURL(ctx, m.metrics, "")
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(body)
	if err != nil {
		return 0, err
	}
	_, after, ok := strings.Cut(string(text), "\ngo_memstats_alloc_bytes_total ")
	digits, _, _ := strings.Cut(after, "\n")
	n, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("no go_memstats_alloc_bytes_total at %s", m.metrics)
	}
	return int64(n), nil
}
