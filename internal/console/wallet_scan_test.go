package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletfile"
)

const scanPath = newWalletPath + "/scan"

// bbqrOf returns the texts of the codes with a file of regtestFile as BBQr.
func bbqrOf(t *testing.T, name string, kind qrcodec.Kind) []string {
	t.Helper()
	return testkit.Must(qrcodec.EncodeBBQr(kind, regtestFile(t, name).content, 120))
}

// accountOf returns the texts of the codes with the key in a file as a UR of the type crypto-account.
func accountOf(t *testing.T, name string) []string {
	t.Helper()
	read := testkit.Value(walletfile.FromBytes(regtestFile(t, name).content).Read(walletfile.Options{Network: btc.Regtest}))(t)
	return urOf(t, testkit.Value(qrcodec.AccountResource(read.Keys[0].Key, btc.WSh, btc.Regtest))(t), 40)
}

func textOfFile(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(string(regtestFile(t, name).content))
}

// TestNewWallet_Scan sends the texts of codes as the script does, and creates wallets from them.
func TestNewWallet_Scan(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	v := s.admin(t)
	scan := func(texts ...string) result {
		return scanResult(t, v.post(scanPath, "texts", strings.Join(texts, "\n")))
	}
	descriptor := textOfFile(t, "descriptor.txt")
	half := len(descriptor) / 2
	coldcard, account := bbqrOf(t, "ccxp-73C5DA0A.json", qrcodec.JSON), accountOf(t, "key-jade.txt")
	if len(coldcard) < 3 || len(account) < 3 {
		t.Fatalf("the series have %d and %d codes", len(coldcard), len(account))
	}
	for name, c := range map[string]struct {
		texts []string
		want  []string // on the page of the next step
	}{
		"key as text":           {[]string{textOfFile(t, "key-seedsigner.txt")}, []string{"one key", "QR code (extended public key)"}},
		"BBQr with JSON":        {coldcard, []string{"key of one signer", "73c5da0a", "Coldcard keys for multisig"}},
		"BBQr in another order": {slices.Concat(coldcard[1:], coldcard[:1]), []string{"key of one signer", "73c5da0a"}},
		"BBQr with text":        {bbqrOf(t, "descriptor.txt", qrcodec.Text), []string{"one key", "output descriptor"}},
		"UR":                    {account, []string{"key of one signer", "b8688df1", "crypto-account"}},
		"numbered parts":        {[]string{"p1of2 " + descriptor[:half], "p2of2 " + descriptor[half:]}, []string{"one key", "output descriptor"}},
		"two devices":           {slices.Concat(coldcard, account), []string{"These are the keys of 2 signers", "73c5da0a", "b8688df1"}},
	} {
		t.Run(name, func(t *testing.T) {
			last := len(c.texts)
			if r := scan(c.texts...); !r.Done || r.Problem != "" {
				t.Errorf("all texts: %+v", r)
			}
			if last > 1 {
				if r := scan(c.texts[:last-1]...); r.Done || r.Problem != "" || r.Received != r.Expected-1 && name != "UR" && name != "two devices" {
					t.Errorf("without the last text: %+v", r)
				}
			}
			v.get(newWalletPath).send(nil, "scanned", strings.Join(c.texts, "\n"), "step", "scanned").want(200, c.want...)
		})
	}
	for name, c := range map[string]struct {
		texts   []string
		problem string
		done    bool
	}{
		"something else":      {[]string{"https://example.org"}, "Has no known format", true},
		"a damaged code":      {[]string{"UR:CRYPTO-ACCOUNT/1-3/AAAA"}, "scan it again", false},
		"a payment":           {urTexts(t, []byte("psbt\xff\x01\x00")), "Is a payment and not a wallet", true},
		"a private key":       {[]string{"tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK"}, "", true},
		"two codes of others": {[]string{coldcard[0], account[0]}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if r := scan(c.texts...); !strings.Contains(r.Problem, c.problem) || (r.Problem == "") != (c.problem == "") || c.problem == "" && r.Done != c.done {
				t.Errorf("%+v", r)
			}
		})
	}
	v.get(newWalletPath).send(nil, "scanned", "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK", "step", "scanned").
		want(400, "A private key or seed words were refused").lacks("tprv8")
	v.get(newWalletPath).send(nil, "scanned", coldcard[0], "step", "scanned").want(400, "QR code: the QR codes", "are missing")
	if r := scanResult(t, v.upload(scanPath, nil, file{"frame", "f.jpg", codePicture(t, coldcard[0])})); r.Text != coldcard[0] {
		t.Errorf("in a frame: %+v", r)
	}
	if n := s.count(t, "wallets"); n != 0 {
		t.Errorf("%d wallets were stored", n)
	}
}

