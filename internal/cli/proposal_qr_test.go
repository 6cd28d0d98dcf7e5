package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/qrterm"
	"github.com/specterd/specterd/internal/testenv/qrread"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// checkProposalQR draws the PSBT of a proposal, which is also in a file, and reads what was
// drawn.
func checkProposalQR(t *testing.T, s *shell, id, file string) {
	raw := testkit.Value(os.ReadFile(file))(t)
	for device, format := range map[string]qrcodec.Format{"seedsigner": qrcodec.UR, "coldcard": qrcodec.BBQr, "": qrcodec.UR} {
		var texts []string
		for drawn := range strings.SplitSeq(s.run(t, "proposal", "show", id, "--qr", "--device", device), "\n\n") {
			code, _, _ := strings.Cut(drawn, " of ")
			texts = append(texts, testkit.Value(qrread.Text(strings.TrimRight(code, "0123456789"), false))(t))
		}
		content := testkit.Value(qrcodec.Read([]byte(strings.Join(texts, "\n"))))(t)
		if content.Format != format || !bytes.Equal(content.Data, raw) {
			t.Errorf("%s: %d codes contain %d bytes in the format %s", device, len(texts), len(content.Data), content.Format)
		}
		scanned := filepath.Join(t.TempDir(), "scanned.txt")
		testkit.Check(t, os.WriteFile(scanned, []byte(strings.Join(texts, "\n")), 0o600))
		s.refuse(t, "has no signatures", "proposal", "sign-in-file", scanned)
	}
	for problem, flags := range map[string][]string{
		"--device: must be coldcard, ": {"--qr", "--device", "nano"}, "--qr-format: must be bbqr or ur": {"--qr", "--qr-format", "svg"},
		"--fragment-size: must be between": {"--qr", "--fragment-size", "1"}, "require --qr": {"--device", "jade"},
		"only one of --qr, --psbt may be set": {"--qr", "--psbt", "x"},
	} {
		s.refuse(t, problem, append([]string{"proposal", "show", id}, flags...)...)
	}
}

func TestFitted(t *testing.T) {
	psbt := append([]byte("psbt\xff"), make([]byte, 1500)...)
	for i := range psbt[5:] {
		psbt[5+i] = byte(i * i >> 3)
	}
	preset := testkit.Value(qrcodec.ChoosePreset("passport", "", 0))(t)
	for name, c := range map[string]struct {
		columns, rows int
		isFixed       bool
		reduced       bool
		problem       string
	}{
		"not a terminal": {}, "large": {columns: 200, rows: 100}, "small": {columns: 80, rows: 30, reduced: true}, "narrow": {columns: 50, rows: 100, reduced: true},
		"tiny":  {columns: 30, rows: 100, problem: "and the terminal has 30 and 100; enlarge its window"},
		"fixed": {columns: 80, rows: 30, isFixed: true, problem: "and the terminal has 80 and 30"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fitted(psbt, preset, c.isFixed, c.columns, c.rows)
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) {
					t.Errorf("got %v", err)
				}
				return
			}
			version := testkit.Value(qrterm.VersionFor(got.Texts))(t)
			if width, height := version.Size(); err != nil || c.columns > 0 && (width > c.columns || height+2 > c.rows) || (got.Fragment < preset.Fragment) != c.reduced {
				t.Errorf("%d columns, %d rows, %d bytes: %v", width, height, got.Fragment, err)
			}
		})
	}
}
