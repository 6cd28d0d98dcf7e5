package system

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/specter/datadir"
	"github.com/specterd/specterd/internal/specter/importer"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// Recorded data of a Specter Desktop instance and of its node.
const (
	oldFolder = "../../testdata/specter-desktop/real"
	oldNode   = "../../testdata/specter-desktop/regtest-node.tar.gz"
)

var oldTime = time.Date(2026, 11, 21, 20, 30, 0, 0, time.UTC)

// TestImport_FromSpecterDesktop migrates from Specter Desktop: it imports the directory,
// uses the imported passwords and tokens, compares balances and labels, and signs and
// broadcasts the pending payments. It does so with a node that has Specter Desktop's
// wallets, and with one in which specterd must create them.
func TestImport_FromSpecterDesktop(t *testing.T) {
	t.Parallel()
	for engine, database := range map[string]func(t *testing.T) string{
		"SQLite":     func(*testing.T) string { return "" },
		"PostgreSQL": func(t *testing.T) string { return testkit.Postgres(t) },
	} {
		for _, adopted := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, adopted %v", engine, adopted), func(t *testing.T) {
				t.Parallel()
				args := []string{"-mocktime=" + strconv.FormatInt(oldTime.Unix(), 10)}
				if !adopted {
					args = append(args, "-walletdir="+t.TempDir())
				}
				n := testkit.BitcoindFrom(t, oldNode, args...)
				h := importInto(t, n, database(t), importer.Complete)
				h.wantCredentials()
				h.wantWallets(adopted)
				h.wantPayments()
			})
		}
	}
}

// TestImport_EmptyNode imports with a node of another regtest chain. The pending payments,
// whose UTXOs do not exist there, are reported as left; everything else is
// imported.
func TestImport_EmptyNode(t *testing.T) {
	t.Parallel()
	for engine, database := range map[string]func(t *testing.T) string{
		"SQLite":     func(*testing.T) string { return "" },
		"PostgreSQL": func(t *testing.T) string { return testkit.Postgres(t) },
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			n := testkit.Bitcoind(t, "-mocktime="+strconv.FormatInt(oldTime.Unix(), 10))
			n.Mine(t, 1)
			h := importInto(t, n, database(t), importer.Complete)
			h.wantCredentials()
			for _, w := range oldWallets(t) {
				h.wantNames(w, h.wallet(w), false)
				if got := h.pending(w); len(got) != 0 {
					t.Errorf("%s: payments from missing UTXOs: %v", w.Alias, got)
				}
			}
			lost := 0
			for _, i := range h.report.Items {
				if i.Kind == importer.KindProposal && i.Result == importer.Left && strings.Contains(i.Detail, "unknown to the Bitcoin node") {
					lost++
				}
			}
			if lost != 10 {
				t.Errorf("%d payments are reported as not imported, want 10", lost)
			}
		})
	}
}

// importedServer is a specterd with imported data.
type importedServer struct {
	t      *testing.T
	node   *testkit.Node
	url    string
	report importer.Report
	tokens map[string]string // one imported token per user
}

// importInto imports the directory and serves until the test ends.
func importInto(t *testing.T, n *testkit.Node, database string, want importer.Status) *importedServer {
	t.Helper()
	begun := time.Now()
	url, report := serveImported(t, n, func() time.Time { return oldTime.Add(time.Since(begun)) }, map[string]string{"SPECTER_DATABASE_URL": database})
	if got := report.Status(); got != want {
		t.Fatalf("import: %s, want %s\n%+v", got, want, report)
	}
	return &importedServer{t: t, node: n, url: url, report: report, tokens: map[string]string{}}
}

// serveImported imports the recorded directory with a node and a clock, and serves in this
// process until the test ends. It returns the URL of the server and the report.
func serveImported(t *testing.T, n *testkit.Node, now func() time.Time, settings map[string]string) (url string, report importer.Report) {
	t.Helper()
	environment := map[string]string{
		"SPECTER_DATA_FOLDER": t.TempDir(), "SPECTER_API_ACTIVE": "true", "PORT": "0", "SPECTER_BCRYPT_COST": "4", "SECRET_KEY": testKey,
	}
	for _, setting := range nodeSettings(n) {
		name, value, _ := strings.Cut(setting, "=")
		environment[name] = value
	}
	maps.Copy(environment, settings)
	a := openApp(t, environment, app.Serving)
	a.Now = now
	report = importRecorded(t, a)
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- a.Serve(ctx, func(url string) { ready <- url }) }()
	t.Cleanup(func() { stop(); testkit.Check(t, <-ended) })
	select {
	case url = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("serve: %v", err)
	}
	return url, report
}

