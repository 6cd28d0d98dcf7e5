package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/wallet"
)

// scanInterval is how often a progress bar is drawn anew.
const scanInterval = 500 * time.Millisecond

// followScan says how the scan of a wallet goes: on a terminal until it is over.
// The scan is the server's work, and goes on without this.
func (p *program) followScan(ctx context.Context, d *walletDesk, v wallet.View) error {
	if !v.Scanning() {
		return nil
	}
	serving, err := d.isServed(ctx)
	if err != nil {
		return err
	}
	if !serving {
		fmt.Fprintf(p.stdout, "The chain is to be looked through from block %d on. No server is running: that begins when one starts.\n", v.ScanFrom)
		return nil
	}
	fmt.Fprintf(p.stdout, "The chain is looked through from block %d on.\n", v.ScanFrom)
	if !p.isTerminal() {
		return nil
	}
	fmt.Fprintln(p.stdout, "You can leave this with Ctrl-C; the scan goes on.")
	return p.drawScan(ctx, d, v)
}

func (p *program) drawScan(ctx context.Context, d *walletDesk, v wallet.View) error {
	tick := time.NewTicker(scanInterval)
	defer tick.Stop()
	for v.Scanning() {
		fmt.Fprintf(p.raw, "\r%s", bar(v.ScanProgress))
		select {
		case <-tick.C:
		case <-ctx.Done():
			fmt.Fprintln(p.stdout)
			return nil
		}
		var err error
		if v, err = d.service.Get(ctx, d.who, v.Alias); err != nil && ctx.Err() == nil {
			return err
		}
		if v.Problem != "" {
			fmt.Fprintln(p.stdout)
			return fmt.Errorf("the wallet cannot be followed now: %s", v.Problem)
		}
	}
	if v.ScanProblem != "" {
		fmt.Fprintln(p.stdout)
		return fmt.Errorf("the rescan failed: %s", v.ScanProblem)
	}
	fmt.Fprintf(p.raw, "\r%s\n", bar(1))
	return nil
}

// bar draws how much of something is done, from 0 to 1.
func bar(done float64) string {
	const width = 40
	full := min(max(int(done*width), 0), width)
	return fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("#", full), strings.Repeat("-", width-full), 100*done)
}

// leadPatience is how long it is tried to lead, where somebody else may do so.
const leadPatience = 500 * time.Millisecond

// isServed reports whether a server works on this database.
func (d *walletDesk) isServed(ctx context.Context) (bool, error) {
	if !d.usesPostgres() {
		lock, err := store.Lock(ctx, string(d.cfg.DatabaseURL), "a command that looks whether anybody serves", 0)
		if _, locked := errors.AsType[store.ErrLocked](err); locked {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		return false, lock.Release()
	}
	brief, cancel := context.WithTimeout(ctx, leadPatience)
	defer cancel()
	_, release, err := d.store.Lead(brief)
	switch {
	case err == nil:
		release()
		return false, nil
	case brief.Err() != nil && ctx.Err() == nil:
		return true, nil
	}
	return false, err
}
