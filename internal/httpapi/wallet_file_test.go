package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletexport"
)

// walletFiles is the directory with the files of other programs.
const walletFiles = "../walletfile/testdata/regtest"

// body returns a JSON body with a file and further fields.
func fileBody(t *testing.T, name, more string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(walletFiles, name))
	testkit.Check(t, err)
	text, err := json.Marshal(string(data))
	testkit.Check(t, err)
	return `{"file": ` + string(text) + more + "}"
}

// testWalletFiles inspects files, creates wallets from them, and exports these.
func testWalletFiles(t *testing.T, s *server, n *testkit.Node) {
	p := s.user(t, "alice", false)
	k := s.token(t, p, 0).bearer()
	const inspect, create = "/api/v1/wallets/inspect", "/api/v1/wallets"

	got := s.call(t, "POST", inspect, k, fileBody(t, "coldcard.json", "")).want(t, 200, `"format":"coldcard"`, `"script":"wpkh"`, `"signatures_required":1`,
		`"scripts":["pkh","sh-wpkh","wpkh","tr","sh","sh-wsh","wsh"]`, `"fingerprint":"73c5da0a","derivation":"m/84h/1h/0h","xpub":"tpub`, `"name":null`, `"code":"one_of_several"`)
	s.wantFirstAddresses(t, n, got)
	s.testInspection(t, k, got.text("descriptor"))
	s.call(t, "POST", inspect, k, fileBody(t, "coldcard.json", `, "script": "tr"`)).want(t, 200, `"script":"tr"`, `"descriptor":"tr(`)
	s.call(t, "POST", inspect, k, fileBody(t, "key-multisig.txt", "")).want(t, 200, `"signatures_required":null`, `"descriptor":null`, `"addresses":null`, `"code":"signer_key"`)
	vault := s.call(t, "POST", inspect, k, fileBody(t, "sparrow.json", "")).want(t, 200, `"name":"Family Vault"`, `"birthday":"2023-11-14T22:13:20Z"`, `"birthday_height":null`, `"name":"Jade"`, `"warnings":[]`)
	s.wantFirstAddresses(t, n, vault)
	if got := s.call(t, "GET", create, k, "").want(t, 200).list("alias"); len(got) > 0 {
		t.Errorf("an inspection created %v", got)
	}

	made := s.call(t, "POST", create, k, fileBody(t, "account-map.json", "")).want(t, 201, `"alias":"family_vault"`, `"name":"Family Vault"`, `"change_descriptor_implied":true`, `"code":"change_implied"`)
	if made.text("descriptor") != vault.text("descriptor") || made.text("change_descriptor") != vault.text("change_descriptor") {
		t.Errorf("got %s, want %s", made.text("descriptor"), vault.text("descriptor"))
	}
	s.call(t, "POST", create, k, fileBody(t, "nunchuk.txt", `, "name": "Nested", "birthday": "now"`)).want(t, 201, `"script":"sh-wsh"`, `"warnings":[]`)
	data := testkit.Must(os.ReadFile(filepath.Join(walletFiles, "wallet.bsms")))
	s.call(t, "POST", create, k, fmt.Sprintf(`{"file_base64": %q, "name": "x", "birthday": 0}`, base64.URLEncoding.EncodeToString(data))).wantProblem(t, 409, "wallet_exists")
	s.call(t, "POST", inspect, k, fileBody(t, "wallet.bsms", "")).want(t, 200, `"code":"key_in_other_wallet"`, "also used in your wallet family_vault")
	s.call(t, "POST", create, k, fileBody(t, "key-slip132.txt", `, "name": "Bare", "birthday": "now"`)).want(t, 201, `"code":"fingerprint_missing"`)

	s.testParts(t, k, vault.text("descriptor"), vault.text("change_descriptor"))
	s.testFileProblems(t, k, p)
	for _, f := range walletexport.Formats {
		s.call(t, "GET", "/api/v1/wallets/family_vault/export?format="+string(f), k, "").want(t, 200)
		if f == walletexport.Labels {
			continue
		}
		file := s.call(t, "GET", "/api/v1/wallets/family_vault/export?format="+string(f), k, "").want(t, 200)
		text, err := json.Marshal(file.body)
		testkit.Check(t, err)
		again := s.call(t, "POST", inspect, k, `{"file": `+string(text)+`}`).want(t, 200)
		if again.text("descriptor") != vault.text("descriptor") || !strings.Contains(file.header.Get("Content-Disposition"), "family_vault-"+f.FileName()) {
			t.Errorf("%s: read back as %s, %v", f, again.body, file.header)
		}
	}
	s.call(t, "GET", "/api/v1/wallets/bare/export?format=caravan", k, "").wantProblem(t, 409, "missing_origin")
	s.call(t, "GET", "/api/v1/wallets/family_vault/export?format=pdf", k, "").want(t, 400, "must be specter, account-map, labels, core")
	s.call(t, "GET", "/api/v1/wallets/family_vault/export", k, "").want(t, 400, `"field":"format"`)
	s.call(t, "GET", "/api/v1/wallets/family_vault/export?format=core", s.token(t, p, auth.WalletsWrite).bearer(), "").want(t, 403)
}