func importRecorded(t *testing.T, a *app.App) importer.Report {
	t.Helper()
	folder, err := datadir.Open(oldFolder)
	testkit.Check(t, err)
	defer func() { testkit.Check(t, folder.Close()) }()
	n, err := a.OpenNode()
	testkit.Check(t, err)
	defer n.Close()
	testkit.Check(t, n.CheckOnce(t.Context()))
	report, err := a.Importer(n, auth.Operator("root")).Run(t.Context(), folder, importer.Options{Path: oldFolder, Progress: func(string) {}})
	testkit.Check(t, err)
	return report
}

// as makes a request with an Authorization header and returns the body. The response must
// have the given status.
func (h *importedServer) as(authorization, method, path string, body any, status int) []byte {
	h.t.Helper()
	encoded, err := json.Marshal(body)
	testkit.Check(h.t, err)
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, bytes.NewReader(encoded))
	testkit.Check(h.t, err)
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	testkit.Check(h.t, err)
	answer, err := io.ReadAll(resp.Body)
	testkit.Check(h.t, err)
	testkit.Check(h.t, resp.Body.Close())
	if resp.StatusCode != status {
		h.t.Fatalf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, status, answer)
	}
	return answer
}

// wantCredentials checks the imported passwords and tokens.
func (h *importedServer) wantCredentials() {
	h.t.Helper()
	with := func(name, password string) string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(name, password)
		return r.Header.Get("Authorization")
	}
	h.as(with("admin", "admin"), http.MethodGet, "/api/v1alpha/token/", nil, http.StatusOK)
	h.as(with("someuser", "somepassword"), http.MethodGet, "/api/v1alpha/token/", nil, http.StatusOK)
	h.as(with("admin", "somepassword"), http.MethodGet, "/api/v1alpha/token/", nil, http.StatusUnauthorized)
	var users []struct {
		Username string
		Tokens   map[string]struct {
			Text string  `json:"jwt_token"`
			Life float64 `json:"jwt_token_life"`
		} `json:"jwt_tokens"`
	}
	h.readSpecterFile("users.json", &users)
	accepted := 0
	for _, u := range users {
		for _, token := range u.Tokens {
			if token.Life < 3600 {
				h.as("Bearer "+token.Text, http.MethodGet, "/api/v1/users/me", nil, http.StatusUnauthorized)
				continue
			}
			h.tokens[u.Username] = "Bearer " + token.Text
			h.as(h.tokens[u.Username], http.MethodGet, "/api/v1/users/me", nil, http.StatusOK)
			accepted++
		}
	}
	if accepted != 4 || len(h.tokens) != 2 {
		h.t.Errorf("%d tokens of %d users have the expected lifetime, want 4 of 2", accepted, len(h.tokens))
	}
	// Imported tokens have the rights of Specter Desktop's tokens. The next steps require more.
	for name, password := range map[string]string{"admin": "admin", "someuser": "somepassword"} {
		h.as(h.tokens[name], http.MethodGet, "/api/v1/wallets", nil, http.StatusOK)
		h.as(h.tokens[name], http.MethodPost, "/api/v1/wallets/x/proposals/x/signatures", nil, http.StatusForbidden)
		var made madeToken
		order := map[string]any{"description": "more", "lifetime": "1 year"}
		decodeJSON(h.t, h.as(with(name, password), http.MethodPost, "/api/v1/tokens", order, http.StatusCreated), &made)
		h.tokens[name] = "Bearer " + made.Secret
	}
}

func (h *importedServer) readSpecterFile(path string, into any) {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(oldFolder, path))
	testkit.Check(h.t, err)
	decodeJSON(h.t, text, into)
}

// oldWallet is a wallet in the data directory of Specter Desktop.
type oldWallet struct {
	Alias, User, labels string
	Address             string
	AddressIndex        int    `json:"address_index"`
	Receive             string `json:"recv_descriptor"`
	Change              string `json:"change_descriptor"`
	SignaturesRequired  int    `json:"sigs_required"`
	Pending             map[string]struct {
		Time float64
	} `json:"pending_psbts"`
}

