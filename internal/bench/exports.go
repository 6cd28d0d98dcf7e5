package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

const (
	exported   = 100_000 // transactions
	exportGoal = 2.0     // maximum ratio to the duration of the comparison program
	memoryGoal = 64_000_000
	maxExports = 3 // maximum number of rounds
)

// export is a streaming route that is measured.
type export struct {
	name, what, path, accept string
	rows                     string // kind of rows that the comparison program reads; see bareQueries
}

var exports = []export{
	{nameFullTxList, "v1alpha full_txlist", "/api/v1alpha/specter/full_txlist/", "", rawRows},
	{nameCSV, "v1 history as CSV", walletPath + "/transactions", "text/csv", outputRows},
	{nameLines, "v1 history as JSON Lines", walletPath + "/transactions", "application/jsonl", outputRows},
	{nameLedger, "v1 ledger", walletPath + "/transactions?view=ledger", "text/csv", outputRows},
}

// measureExports compares the export of a long history with a program that reads
// the same rows and writes the same number of bytes.
func measureExports(ctx context.Context, b *bench) error {
	s, err := b.history(ctx, exported)
	if err != nil {
		return err
	}
	var figures []figure
	for _, e := range exports {
		if !b.wants(e.name) {
			continue
		}
		more, err := measureExport(ctx, b, s, e)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		figures = append(figures, more...)
	}
	return printFigures(b.stdout, figures)
}

// measureExport measures one kind of export. It starts a new specterd, so that the
// memory use is not affected by earlier exports.
func measureExport(ctx context.Context, b *bench, s seeded, e export) ([]figure, error) {
	up, err := s.serve(ctx, b)
	if err != nil {
		return nil, err
	}
	defer up.stop()
	subject := newReader(up, s)
	if _, err := subject.get(ctx, walletPath, ""); err != nil {
		return nil, err
	}
	if err := up.calm(ctx); err != nil {
		return nil, err
	}
	if err := up.forgetPeak(); err != nil {
		return nil, err
	}
	before, _ := up.memory()
	size, err := subject.get(ctx, e.path, e.accept)
	if err != nil {
		return nil, err
	}
	_, peak := up.memory()
	bare, err := startBareExport(ctx, b, s, e, size)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	base := newReader(bare, s)
	sides := []side{base.side(ctx, e, size), subject.side(ctx, e, size)}
	if err := inTurns(sides, min(b.rounds, maxExports), (*side).again); err != nil {
		return nil, err
	}
	time := figure{
		name: e.name, what: fmt.Sprintf("%s, %d transactions, %.1f MB", e.what, exported, float64(size)/1e6),
		against: "bare: " + duration(middle(sides[0].took)),
	}
	memory := figure{
		name: e.name, what: "memory for that", value: fmt.Sprintf("%+.1f MB", float64(peak-before)/1e6),
		against: fmt.Sprintf("before %.1f MB", float64(before)/1e6),
		goal:    fmt.Sprintf("≤ %d MB", memoryGoal/1_000_000), good: peak-before <= memoryGoal,
	}
	return []figure{compared(time, sides[0], sides[1], exportGoal), memory}, nil
}

// side returns one side of a comparison, which requests the export and checks the
// size of each response.
func (r *reader) side(ctx context.Context, e export, size int64) side {
	return side{server: r.server, ask: func() error {
		n, err := r.get(ctx, e.path, e.accept)
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes instead of %d", n, size)
		}
		return err
	}}
}

func startBareExport(ctx context.Context, b *bench, s seeded, e export, size int64) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bare-export", s.database(), s.walletID, e.rows, strconv.FormatInt(size, 10)) //nolint:gosec // this very program
	return start(ctx, cmd, filepath.Join(b.dir, "bare-export.log"))
}