// wantFirstAddresses compares the addresses of an inspection with Bitcoin Core's.
func (s *server) wantFirstAddresses(t *testing.T, n *testkit.Node, got answer) {
	t.Helper()
	var v struct {
		Descriptor string
		Change     string `json:"change_descriptor"`
		Addresses  struct{ Receive, Change []string }
	}
	testkit.Check(t, json.Unmarshal([]byte(got.body), &v))
	for descriptor, addresses := range map[string][]string{v.Descriptor: v.Addresses.Receive, v.Change: v.Addresses.Change} {
		var want []string
		testkit.Check(t, json.Unmarshal(n.CLI(t, "deriveaddresses", descriptor, []int{0, 2}), &want))
		if fmt.Sprint(addresses) != fmt.Sprint(want) {
			t.Errorf("got %v, Core has %v", addresses, want)
		}
	}
}

// testParts inspects a wallet as the texts of QR codes.
func (s *server) testParts(t *testing.T, k, receive, change string) {
	t.Helper()
	const inspect = "/api/v1/wallets/inspect"
	d, err := btc.ParseDescriptor(btc.Multipath(receive, change), btc.Regtest)
	testkit.Check(t, err)
	parts, err := qrcodec.NewURParts(testkit.Must(qrcodec.OutputResource(d)), 100)
	testkit.Check(t, err)
	texts := parts.Texts(parts.Len())
	slices.Reverse(texts)
	body := func(texts []string) string { return `{"parts": ` + string(testkit.Must(json.Marshal(texts))) + "}" }
	got := s.call(t, "POST", inspect, k, body(texts)).want(t, 200, `"format":"crypto-output"`)
	if got.text("descriptor") != receive {
		t.Errorf("got %s, want %s", got.text("descriptor"), receive)
	}
	s.call(t, "POST", inspect, k, body(texts[1:])).want(t, 400, `"field":"parts"`, `"code":"qr_parts_missing"`)
	s.call(t, "POST", inspect, k, `{"file": `+string(testkit.Must(json.Marshal(strings.Join(texts, "\n"))))+"}").want(t, 200, `"format":"crypto-output"`)
	bbqr, err := qrcodec.EncodeBBQr(qrcodec.JSON, testkit.Must(os.ReadFile(filepath.Join(walletFiles, "coldcard.json"))), 500)
	testkit.Check(t, err)
	s.call(t, "POST", inspect, k, body(bbqr)).want(t, 200, `"format":"coldcard"`)
}

// testInspection inspects a wallet without a file, and names files.
func (s *server) testInspection(t *testing.T, k, receive string) {
	t.Helper()
	const inspect = "/api/v1/wallets/inspect"
	receive, _, _ = strings.Cut(receive, "#")
	key := strings.TrimSuffix(strings.TrimPrefix(receive, "wpkh("), "/0/*)")
	for name, body := range map[string]string{
		"descriptor": fmt.Sprintf(`{"descriptor": %q}`, receive), "keys": fmt.Sprintf(`{"keys": [%q], "script": "wpkh"}`, key),
	} {
		got := s.call(t, "POST", inspect, k, body).want(t, 200, `"name":null`)
		if descriptor, _, _ := strings.Cut(got.text("descriptor"), "#"); descriptor != receive {
			t.Errorf("%s: the descriptor is %s, want %s", name, descriptor, receive)
		}
	}
	s.call(t, "POST", inspect, k, fmt.Sprintf(`{"descriptor": %q, "change_descriptor": "x"}`, receive)).want(t, 400, `"field":"change_descriptor"`)
	s.call(t, "POST", inspect, k, fmt.Sprintf(`{"file": %q, "file_names": ["folder/ann.json"]}`, key)).want(t, 200, `"name":"ann"`)
}

