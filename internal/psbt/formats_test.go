package psbt_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestDecode_Formats decodes a PSBT in every format of an upload.
func TestDecode_Formats(t *testing.T) {
	p := newWallet(t, "wsh-sortedmulti").pay(t)
	raw := p.signed(0, 1).bytes()
	ur := testkit.Value(qrcodec.NewURParts(qrcodec.PSBTResource(raw), 100))(t)
	bbqr := testkit.Value(qrcodec.EncodeBBQr(qrcodec.PSBT, raw, 100))(t)
	standard := base64.StdEncoding.EncodeToString(raw)
	half := len(standard) / 2
	for name, text := range map[string]string{
		"binary": string(raw), "hexadecimal": hex.EncodeToString(raw), "upper hexadecimal": lines(strings.ToUpper(hex.EncodeToString(raw))),
		"base64": standard, "base64 in lines": lines(standard), "URL-safe base64": base64.URLEncoding.EncodeToString(raw),
		"unpadded": base64.RawStdEncoding.EncodeToString(raw), "unpadded URL-safe": lines(base64.RawURLEncoding.EncodeToString(raw)),
		"UR": strings.Join(ur.Texts(ur.Len()), "\n"), "lower UR": strings.ToLower(strings.Join(ur.Texts(ur.Len()), "\r\n")), "BBQr": strings.Join(bbqr, "\n\n"),
		"Specter DIY": fmt.Sprintf("p2of2 %s\np1of2 %s", standard[half:], standard[:half]),
		"one UR":      strings.ReplaceAll(testkit.Value(qrcodec.NewURParts(qrcodec.PSBTResource(raw), len(raw)+9))(t).Text(1), "CRYPTO-", ""),
	} {
		t.Run(name, func(t *testing.T) {
			posted, err := psbt.Decode([]byte(text))
			if err != nil || posted.Txid() != p.tx.TxID() {
				t.Fatalf("got %v", err)
			}
			found, err := psbt.Collect(p.stored(), p.inputs, posted)
			if err != nil || len(found) != 2*len(p.inputs) {
				t.Errorf("%d signatures: %v", len(found), err)
			}
		})
	}
	t.Run("missing part", func(t *testing.T) {
		_, err := psbt.Decode([]byte(strings.Join(slices.Delete(bbqr, 1, 2), "\n")))
		if want := fmt.Sprintf("the QR code 2 of %d is missing", len(bbqr)); !errors.Is(err, qrcodec.ErrMissingParts) || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
}

// TestDecode_NamesContent uploads other data by mistake.
func TestDecode_NamesContent(t *testing.T) {
	const key = "xpub6BkU445MSEBXbPjD3g2c2ch6mn8yy1SXXQUM7EwjgYiq6Wt1NDwDZ45npqWcV8uQC5oi2gHuVukoCoZZyT4HKq8EpotPMqGqxdZRuapCQ23"
	for data, want := range map[string]string{
		"": "nothing", " \n": "nothing", "hello": "other text", `{"psbt": "cHNidP8="}`: "JSON", "\x89PNG\r\n\x1a\n": "a PNG image", "%PDF-1.4": "a PDF document",
		"bitcoin:bc1q?amount=1": "a payment URI", "https://example.org/": "a URL", key: "an extended public key", "[d34db33f/84'/0'/0']" + key: "an extended public key",
		"wpkh(" + key + "/0/*)": "an output descriptor", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq": "an address", "<html>": "HTML or XML",
		"abcdef": "hexadecimal that", "SGVsbG8gd29ybGQhCg==": "base64 that", "\xff\xfe": "other binary data, or a damaged file",
		"UR:CRYPTO-OUTPUT/TAADMUTAADEYOYAXHDCLAOSWAALBMWFPWEKIJNDYFEFZJTMDRTKETPHHKTMNGRLKWSFNOSPYPSASRHHHJONNVWTSQZWLJY": "a QR code with output descriptors or keys",
	} {
		t.Run(want, func(t *testing.T) {
			_, err := psbt.Decode([]byte(data))
			if !errors.Is(err, psbt.ErrUnreadable) || !strings.HasPrefix(err.Error(), "this is neither a PSBT nor a signed transaction, but "+want) {
				t.Errorf("got %v", err)
			}
			if len(data) > 9 && strings.Contains(err.Error(), data) {
				t.Errorf("the error repeats the data: %v", err)
			}
		})
	}
}