func oldWallets(t *testing.T) (all []oldWallet) {
	t.Helper()
	for user, folder := range map[string]string{"admin": "wallets", "someuser": "wallets_someuser"} {
		paths, err := filepath.Glob(oldFolder + "/" + folder + "/regtest/*.json")
		testkit.Check(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			testkit.Check(t, err)
			w := oldWallet{User: user, labels: strings.TrimSuffix(path, ".json") + "_addr.csv"}
			decodeJSON(t, text, &w)
			all = append(all, w)
		}
	}
	if len(all) != 5 {
		t.Fatalf("%d wallets", len(all))
	}
	return all
}

// newWallet is the imported wallet in a response of v1alpha.
type newWallet struct {
	Address      string
	AddressIndex int `json:"address_index"`
	Balance      map[string]json.Number
	Info         struct {
		WalletName string `json:"walletname"`
	}
	Receive string `json:"recv_descriptor"`
	Change  string `json:"change_descriptor"`
}

func (h *importedServer) wallet(w oldWallet) newWallet {
	h.t.Helper()
	var answer map[string]json.RawMessage
	decodeJSON(h.t, h.as(h.tokens[w.User], http.MethodGet, "/api/v1alpha/wallets/"+w.Alias+"/", nil, http.StatusOK), &answer)
	var got newWallet
	decodeJSON(h.t, answer[w.Alias], &got)
	return got
}

// wantNames compares an imported wallet with the original, except for balances and
// transactions.
func (h *importedServer) wantNames(w oldWallet, got newWallet, adopted bool) {
	h.t.Helper()
	if got.Receive != w.Receive || got.Change != w.Change || got.Address != w.Address || got.AddressIndex != w.AddressIndex {
		h.t.Errorf("%s is %+v, want %+v", w.Alias, got, w)
	}
	if was := got.Info.WalletName == "specter78f4d39c67b50e9e/"+w.Alias; got.Info.WalletName != "" && was != adopted {
		h.t.Errorf("%s is %s in Core", w.Alias, got.Info.WalletName)
	}
	file, err := os.Open(w.labels)
	testkit.Check(h.t, err)
	rows, err := csv.NewReader(file).ReadAll()
	testkit.Check(h.t, err)
	testkit.Check(h.t, file.Close())
	want := map[string]string{}
	for _, row := range rows[1:] {
		if row[3] != "" {
			want[row[0]] = row[3]
		}
	}
	found := map[string]string{}
	lines := json.NewDecoder(bytes.NewReader(h.as(h.tokens[w.User], http.MethodGet, "/api/v1/wallets/"+w.Alias+"/labels", nil, http.StatusOK)))
	for lines.More() {
		var l struct{ Ref, Label string }
		testkit.Check(h.t, lines.Decode(&l))
		found[l.Ref] = l.Label
	}
	if diff := cmp.Diff(want, found); diff != "" {
		h.t.Errorf("labels of %s: %s", w.Alias, diff)
	}
}

// wantWallets waits until the wallets match Specter Desktop's.
func (h *importedServer) wantWallets(adopted bool) {
	h.t.Helper()
	balances := map[string]map[string]json.Number{"a_simple_wallet": {"trusted": "8.0", "untrusted_pending": "0.0", "immature": "0.0"}} // its balance is not recorded
	for _, path := range []string{"18-wallet-simple_one", "19-wallet-vault_23_fam", "20-wallet-nested", "21-wallet-tap"} {
		text, err := os.ReadFile("../../testdata/wire/" + path + ".txt")
		testkit.Check(h.t, err)
		_, body, _ := bytes.Cut(text, []byte("\n\n{")) // after the headers
		var recorded map[string]json.RawMessage
		testkit.Check(h.t, json.NewDecoder(bytes.NewReader(append([]byte("{"), body...))).Decode(&recorded))
		_, alias, _ := strings.Cut(path, "-wallet-")
		var w newWallet
		decodeJSON(h.t, recorded[alias], &w)
		balances[alias] = w.Balance
	}
	for _, w := range oldWallets(h.t) {
		var got newWallet
		testkit.Eventually(h.t, "the balances of "+w.Alias, func() bool {
			got = h.wallet(w)
			return cmp.Equal(got.Balance, balances[w.Alias])
		})
		h.wantNames(w, got, adopted)
	}
}

