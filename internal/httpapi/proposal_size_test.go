package httpapi_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// testProposalSize checks that the largest PSBT that specterd creates can be posted back in
// every format with all signatures, and that specterd refuses to create a larger one.
func testProposalSize(t *testing.T, w *spending) {
	const utxos, device = 350, 20
	script := testkit.PKH // each input contains the complete previous transaction
	w.node.Signer(t, "large", script.Descriptor(t, device, "0", 0), script.Descriptor(t, device, "1", 0))
	view, err := w.Wallets.Create(t.Context(), w.owner.principal(), wallet.Plan{
		Name: "large", Descriptor: script.Descriptor(t, device, "<0;1>", -1), Birthday: wallet.Birthday{Now: true}, RangeEnd: 2 * utxos,
	})
	testkit.Check(t, err)
	txid := w.purse.pay(t, w.server, view.ID, slices.Repeat([]btc.Amount{10_000}, utxos)...)
	own := testkit.Must(w.store.UTXOs(t.Context(), view.ID, btc.Outpoint{}, utxos))
	at := make([]string, len(own))
	for i, c := range own {
		at[i] = c.String()
	}
	if len(at) != utxos {
		t.Fatalf("%d UTXOs of %s", len(at), txid)
	}
	path := "/api/v1/wallets/large/proposals"
	propose := func(n int) answer {
		return w.call(t, "POST", path, w.role["owner"], fmt.Sprintf(
			`{"recipients": [{"address": %q}], "send_max": true, "fee_rate_sat_vb": 1, "utxos": %s}`, payee, testkit.Must(json.Marshal(at[:n]))))
	}
	propose(utxos).wantProblem(t, 409, "transaction_too_large").want(t, 409, "spend fewer UTXOs at once")
	made := answer{}
	for n := utxos - 3; made.status != 201; n -= 2 {
		made = propose(n)
	}
	unsigned := testkit.Must(base64.StdEncoding.DecodeString(made.text("psbt")))
	signed := w.node.Sign(t, unsigned, "large")
	if len(unsigned) < psbt.MaxSize*98/100 || len(signed) > psbt.MaxSize {
		t.Errorf("the largest PSBT has %d bytes, and %d bytes with signatures", len(unsigned), len(signed))
	}
	path += "/" + made.text("id") + "/signatures"
	for media, texts := range formatsOf(signed) {
		for name, text := range texts {
			t.Run(name, func(t *testing.T) {
				got := w.do(t, request{method: "POST", path: path, auth: []string{w.role["owner"]}, body: text, header: map[string]string{"Content-Type": media}})
				if got.status != 200 || got.text("status") != "complete" {
					t.Errorf("%s as %s, %d bytes: %d %.200s", name, media, len(text), got.status, got.body)
				}
			})
		}
	}
	// The signed PSBTs and transactions that both API versions return can also be posted back.
	shown := w.call(t, "GET", strings.TrimSuffix(path, "/signatures"), w.role["owner"], "").want(t, 200)
	alpha := w.call(t, "GET", alphaWallets+"large/psbt", w.role["owner"], "").want(t, 200)
	result := alpha.fields["result"].(map[string]any)[made.text("txid")].(map[string]any)
	for _, text := range []string{shown.text("psbt"), result["base64"].(string), shown.text("raw_hex"), result["raw"].(string)} {
		w.call(t, "POST", path, w.role["owner"], string(testkit.Must(json.Marshal(map[string]string{"psbt": text})))).want(t, 200, `"status":"complete"`)
	}
	w.call(t, "DELETE", strings.TrimSuffix(path, "/signatures"), w.role["owner"], "").want(t, 200)
}

// formatsOf returns a PSBT in all accepted formats, by media type and by name of the format.
func formatsOf(packet []byte) map[string]map[string]string {
	inBase64, inHex := base64.StdEncoding.EncodeToString(packet), hex.EncodeToString(packet)
	texts := map[string]string{
		"base64": inBase64, "base64 in lines": inLines(inBase64, 64), "base64 in short lines": inLines(inBase64, 32),
		"hexadecimal": inHex, "upper-case hexadecimal": strings.ToUpper(inHex), "hexadecimal in lines": inLines(inHex, 64), "hexadecimal in short lines": inLines(inHex, 32),
	}
	bodies := map[string]string{}
	for name, text := range texts {
		bodies[name] = string(testkit.Must(json.Marshal(map[string]string{"psbt": text})))
	}
	return map[string]map[string]string{"application/octet-stream": {"binary": string(packet)}, "application/x-www-form-urlencoded": {"binary": string(packet)}, "text/plain": texts, "application/json": bodies}
}

// inLines breaks a text into lines that end in CRLF.
func inLines(text string, width int) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(text), width) {
		b.Write(part)
		b.WriteString("\r\n")
	}
	return b.String()
}
