package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestWalletFilesGuide runs the code blocks of docs/wallet-files.md, with files of test keys.
func TestWalletFilesGuide(t *testing.T) {
	blocks := walkThroughBlocks(t, "docs/wallet-files.md", 2)
	s, _ := newShell(t, false)
	s.serve(t)
	g := &cliGuide{s, t.TempDir(), s.environment("URL="+s.url, "ADMIN_PASSWORD="+s.settings["SPECTER_ADMIN_PASSWORD"])}
	for from, to := range map[string]string{"coldcard.json": "coldcard-export.json", "wallet.bsms": "wallet.bsms", "sparrow.json": "sparrow.json"} {
		t.Run(from, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("../walletfile/testdata/regtest", from))
			testkit.Check(t, err)
			testkit.Check(t, os.WriteFile(filepath.Join(g.dir, to), data, 0o600))
		})
	}
	g.run(t, blocks[0], "format      coldcard", "script      wpkh", "(one_of_several)", "Nothing was created, because of --dry-run.", "Created wallet savings.",
		"format      bsms", "signatures  2 of 3", "receive     bcrt1q", "Created wallet vault.", "BSMS 1.0\nwsh(sortedmulti(2,[73c5da0a/48h/1h/0h/2h]tpub", "/0/*,/1/*\nbcrt1q")
	g.run(t, blocks[1], `"format": "sparrow"`, `"Jade"`, `"bcrt1q`, `"key_in_other_wallet"`, `"requiredSigners": 2`)
}
