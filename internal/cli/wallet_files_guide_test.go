package cli

import (
	"os"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestWalletFilesGuide runs the code blocks of docs/wallet-files.md as on the demo.
func TestWalletFilesGuide(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	blocks := walkThroughBlocks(t, "docs/wallet-files.md", 3)
	g := &cliGuide{dir: t.TempDir(), environment: append(os.Environ(), serveWalkThroughs(t)...)}
	g.run(t, blocks[0], "format      key", "script      wpkh", "account     wpkh [73c5da0a/84h/1h/0h]tpubDC8ms", "Nothing was created, because of --dry-run.", "Created wallet savings.")
	g.run(t, blocks[1], "format      signers", "signatures  2 of 3", "receive     bcrt1q", "Created wallet vault.",
		"BSMS 1.0\nwsh(sortedmulti(2,[73c5da0a/48h/1h/0h/2h]tpub", "/0/*,/1/*\nbcrt1q")
	g.run(t, blocks[2], `"format": "sparrow"`, `"bcrt1q`, `"key_in_other_wallet"`, `wsh(sortedmulti(2,[73c5da0a`, `"requiredSigners": 2`, "UR:CRYPTO-OUTPUT/")
}
