package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// parts returns the QR texts of a response.
func (a answer) parts(t *testing.T) []string {
	t.Helper()
	var body struct{ Parts []string }
	testkit.Check(t, json.Unmarshal([]byte(a.body), &body))
	return body.Parts
}

// testProposalQR reads the PSBT of a proposal as QR codes.
func testProposalQR(t *testing.T, w *spending) {
	made := w.propose(t, "proposer", "").want(t, 201)
	raw := testkit.Must(base64.StdEncoding.DecodeString(made.text("psbt")))
	path := "/" + made.text("id") + "/qr"
	get := func(query string) answer {
		t.Helper()
		return w.ask(t, "GET", path+query, "viewer", "", nil)
	}
	for query, want := range map[string]string{
		"":                                  `"format":"ur"`,
		"?format=bbqr":                      `"format":"bbqr"`,
		"?device=coldcard":                  `"fragment_size":775,"rate_per_second":8`,
		"?device=seedsigner":                `"fragment_size":100,"rate_per_second":4`,
		"?device=krux&format=bbqr":          `"format":"bbqr"`,
		"?format=ur&fragment_size=2000":     `"fragments":1,"first":1,"next":null`,
		"?device=jade&first=500&count=40":   `"first":500,"next":540`,
		"?format=bbqr&fragment_size=20":     `"next":null,"fragment_size":20`,
		"?device=passport&fragment_size=60": `"fragment_size":60,"rate_per_second":5,"signatures_withheld":false`,
	} {
		t.Run(query, func(t *testing.T) {
			got := get(query).want(t, 200, want)
			if got.header.Get("Etag") != `"1"` {
				t.Errorf("%s: the ETag is %s", query, got.header.Get("Etag"))
			}
			content, err := qrcodec.Read([]byte(strings.Join(got.parts(t), "\n")))
			if err != nil || content.Kind != qrcodec.PSBT || !bytes.Equal(content.Data, raw) {
				t.Errorf("%s: got %s of %d bytes: %v", query, content.Kind, len(content.Data), err)
			}
		})
	}
	w.ask(t, "GET", path, "viewer", "", map[string]string{"If-None-Match": `"1"`}).want(t, 304)
	for query, field := range map[string]string{
		"?format=svg": "format", "?device=nano": "device", "?fragment_size=19": "fragment_size", "?fragment_size=2001": "fragment_size",
		"?first=0": "first", "?count=9999": "count", "?format=bbqr&first=2": "first", "?device=coldcard&count=3": "count", "?first=x": "first",
	} {
		get(query).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"`+field+`"`)
	}
	w.ask(t, "GET", "/00000000-0000-4000-8000-000000000000/qr", "viewer", "", nil).wantProblem(t, 404, "proposal_not_found")

	first := w.signed(t, made, 0)
	w.ask(t, "POST", "/"+made.text("id")+"/signatures", "signer", string(first), map[string]string{"Content-Type": "application/octet-stream"}).want(t, 200)
	shown := w.ask(t, "GET", path, "owner", "", map[string]string{"If-None-Match": `"1"`}).want(t, 200, `"signatures_withheld":false`)
	content := testkit.Must(qrcodec.Read([]byte(strings.Join(shown.parts(t), "\n"))))
	if whole := w.ask(t, "GET", "/"+made.text("id"), "owner", "", nil); base64.StdEncoding.EncodeToString(content.Data) != whole.text("psbt") || bytes.Equal(content.Data, raw) {
		t.Error("the QR codes do not contain the signature")
	}
	w.ask(t, "DELETE", "/"+made.text("id"), "proposer", "", nil).want(t, 200)
}

// testSignatureFormats posts a signed PSBT in every format and media type, and the errors for
// other data.
func testSignatureFormats(t *testing.T, w *spending) {
	made := w.propose(t, "proposer", "").want(t, 201)
	path := "/" + made.text("id") + "/signatures"
	signed := w.signed(t, made, 0)
	standard := base64.StdEncoding.EncodeToString(signed)
	ur := testkit.Must(qrcodec.NewURParts(qrcodec.PSBTResource(signed), 100))
	bbqr := testkit.Must(qrcodec.EncodeBBQr(qrcodec.PSBT, signed, 100))
	formats := map[string]string{
		"binary": string(signed), "base64": standard, "base64 in lines": inLines(standard, 64), "URL-safe": base64.RawURLEncoding.EncodeToString(signed),
		"hex": hex.EncodeToString(signed), "BBQr": strings.Join(bbqr, "\n"), "UR": strings.Join(ur.Texts(ur.Len()), "\r\n"), "UR, mixed parts": strings.Join(ur.Texts(3 * ur.Len())[ur.Len():], "\n"),
	}
	const boundary = "----boundary"
	for name, text := range formats {
		t.Run(name, func(t *testing.T) {
			for media, body := range map[string]string{
				"application/octet-stream": text, "text/plain": text, "application/x-www-form-urlencoded": text,
				"multipart/form-data; boundary=" + boundary: "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n" + text + "\r\n--" + boundary + "--\r\n",
				"application/json":                          string(testkit.Must(json.Marshal(map[string]string{"psbt": text}))),
			} {
				t.Run(media, func(t *testing.T) {
					if name == "binary" && media == "application/json" {
						return
					}
					got := w.ask(t, "POST", path, "signer", body, map[string]string{"Content-Type": media})
					if got.status != 200 || got.text("status") != "partially_signed" {
						t.Errorf("%s as %s: %d %.300s", name, media, got.status, got.body)
					}
				})
			}
		})
	}
	for body, want := range map[string]string{
		strings.Join(slices.Delete(slices.Clone(bbqr), 2, 3), "\n"): fmt.Sprintf(`"code":"qr_parts_missing","detail":"the QR code 3 of %d is missing"`, len(bbqr)),
		ur.Text(1):                  `"code":"qr_parts_missing","detail":"the QR codes 2, 3, `,
		bbqr[0] + "\n" + ur.Text(1): `"code":"qr_other_message"`, "\x89PNG\r\n": "but a PNG image;", `{"psbt": "x"}`: "but JSON;", "B$HU010048": "but other text;",
		"ur:crypto-seed/oeadgd": `"code":"private_key"`,
	} {
		t.Run(body, func(t *testing.T) {
			got := w.ask(t, "POST", path, "signer", body, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}).want(t, 400)
			if !strings.Contains(got.body, want) && !strings.Contains(strings.ReplaceAll(got.body, ", ", ","), want) {
				t.Errorf("%.40q: got %s, want %s", body, got.body, want)
			}
		})
	}
	w.ask(t, "DELETE", "/"+made.text("id"), "proposer", "", nil).want(t, 200)
}