// testFileProblems checks that one response names all problems of a request with a file.
func (s *server) testFileProblems(t *testing.T, k string, p testUser) {
	t.Helper()
	const inspect, create = "/api/v1/wallets/inspect", "/api/v1/wallets"
	s.call(t, "POST", inspect, k, `{}`).want(t, 400, "exactly one of descriptor, keys, file, file_base64, files and parts is required")
	s.call(t, "POST", inspect, k, `{"file": "x", "file_base64": "eA=="}`).want(t, 400, "exactly one of descriptor, keys, file, file_base64, files and parts is required")
	s.call(t, "POST", inspect, k, `{"file": "x", "keys": ["x"]}`).want(t, 400, "exactly one of descriptor, keys, file, file_base64, files and parts is required")
	for _, body := range []string{`"file": "x", "file_names": ["a", "b"]`, `"files": ["x", "y"], "file_names": ["a"]`, `"parts": ["x"], "file_names": ["a"]`, `"file_base64": "eA==", "file_names": []`} {
		s.call(t, "POST", inspect, k, "{"+body+"}").want(t, 400, `"field":"file_names"`, "must have one name for each file")
	}
	s.call(t, "POST", inspect, k, `{"file_base64": "?"}`).want(t, 400, `"field":"file_base64"`)
	s.call(t, "POST", inspect, k, `{"file": "x", "scriptx": "wpkh"}`).want(t, 400, `"field":"scriptx"`, "unknown field")
	s.call(t, "POST", create, k, fileBody(t, "wallet.bsms", `, "keys": ["x"], "name": " x", "alias": "Not One", "birthday": "yesterday"`)).
		want(t, 400, "exactly one of descriptor, keys, file", `"field":"name"`, `"field":"alias"`, `"field":"birthday"`)
	s.call(t, "POST", create, k, `{"file_base64": "?", "name": " x", "alias": "Not One", "birthday": 1000000}`).
		want(t, 400, `"field":"file_base64"`, `"field":"name"`, `"field":"alias"`, `"field":"birthday","message":"must be between 0 and`)
	s.call(t, "POST", create, k, `{"parts": ["ur:x"], "name": " x", "birthday": "2100-01-01"}`).
		want(t, 400, `"field":"parts"`, `"field":"name"`, `"field":"birthday","message":"must not be in the future`)
	s.call(t, "POST", create, k, fileBody(t, "key-multisig.txt", `, "name": "x", "birthday": "now"`)).wantProblem(t, 400, "not_one_wallet")
	s.call(t, "POST", create, k, fileBody(t, "wallet.bsms", `, "signatures_required": 2, "alias": "Not One", "birthday": "yesterday"`)).
		want(t, 400, `"field":"alias"`, `"field":"birthday"`, `"field":"signatures_required","message":"must be omitted if there is a file`)
	s.call(t, "POST", create, k, fileBody(t, "wallet.bsms", `, "alias": "Not One"`)).want(t, 400, `"field":"name"`, `"field":"alias"`, `"field":"birthday"`)
	var unread struct{ Errors []struct{ Field string } } // what the file may contain is not reported as missing
	testkit.Check(t, json.Unmarshal([]byte(s.call(t, "POST", create, k, `{"file": "x"}`).want(t, 400).body), &unread))
	if len(unread.Errors) != 1 || unread.Errors[0].Field != "file" {
		t.Errorf("got %+v", unread)
	}
	broken := strings.Replace(fileBody(t, "caravan.json", `, "name": "x", "birthday": "now"`), "tpub", "tpuc", 2)
	s.call(t, "POST", create, k, broken).want(t, 400, `"field":"file","message":"key 1 must`, `"field":"file","message":"key 2 must`)
	s.call(t, "POST", create, k, `{"name": "x", "keys": ["x", "y"], "signatures_required": 3, "script": "wsx", "birthday": "now"}`).
		want(t, 400, `"field":"script"`, `"field":"signatures_required"`, `"field":"keys","message":"key 1 must`, `"field":"keys","message":"key 2 must`)
	main := strings.Replace(fileBody(t, "wallet.bsms", ""), "tpub", "xpub", 1)
	s.call(t, "POST", inspect, k, main).want(t, 400, "does not match its checksum")
	limited := s.token(t, p, 0, "family_vault")
	s.call(t, "POST", inspect, limited.bearer(), fileBody(t, "wallet.bsms", "")).wantProblem(t, 403, "token_limited_to_wallets")
}