type pendingPSBT struct {
	Base64    []byte
	Time      float64
	SigsCount int `json:"sigs_count"`
}

func (h *importedServer) pending(w oldWallet) map[string]pendingPSBT {
	h.t.Helper()
	var answer struct{ Result map[string]pendingPSBT }
	decodeJSON(h.t, h.as(h.tokens[w.User], http.MethodGet, "/api/v1alpha/wallets/"+w.Alias+"/psbt", nil, http.StatusOK), &answer)
	return answer.Result
}

// alreadySent is the beginning of the txid of a PSBT that Specter Desktop listed as pending
// although its transaction was already in the mempool.
const alreadySent = "0f50d0b8"

// wantPayments signs each pending payment of Specter Desktop with its devices, broadcasts it
// and waits until it is confirmed.
func (h *importedServer) wantPayments() {
	h.t.Helper()
	var sent []string
	for _, w := range oldWallets(h.t) {
		signers := h.signers(w)
		pending := h.pending(w)
		for txid, old := range w.Pending {
			got, ok := pending[txid]
			if strings.HasPrefix(txid, alreadySent) {
				if ok {
					h.t.Errorf("%s: %s is pending", w.Alias, txid)
				}
				continue
			}
			if !ok || int64(got.Time) != int64(old.Time) || got.SigsCount != 0 {
				h.t.Fatalf("%s: the payment %s is %+v", w.Alias, txid, got)
			}
			sent = append(sent, h.send(w, txid, got, signers))
		}
		if left := h.pending(w); len(left) != 0 {
			h.t.Errorf("%s: pending payments %v", w.Alias, left)
		}
	}
	if len(sent) != 9 {
		h.t.Errorf("%d payments were sent, want 9", len(sent))
	}
	h.node.Mine(h.t, 1)
	for _, url := range sent {
		user := "admin"
		if strings.Contains(url, "a_simple_wallet") {
			user = "someuser"
		}
		testkit.Eventually(h.t, "the payment is confirmed", func() bool {
			var p struct{ Status string }
			decodeJSON(h.t, h.as(h.tokens[user], http.MethodGet, url, nil, http.StatusOK), &p)
			return p.Status == "confirmed"
		})
	}
}

// signers creates a wallet on the node for each of the devices that must sign for w, with
// the private key of the device, and returns the names of the wallets.
func (h *importedServer) signers(w oldWallet) (names []string) {
	h.t.Helper()
	for _, device := range []int{1, 2, 3, 11, 12, 13} {
		receive, has := testkit.RecordedKey(h.t, w.Receive, device)
		if !has || len(names) == w.SignaturesRequired {
			continue
		}
		change, _ := testkit.RecordedKey(h.t, w.Change, device)
		name := fmt.Sprintf("device %d of %s", device, w.Alias)
		h.node.Signer(h.t, name, receive, change)
		names = append(names, name)
	}
	if len(names) != w.SignaturesRequired {
		h.t.Fatalf("%d devices sign for %s, want %d", len(names), w.Alias, w.SignaturesRequired)
	}
	return names
}

// send signs and broadcasts a payment, and returns the URL of its proposal.
func (h *importedServer) send(w oldWallet, txid string, p pendingPSBT, signers []string) (url string) {
	h.t.Helper()
	list := "/api/v1/wallets/" + w.Alias + "/proposals"
	var found struct{ Items []struct{ ID string } }
	decodeJSON(h.t, h.as(h.tokens[w.User], http.MethodGet, list+"?txid="+txid, nil, http.StatusOK), &found)
	if len(found.Items) != 1 {
		h.t.Fatalf("%s: %d proposals of %s", w.Alias, len(found.Items), txid)
	}
	url = list + "/" + found.Items[0].ID
	signed := base64.StdEncoding.EncodeToString(h.node.Sign(h.t, p.Base64, signers...))
	h.as(h.tokens[w.User], http.MethodPost, url+"/signatures", map[string]string{"psbt": signed}, http.StatusOK)
	h.as(h.tokens[w.User], http.MethodPost, url+"/broadcast", nil, http.StatusOK)
	return url
}
