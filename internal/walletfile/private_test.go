package walletfile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletfile"
)

// privateFile is a file with a private key or a seed, and the secret in it.
type privateFile struct{ File, Secret string }

// privateFiles returns files with private keys or seeds, most of them otherwise valid.
func privateFiles(t testing.TB, network btc.Network) map[string]privateFile {
	t.Helper()
	data, err := os.ReadFile("testdata/private-" + string(network) + ".json")
	testkit.Check(t, err)
	files := map[string]privateFile{}
	testkit.Check(t, json.Unmarshal(data, &files))
	return files
}

// TestRead_Private checks that no file with a private part is accepted, that the error says
// so, and that it repeats nothing of it.
func TestRead_Private(t *testing.T) {
	t.Parallel()
	const least = 40
	for _, network := range []btc.Network{btc.Main, btc.Regtest} {
		files := privateFiles(t, network)
		if len(files) < least {
			t.Errorf("%d files, want %d", len(files), least)
		}
		for name, c := range files {
			t.Run(string(network)+"/"+name, func(t *testing.T) {
				f, err := walletfile.FromText(c.File).Read(walletfile.Options{Network: network})
				if err == nil {
					t.Fatalf("accepted as %s", f.Format)
				}
				// Raw and encrypted keys cannot be distinguished from other data: they are refused as unknown.
				unknown := strings.HasPrefix(name, "raw ") || name == "Electrum, encrypted file"
				if errors.Is(err, btc.ErrPrivateKey) == unknown {
					t.Errorf("%v", err)
				}
				var secrets testkit.Secrets
				secrets.Add(name, c.Secret)
				if found := secrets.Find(fmt.Sprintf("%v %+v", err, err)); len(found) > 0 {
					t.Errorf("the error repeats %v", found)
				}
			})
		}
	}
}
