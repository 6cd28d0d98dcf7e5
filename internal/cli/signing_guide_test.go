package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestSigningGuide runs the code blocks of docs/signing.md, in which two wallets of the node take
// the place of devices. Between them, it posts the first signature again as QR codes.
func TestSigningGuide(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	blocks := walkThroughBlocks(t, "docs/signing.md", 8)
	node, dir := testkit.Bitcoind(t), t.TempDir()
	environment := append(os.Environ(), serveWalkThroughsOn(t, node)...)
	state := ""
	run := func(code string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", state+"\n"+code)
		cmd.Env, cmd.Dir = environment, dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", code, err, out, stderr.String())
		}
		return strings.TrimSpace(string(out))
	}
	read := func(name string) []byte { return testkit.Value(os.ReadFile(filepath.Join(dir, name)))(t) }
	write := func(name string, data []byte) {
		testkit.Check(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}

	state = run(blocks[0][2] + blocks[1][2] + "declare -f api status sign; declare -p proposals TOKEN id")
	if status := run(blocks[2][2]); status != "partially_signed" {
		t.Errorf("the status is %s after the file", status)
	}
	if status := run(`api "$proposals/$id/signatures" -F psbt=@signed.psbt | status`); status != "partially_signed" {
		t.Errorf("the status is %s after the form", status)
	}
	if out := run(`api "$proposals/none/signatures" --data-binary @signed.psbt | status 2>&1 || true`); !strings.Contains(out, "proposal") || strings.Contains(out, "404") {
		t.Errorf("an error is shown as %s", out)
	}

	run(blocks[3][2])
	shown := testkit.Value(qrcodec.Read(read("codes.txt")))(t)
	parts := testkit.Value(qrcodec.NewURParts(qrcodec.PSBTResource(node.Sign(t, shown.Data, "ann")), 200))(t)
	scanned := parts.Texts(3 * parts.Len())[parts.Len():] // as of a camera that missed the first codes
	write("scanned.txt", []byte(scanned[0]))
	if out := run(`curl -sS -H "Authorization: Bearer $TOKEN" "$proposals/$id/signatures" --data-binary @scanned.txt | jq -r .code`); out != "qr_parts_missing" {
		t.Errorf("one of several codes: %s", out)
	}
	write("scanned.txt", []byte(strings.Join(scanned, "\n")+"\n"))
	if status := run(blocks[5][2]); status != "partially_signed" {
		t.Errorf("the status is %s after the QR codes", status)
	}
	run(blocks[4][2])
	if status := run(blocks[5][2]); status != "complete" {
		t.Errorf("the status is %s after the second signature", status)
	}
	if status := run(blocks[6][2]); status != "broadcast" {
		t.Errorf("the status is %s after the broadcast", status)
	}
	if out := run(blocks[7][2]); !strings.HasSuffix(out, "\nconfirmed") {
		t.Errorf("after a block: %s", out)
	}
}

// TestSigningGuide_Devices compares the presets with the table of docs/signing.md.
func TestSigningGuide_Devices(t *testing.T) {
	text := string(testkit.Value(os.ReadFile("../../docs/signing.md"))(t))
	rows := map[string]int{}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.Contains(cells[1], "`") {
			continue
		}
		for i, name := range strings.Split(cells[1], "`") {
			if i%2 == 0 || name == "device" {
				continue
			}
			preset, err := qrcodec.ChoosePreset(name, "", 0)
			format := map[qrcodec.Format]string{qrcodec.BBQr: "BBQr", qrcodec.UR: "UR"}[preset.Format]
			want := fmt.Sprintf(" %s | %d | %d ", format, preset.Fragment, preset.Rate)
			if got := strings.Join(cells[2:5], "|"); err != nil || got != want {
				t.Errorf("%s: the document has %q, want %q: %v", name, got, want, err)
			}
			rows[name]++
		}
	}
	if len(rows) != len(qrcodec.Presets()) {
		t.Errorf("the document has the devices %v", rows)
	}
}
