package evasion

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// search fails the attempt if a response contains the outputs of a proposal that is not
// released, as PSBTs and raw transactions of any format do, or the texts of QR codes.
func (w *world) search(path string, r reply) reply {
	w.t.Helper()
	if r.body == "" {
		return r
	}
	rows, err := w.db.QueryContext(w.t.Context(), `SELECT proposal_id, psbt FROM proposals WHERE review <> '' AND review NOT LIKE '%"released":true%' AND status NOT IN ('broadcast', 'confirmed')`)
	testkit.Check(w.t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		var packet []byte
		testkit.Check(w.t, rows.Scan(&id, &packet))
		if w.known[id] {
			continue
		}
		if form := leaked(r.body, packet); form != "" {
			w.t.Errorf("%s: the response has the PSBT of a proposal that is not released, as %s", r.what, form)
		}
		upper := strings.ToUpper(r.body)
		if strings.Contains(path, id) && (strings.Contains(upper, "UR:CRYPTO-PSBT") || strings.Contains(upper, "B$2P") || strings.Contains(upper, "B$ZP")) {
			w.t.Errorf("%s: the response has QR codes of a proposal that is not released", r.what)
		}
	}
	testkit.Check(w.t, rows.Err())
	return r
}

// leaked returns in which form a text contains the serialized outputs of a PSBT.
func leaked(text string, packet []byte) string {
	needle := outputsOf(packet)
	if strings.Contains(strings.ToLower(text), hex.EncodeToString(needle)) {
		return "hexadecimal"
	}
	text = strings.NewReplacer("&#43;", "+", "-", "+", "_", "/", "\n", "", "\r", "").Replace(text)
	for offset := range 3 {
		// Three bytes are four digits, so that a part has the same digits wherever it begins at a
		// multiple of three.
		part := needle[offset:]
		part = part[:len(part)/3*3]
		if strings.Contains(text, base64.StdEncoding.EncodeToString(part)) {
			return "base64"
		}
	}
	if bytes.Contains([]byte(text), needle) {
		return "binary"
	}
	return ""
}

// outputsOf returns the serialized outputs of the transaction of a PSBT.
func outputsOf(packet []byte) []byte {
	tx := testkit.Must(psbt.Parse(packet)).Tx()
	var all bytes.Buffer
	for _, out := range tx.TxOut {
		all.Write([]byte{byte(out.Value), byte(out.Value >> 8), byte(out.Value >> 16), byte(out.Value >> 24), byte(out.Value >> 32), 0, 0, 0, byte(len(out.PkScript))})
		all.Write(out.PkScript)
	}
	return all.Bytes()
}
