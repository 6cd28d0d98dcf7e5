package walletfile_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletfile"
)

// partsOf returns the QR texts of a resource, in reverse order.
func partsOf(t testing.TB, r qrcodec.Resource) []string {
	t.Helper()
	parts, err := qrcodec.NewURParts(r, 60)
	testkit.Check(t, err)
	texts := parts.Texts(parts.Len())
	slices.Reverse(texts)
	return texts
}

// TestFromParts reads wallets and keys from the texts of QR codes.
func TestFromParts(t *testing.T) {
	t.Parallel()
	options := walletfile.Options{Network: btc.Main}
	for _, script := range []btc.Script{btc.PKH, btc.WPKH, btc.ShWPKH, btc.TR, btc.Sh, btc.WSh, btc.ShWSh} {
		p := policyOf(t, script, btc.Main)
		d, err := btc.ParseDescriptor(btc.Multipath(p.Receive.String(), p.Change.String()), btc.Main)
		testkit.Check(t, err)
		source := walletfile.FromParts(partsOf(t, testkit.Must(qrcodec.OutputResource(d))))
		f, err := source.Read(options)
		if err != nil || f.Format != walletfile.CryptoOutput || f.Policy.Receive.String() != p.Receive.String() || f.Policy.Change.String() != p.Change.String() {
			t.Errorf("output, %s: %v, %v", script, f.Policy.Receive, err)
		}
		account := walletfile.FromParts(partsOf(t, testkit.Must(qrcodec.AccountResource(p.Keys[0], script, btc.Main))))
		f, err = account.Read(options)
		if err != nil || f.Script != script || f.IsWallet() == script.IsMultisig() || f.Keys[0].XPub != p.Keys[0].XPub || f.Keys[0].Fingerprint != p.Keys[0].Fingerprint {
			t.Errorf("account, %s: %+v, %v", script, f, err)
		}
	}
	for _, name := range []string{"coldcard.json", "coldcard-multisig.txt", "wallet.bsms"} {
		data := testkit.Must(readRaw(btc.Main, name))
		texts, err := qrcodec.EncodeBBQr(qrcodec.Text, data, 200)
		testkit.Check(t, err)
		source := walletfile.FromParts(texts)
		got, err := source.Read(options)
		testkit.Check(t, err)
		want, err := walletfile.FromBytes(data).Read(options)
		testkit.Check(t, err)
		if got.Format != want.Format || got.Policy.Receive.String() != want.Policy.Receive.String() {
			t.Errorf("%s: %+v", name, got)
		}
		one := walletfile.FromParts([]string{string(data)})
		if f, err := one.Read(options); err != nil || f.Format != want.Format {
			t.Errorf("%s in one part: %+v, %v", name, f, err)
		}
	}
}

// TestFromParts_Problems checks the errors about QR texts.
func TestFromParts_Problems(t *testing.T) {
	t.Parallel()
	p := policyOf(t, btc.WSh, btc.Main)
	d, err := btc.ParseDescriptor(btc.Multipath(p.Receive.String(), p.Change.String()), btc.Main)
	testkit.Check(t, err)
	texts := partsOf(t, testkit.Must(qrcodec.OutputResource(d)))
	psbt := "cHNidP8BAFICAAAAAf//////////////////////////////////////////AAAAAAD/////AQAAAAAAAAAAIgAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for name, c := range map[string]struct {
		parts []string
		code  string
	}{
		"missing":     {texts[1:], "qr_parts_missing"},
		"damaged":     {[]string{texts[0][:len(texts[0])-3]}, "invalid_qr_text"},
		"another one": {[]string{texts[0], "B$2J0200ABC"}, "qr_other_message"},
		"payment":     {[]string{psbt}, "unknown_file_format"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := walletfile.FromParts(c.parts).Read(walletfile.Options{Network: btc.Main})
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != fault.Invalid || f.Code != c.code || f.Fields[0].Name != "parts" {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	words := walletfile.FromParts([]string{seeds[1]})
	if _, err := words.Read(walletfile.Options{Network: btc.Main}); !errors.Is(err, btc.ErrPrivateKey) {
		t.Errorf("seed words: %v", err)
	}
	source := walletfile.FromText(strings.Join(texts[1:], "\n"))
	_, err = source.Read(walletfile.Options{Network: btc.Main})
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "qr_parts_missing" || f.Fields[0].Name != "file" {
		t.Errorf("QR texts as a file: %v", err)
	}
}

// TestFromBase64 checks the accepted forms of base64.
func TestFromBase64(t *testing.T) {
	t.Parallel()
	data := testkit.Must(readRaw(btc.Main, "wallet.bsms"))
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		text := encoding.EncodeToString(data)
		source := walletfile.FromBase64(text[:76] + "\r\n" + text[76:] + "\n")
		if f, err := source.Read(walletfile.Options{Network: btc.Main}); err != nil || f.Format != walletfile.BSMS {
			t.Errorf("%+v, %v", f, err)
		}
	}
	if _, err := walletfile.FromBase64("not?").Read(walletfile.Options{Network: btc.Main}); err == nil {
		t.Error("accepted")
	}
}

// TestRead_EveryKey reads descriptors with keys that end in all characters, also H, which means a
// hardened step elsewhere.
func TestRead_EveryKey(t *testing.T) {
	t.Parallel()
	account, err := hdkeychain.NewKeyFromString(policyOf(t, btc.WPKH, btc.Main).Keys[0].XPub)
	testkit.Check(t, err)
	ends := map[byte]bool{}
	for i := uint32(0); len(ends) < 58; i++ {
		child, err := account.Derive(i)
		testkit.Check(t, err)
		xpub := child.String()
		if ends[xpub[len(xpub)-1]] {
			continue
		}
		ends[xpub[len(xpub)-1]] = true
		for _, text := range []string{"wpkh([d34db33f/84H/0H/0H/1]" + xpub + "/0/*)", "wpkh([d34db33f/84’/0’/0’/1]" + xpub + "/{0,1}/*)", "wpkh([d34db33f/84h/0h/0h/1]" + xpub + ")"} {
			f, err := walletfile.FromText(text).Read(walletfile.Options{Network: btc.Main})
			if err != nil || f.Keys[0].XPub != xpub || !strings.HasPrefix(f.Policy.Receive.String(), "wpkh([d34db33f/84h/0h/0h/1]"+xpub+"/0/*)") {
				t.Errorf("%s: %v, %v", text, f.Policy.Receive, err)
			}
		}
	}
}