// TestNewWallet_PhotosOfSeries chooses photos of the codes of two devices, as a browser without
// scripts sends them.
func TestNewWallet_PhotosOfSeries(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	v := s.admin(t)
	photos := func(name string, texts []string) (files []file) {
		for i, text := range texts {
			files = append(files, file{"file", fmt.Sprintf("%s %d.jpg", name, i), codePicture(t, text)})
		}
		return files
	}
	first, second := photos("coldcard", bbqrOf(t, "ccxp-73C5DA0A.json", qrcodec.JSON)), photos("jade", accountOf(t, "key-jade.txt"))
	all := append(slices.Concat(first, second), file{"file", "spare.jpg", codePicture(t, textOfFile(t, "key-spare.txt"))})
	v.get(newWalletPath).send(all, "signatures_required", "2", "step", "check").want(200, "2 of 3 signatures", "coldcard 0.jpg", "jade 0.jpg", "spare.jpg")
	v.get(newWalletPath).send(all[1:], "signatures_required", "2", "step", "check").want(400, "Coldcard 1.jpg: the QR code 1 of")
	empty := file{"file", "empty.jpg", asJPEG(image.NewGray(image.Rect(0, 0, 640, 360)))}
	v.get(newWalletPath).send([]file{empty}, "step", "check").want(400, "empty.jpg: no QR code was found")
}

// TestBrowser_ScanKeys creates a vault from the codes of three devices: one with the camera, one
// from a video and one from a photo.
func TestBrowser_ScanKeys(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	camera := filepath.Join(t.TempDir(), "camera.y4m")
	film(t, camera, bbqrOf(t, "ccxp-73C5DA0A.json", qrcodec.JSON))
	b := s.withCamera(t, camera)
	b.open("/login")
	b.signIn("admin", adminPassword)
	b.see("Home")
	b.open(newWalletPath)
	b.press("Scan with the camera")
	b.see("This is the key of one signer")
	b.see("73c5da0a")

	var pictures [][]byte
	for _, text := range accountOf(t, "key-jade.txt") {
		pictures = append(pictures, codePicture(t, text))
	}
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(recorder, testkit.Must(json.Marshal(pictures))), chromedp.EvalAwaitPromise))
	testkit.Check(t, err)
	b.press("Continue")
	b.see("These are the keys of 2 signers")
	b.see("b8688df1")
	b.inspectHere("new-wallet-scanned")

	photo, empty := filepath.Join(t.TempDir(), "spare.jpg"), filepath.Join(t.TempDir(), "empty.jpg")
	testkit.Check(t, os.WriteFile(photo, codePicture(t, textOfFile(t, "key-spare.txt")), 0o600))
	testkit.Check(t, os.WriteFile(empty, asJPEG(image.NewGray(image.Rect(0, 0, 640, 360))), 0o600))
	b.fill("signatures_required", "2")
	b.upload("file", photo, empty)
	b.press("Continue")
	b.see("empty.jpg: No QR code was found in this file")
	b.upload("file", photo)
	b.press("Continue")
	b.see("2 of 3 signatures")
	b.see("28645006")
}
