// Package headless starts the browser of tests.
package headless

import (
	"context"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/specterd/specterd/internal/testenv/childprocess"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// Chromium starts Debian's Chromium, which make test-deps installs, with an empty tab. It ends with
// the test.
func Chromium(t *testing.T, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	testkit.NeedsServer(t, "chromium")
	dir, remove, err := childprocess.TempDir("specterd-chromium-*")
	testkit.Check(t, err)
	t.Cleanup(func() { _ = remove() }) // Chromium may still be writing
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("no-first-run", true), chromedp.Flag("disable-dev-shm-usage", true),
	}, flags)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	testkit.Check(t, chromedp.Do(ctx, chromedp.Navigate("about:blank"))) // starts the browser, which ends with the context
	return ctx
}