// testSignersFiles creates a multisig wallet from a file of each signer. Devices that the user
// did not have are named as in the files.
func testSignersFiles(t *testing.T, s *server, n *testkit.Node) {
	k := s.token(t, s.user(t, "alice", false), 0).bearer()
	const inspect, create = "/api/v1/wallets/inspect", "/api/v1/wallets"
	var files []string
	for _, name := range []string{"ccxp-73C5DA0A.json", "key-jade.txt", "key-spare.txt"} {
		files = append(files, string(testkit.Must(os.ReadFile(filepath.Join(walletFiles, name)))))
	}
	body := func(more string) string { return `{"files": ` + string(testkit.Must(json.Marshal(files))) + more + "}" }
	got := s.call(t, "POST", inspect, k, body(`, "signatures_required": 2`)).
		want(t, 200, `"format":"signers"`, `"script":"wsh"`, `"signatures_required":2`, `"accounts":[]`, `"warnings":[]`)
	s.wantFirstAddresses(t, n, got)
	s.call(t, "POST", inspect, k, body("")).want(t, 400, `"field":"signatures_required"`)
	s.call(t, "POST", inspect, k, fileBody(t, "ccxp-73C5DA0A.json", "")).
		want(t, 200, `"accounts":[{"script":"sh","key":"[73c5da0a/45h]tpub`, `{"script":"wsh","key":"[73c5da0a/48h/1h/0h/2h]tpub`)
	made := s.call(t, "POST", create, k, body(`, "signatures_required": 2, "name": "Vault", "birthday": "now"`)).want(t, 201, `"device":"73c5da0a"`, `"device":"b8688df1"`)
	if made.text("descriptor") != got.text("descriptor") {
		t.Errorf("got %s, want %s", made.text("descriptor"), got.text("descriptor"))
	}
	files[1], files[2] = "nonsense", files[0]
	s.call(t, "POST", create, k, body(`, "signatures_required": 2, "birthday": "now"`)).want(t, 400, `"field":"files[1]"`, `"field":"name"`)

	named := s.token(t, s.user(t, "bob", false), 0).bearer()
	s.call(t, "POST", create, named, fileBody(t, "sparrow.json", "")).want(t, 201, `"device":"cold"`, `"device":"jade"`, `"device":"spare"`)
	s.call(t, "POST", create, named, fileBody(t, "specter-device.json", `, "name": "Savings", "birthday": "now"`)).want(t, 201, `"device":"cold"`)
	if file := s.call(t, "GET", "/api/v1/wallets/family_vault/export?format=caravan", named, "").want(t, 200); !strings.Contains(file.body, `"name": "Jade"`) {
		t.Errorf("the export has other names: %s", file.body)
	}
}

// testPrivateFiles posts files with private keys. The server checks at its end that neither its
// log nor its database has one of them.
func testPrivateFiles(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "alice", false)
	k := s.token(t, p, 0).bearer()
	files := map[string]struct{ File, Secret string }{}
	testkit.Check(t, json.Unmarshal(testkit.Must(os.ReadFile("../walletfile/testdata/private-regtest.json")), &files))
	if len(files) < 40 {
		t.Fatalf("%d files", len(files))
	}
	const more = `, "name": "x", "birthday": "now"`
	for name, f := range files {
		s.secret(f.Secret)
		var secrets testkit.Secrets
		secrets.Add(name, f.Secret)
		text := string(testkit.Must(json.Marshal(f.File)))
		for _, c := range []struct{ path, body, field string }{
			{"/inspect", `{"file": ` + text + `}`, "file"},
			{"/inspect", `{"files": ["x", ` + text + `], "signatures_required": 1}`, "files[1]"},
			{"/inspect", `{"parts": [` + text + `]}`, ""},
			{"", `{"file": ` + text + more + `}`, "file"},
			{"", `{"file_base64": "` + base64.StdEncoding.EncodeToString([]byte(f.File)) + `"` + more + `}`, "file"},
			{"", `{"files": [` + text + `, "x"], "signatures_required": 1` + more + `}`, "files[0]"},
			{"", `{"descriptor": ` + text + more + `}`, "descriptor"},
			{"", `{"keys": [` + text + `], "script": "wpkh"` + more + `}`, "keys"},
		} {
			want := `"field":"` + c.field
			got := s.call(t, "POST", "/api/v1/wallets"+c.path, k, c.body).want(t, 400, want)
			if found := secrets.Find(got.body); len(found) > 0 {
				t.Errorf("%s, %s: the response repeats %v", name, c.field, found)
			}
		}
	}
	if got := s.call(t, "GET", "/api/v1/wallets", k, "").want(t, 200).list("alias"); len(got) > 0 {
		t.Errorf("created %v", got)
	}
}
