package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

const (
	importedWallets = 200
	importedLabels  = 100_000
	// importGoal is the maximum ratio of the memory use of the large import to the
	// memory use of the small one, which has a tenth of the size.
	importGoal = 1.25
	// labelText, together with a number, has the maximum length of a label.
	labelText = "of the customer with the long name, for all that was delivered to the old address in the spring and in the summer, " +
		"as agreed on the telephone; to be paid within thirty days, or twenty with two percent off, "
)

// measureImport imports a Specter Desktop data directory with many wallets and
// labels, and one of a tenth of the size, and compares the memory use.
func measureImport(ctx context.Context, b *bench) error {
	c, err := startChain(ctx, b.chainFolder(nameImport), 0)
	if err != nil {
		return err
	}
	defer c.Kill()
	tenth, err := b.runImport(ctx, c, importedWallets/10, importedLabels/10)
	if err != nil {
		return err
	}
	all, err := b.runImport(ctx, c, importedWallets, importedLabels)
	if err != nil {
		return err
	}
	const what = "%s of an import of %d wallets with %d labels"
	memory := figure{
		name: nameImport, what: fmt.Sprintf(what, "peak memory", importedWallets, importedLabels),
		value: megabytes(all.peak), against: "a tenth: " + megabytes(tenth.peak), ratio: fmt.Sprintf("%.2f", all.growth(tenth)),
		goal: fmt.Sprintf("≤ %.2f", importGoal), good: all.growth(tenth) <= importGoal,
	}
	took := figure{
		name: nameImport, what: fmt.Sprintf(what, "time", importedWallets, importedLabels),
		value: duration(all.took), against: "a tenth: " + duration(tenth.took), ratio: fmt.Sprintf("%.2f", all.took.Seconds()/tenth.took.Seconds()),
	}
	return printFigures(b.stdout, []figure{memory, took})
}

// importRun is the result of an import.
type importRun struct {
	peak int64 // peak memory in bytes
	took time.Duration
}

func (r importRun) growth(from importRun) float64 { return float64(r.peak) / float64(from.peak) }

func megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }

// runImport imports a generated data directory into a new database. More has
// additional environment variables.
func (b *bench) runImport(ctx context.Context, c *chain, wallets, labels int, more ...string) (r importRun, err error) {
	dir, err := os.MkdirTemp(b.dir, "import-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	folder, data := filepath.Join(dir, "specter"), filepath.Join(dir, "data")
	if err := makeSpecterFolder(folder, wallets, labels); err != nil {
		return r, fmt.Errorf("make a folder of Specter Desktop: %w", err)
	}
	cmd := exec.CommandContext(ctx, b.binary, "import", folder, "--data-folder="+data) //nolint:gosec // built just now
	cmd.Env = append([]string{"HOME=" + dir, "SPECTER_NODE_URL=" + c.URL()}, more...)
	start := clock()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return r, fmt.Errorf("start the import: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r.peak, err = peakUntil(cmd.Process.Pid, ended)
	r.took = clock().Sub(start)
	want := fmt.Sprintf("wallets: %d imported,", wallets)
	if err != nil || !strings.Contains(output.String(), want) || !strings.Contains(output.String(), fmt.Sprintf(" %d labels,", labelsOf(0, wallets, labels))) {
		return r, fmt.Errorf("import %d wallets: %w\n%s", wallets, errors.Join(err, errors.New("want: "+want)), output.String())
	}
	return r, nil
}

// labelsOf returns the number of labels of a wallet. The first wallet has half of
// all labels, so that one file is large; the others share the rest equally.
func labelsOf(wallet, wallets, labels int) int {
	if wallet == 0 {
		return labels - (wallets-1)*(labels/2/(wallets-1))
	}
	return labels / 2 / (wallets - 1)
}

// makeSpecterFolder creates a data directory of Specter Desktop with one user, who
// has a number of wallets and labels.
func makeSpecterFolder(folder string, wallets, labels int) error {
	chain := filepath.Join(folder, "wallets_satoshi", "regtest")
	if err := os.MkdirAll(chain, 0o700); err != nil {
		return err
	}
	hash := strings.Repeat("A", 43) + "=" // base64 of 32 bytes
	users := []any{map[string]any{"id": "satoshi", "username": "satoshi", "is_admin": false, "password": map[string]string{"salt": hash, "pwdhash": hash}}}
	if err := errors.Join(
		writeAsJSON(filepath.Join(folder, "config.json"), map[string]string{"uid": "0123456789abcdef"}),
		writeAsJSON(filepath.Join(folder, "users.json"), users),
	); err != nil {
		return err
	}
	for i := range wallets {
		key := fmt.Sprintf("wpkh([d34db33f/84h/1h/0h]%s/%d", publicKey, i)
		w := map[string]any{
			"name": fmt.Sprintf("Wallet %d", i), "address_type": "bech32", "keys": []any{}, "devices": []string{},
			"recv_descriptor": key + "/0/*)", "change_descriptor": key + "/1/*)", "blockheight": 1,
		}
		path := filepath.Join(chain, aliasOf(i))
		if err := errors.Join(writeAsJSON(path+".json", w), writeLabels(path+"_addr.csv", i, labelsOf(i, wallets, labels))); err != nil {
			return err
		}
	}
	return nil
}

func writeAsJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// writeLabels writes labels of external addresses in Specter Desktop's format.
func writeLabels(path string, wallet, count int) error {
	f, err := os.Create(path) //nolint:gosec // in our temporary folder
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	_, _ = out.WriteString("address,index,change,label,used,service_id\r\n") // Flush returns the error
	for i := range count {
		address := btc.AddressOf(somebody(wallet*importedLabels+i), btc.Regtest)
		_, _ = fmt.Fprintf(out, "%s,,,%q,,\r\n", address, fmt.Sprintf("invoice %d %d %s", wallet, i, labelText))
	}
	return errors.Join(out.Flush(), f.Close())
}
