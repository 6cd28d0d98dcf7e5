package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/wallet"
)

// scanInterval is how often the progress bar is updated.
const scanInterval = 500 * time.Millisecond

// startOf converts a point in time, such as now, a block height or a date, to the JSON of the API.
func startOf(field, at string) (api.Start, error) {
	parsed, err := wallet.ParseBirthday(field, at)
	switch {
	case err != nil:
		return nil, err
	case parsed.Now:
		return api.Now(), nil
	case parsed.Height != nil:
		return api.AtHeight(*parsed.Height), nil
	}
	return api.AtTime(*parsed.Time), nil
}

// followScan prints whether a rescan of a wallet is running and, on a terminal, its
// progress until it is complete. The server continues the rescan even if the command is
// interrupted.
func (p *program) followScan(ctx context.Context, c *connection, w *api.Wallet) error {
	if w.Rescan == nil {
		return nil
	}
	if c.local != nil {
		serving, err := c.local.isServed(ctx)
		if err != nil {
			return err
		}
		if !serving {
			fmt.Fprintf(p.stdout, "A rescan from block %d will begin when specterd serve starts.\n", w.Rescan.FromHeight)
			return nil
		}
	}
	fmt.Fprintf(p.stdout, "Rescanning the chain from block %d.\n", w.Rescan.FromHeight)
	if !p.isTerminal() {
		return nil
	}
	fmt.Fprintln(p.stdout, "The rescan continues if you press Ctrl-C.")
	return p.drawScan(ctx, c, w)
}

func (p *program) drawScan(ctx context.Context, c *connection, w *api.Wallet) error {
	tick := time.NewTicker(scanInterval)
	defer tick.Stop()
	for w.Rescan != nil {
		fmt.Fprintf(p.raw, "\r%s", bar(w.Rescan.Progress))
		select {
		case <-tick.C:
		case <-ctx.Done():
			fmt.Fprintln(p.stdout)
			return nil
		}
		now, err := c.GetWallet(ctx, w.Alias, nil)
		switch {
		case ctx.Err() != nil:
			continue
		case err != nil:
			return err
		case now.Problem != nil:
			fmt.Fprintln(p.stdout)
			return fmt.Errorf("the wallet cannot be synced now: %s", *now.Problem)
		}
		w = now
	}
	ended, err := c.GetRescan(ctx, w.Alias)
	if err != nil {
		return err
	}
	if ended.Problem != nil {
		fmt.Fprintln(p.stdout)
		return fmt.Errorf("the rescan failed: %s", *ended.Problem)
	}
	fmt.Fprintf(p.raw, "\r%s\n", bar(1))
	return nil
}

// bar returns a progress bar that is filled to the given fraction, 0 to 1.
func bar(done float64) string {
	const width = 40
	full := min(max(int(done*width), 0), width)
	return fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("#", full), strings.Repeat("-", width-full), 100*done)
}

// leadPatience is how long isServed tries to acquire the indexer lock before it assumes
// that a server holds it.
const leadPatience = 500 * time.Millisecond

// isServed reports whether a server is running on this database.
func (d *walletCommands) isServed(ctx context.Context) (bool, error) {
	if !d.UsesPostgres() {
		lock, err := store.Lock(ctx, string(d.Config.DatabaseURL), "a command that checks for a running server", 0)
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
	_, release, err := d.Store.Lead(brief)
	switch {
	case err == nil:
		release()
		return false, nil
	case brief.Err() != nil && ctx.Err() == nil:
		return true, nil
	}
	return false, err
}
