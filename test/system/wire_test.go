package system

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/specter/importer"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const recordings = "../../testdata/wire/"

// recordedAt is the time of the recordings, to about a second.
var recordedAt = time.Date(2026, 11, 21, 20, 20, 38, 800_000_000, time.UTC)

// TestWire imports the recorded data of Specter Desktop with its node, at the time of the
// recordings. Then it repeats each recorded request and compares the responses field by
// field.
func TestWire(t *testing.T) {
	t.Parallel()
	for name, environment := range map[string]func(t *testing.T) map[string]string{
		"SQLite": func(*testing.T) map[string]string { return nil },
		"PostgreSQL": func(t *testing.T) map[string]string {
			return map[string]string{"SPECTER_DATABASE_URL": testkit.Postgres(t)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := testkit.BitcoindFrom(t, oldNode, "-mocktime="+strconv.FormatInt(recordedAt.Unix(), 10))
			s := importAndServe(t, node, environment(t))
			s.cancelMadeByRecordings(t)
			s.replay(t)
		})
	}
}

// replayServer is a specterd server that replaces the Specter Desktop of the recordings.
type replayServer struct {
	url         string
	credentials map[string]string // by their placeholders in the recordings
}

// importAndServe imports the directory, starts the server, and waits until all wallets are indexed
// up to the tip.
func importAndServe(t *testing.T, node *testkit.Node, environment map[string]string) *replayServer {
	t.Helper()
	url, report := serveImported(t, node, recordedClock(), environment)
	if report.Status() != importer.Complete {
		t.Fatalf("import: %+v", report)
	}
	s := &replayServer{url: url, credentials: recordedCredentials(t)}
	for credential, wallets := range map[string]int{"Bearer <token of admin>": 4, "Bearer <token of someuser>": 1} {
		testkit.Eventually(t, "all wallets are at the tip", func() bool { return s.synced(t, credential) == wallets })
	}
	return s
}

// recordedClock returns a clock that advances by one microsecond per call, to keep the order of
// events.
func recordedClock() func() time.Time {
	var read atomic.Int64
	return func() time.Time { return recordedAt.Add(time.Duration(read.Add(1)) * time.Microsecond) }
}

// recordedCredentials returns Authorization headers by their placeholders in the
// recordings. The tokens are the original ones from the data directory.
func recordedCredentials(t *testing.T) map[string]string {
	t.Helper()
	credentials := map[string]string{
		"": "", "Basic <admin>": basic("admin", "admin"), "Basic <someuser>": basic("someuser", "somepassword"), "Basic <admin:wrong>": basic("admin", "wrong"),
	}
	text, err := os.ReadFile(oldFolder + "/users.json")
	testkit.Check(t, err)
	var users []struct {
		Username string
		Tokens   map[string]struct {
			Token string  `json:"jwt_token"`
			Life  float64 `json:"jwt_token_life"`
		} `json:"jwt_tokens"`
	}
	decodeJSON(t, text, &users)
	const tenDays = 864000
	for _, u := range users {
		for _, token := range u.Tokens {
			if token.Life == tenDays {
				credentials["Bearer <token of "+u.Username+">"] = "Bearer " + token.Token
			}
		}
	}
	return credentials
}

func basic(name, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(name, password)
	return r.Header.Get("Authorization")
}

// synced returns the number of a user's wallets that are indexed up to the tip.
func (s *replayServer) synced(t *testing.T, credential string) (count int) {
	t.Helper()
	var list struct {
		Items []struct {
			AsOf   *struct{ Height int } `json:"as_of"`
			Rescan json.RawMessage
		}
	}
	reply := s.ask(t, recording{method: http.MethodGet, path: "/api/v1/wallets", credential: credential})
	decodeJSON(t, []byte(reply.body), &list)
	for _, w := range list.Items {
		if w.AsOf != nil && w.AsOf.Height == recordedTip && string(w.Rescan) == "null" {
			count++
		}
	}
	return count
}

const recordedTip = 186

// utxo identifies an output of a wallet.
type utxo struct {
	Txid string
	Vout int
}

// cancelMadeByRecordings cancels the proposals that the recorded requests 24 and 25 created,
// so that these requests can create them again.
func (s *replayServer) cancelMadeByRecordings(t *testing.T) {
	t.Helper()
	for txid, alias := range map[string]string{
		"ae3faea07beb8027e892f7e6dd4cd9990c4c0f828d0e0fc3904c3a0c0c1493c7": "simple_one",
		"6430c4526682dd97ad1086c80fd24550066fc4b9731053077e1a3c3310de0181": "vault_23_fam",
	} {
		path := "/api/v1/wallets/" + alias + "/proposals"
		var found struct{ Items []struct{ ID string } }
		got := s.ask(t, recording{method: http.MethodGet, path: path + "?txid=" + txid, credential: "Bearer <token of admin>"})
		decodeJSON(t, []byte(got.body), &found)
		if len(found.Items) != 1 {
			t.Fatalf("%d proposals of %s", len(found.Items), txid)
		}
		got = s.ask(t, recording{method: http.MethodDelete, path: path + "/" + found.Items[0].ID, credential: "Bearer <token of admin>"})
		if got.status != http.StatusOK {
			t.Fatalf("cancel %s: status %d: %s", txid, got.status, got.body)
		}
	}
}

// setFrozen freezes or unfreezes UTXOs. It skips UTXOs that are already spent.
func (s *replayServer) setFrozen(t *testing.T, alias string, utxos []utxo, frozen bool) {
	t.Helper()
	const owner = "Bearer <token for wallets of admin>" // imported tokens do not have the scope
	var made madeToken
	got := s.ask(t, recording{
		method: http.MethodPost, path: "/api/v1/tokens", credential: "Basic <admin>", contentType: "application/json",
		body: `{"description": "hold", "lifetime": "1 year", "scopes": ["wallets:write"]}`,
	})
	decodeJSON(t, []byte(got.body), &made)
	s.credentials[owner] = "Bearer " + made.Secret
	defer s.ask(t, recording{method: http.MethodDelete, path: "/api/v1/tokens/" + made.ID, credential: "Basic <admin>"})
	method := http.MethodDelete
	if frozen {
		method = http.MethodPut
	}
	for _, c := range utxos {
		path := fmt.Sprintf("/api/v1/wallets/%s/utxos/%s:%d/freeze", alias, c.Txid, c.Vout)
		got := s.ask(t, recording{method: method, path: path, credential: owner})
		if got.status != http.StatusNoContent && got.status != http.StatusNotFound {
			t.Fatalf("%s: status %d: %s", path, got.status, got.body)
		}
	}
}

// release unfreezes UTXOs, and waits until they are spendable.
func (s *replayServer) release(t *testing.T, alias string, utxos []utxo) {
	t.Helper()
	s.setFrozen(t, alias, utxos, false)
	testkit.Eventually(t, "the UTXOs to be unlocked", func() bool {
		var list struct {
			Items []struct {
				utxo

				Locked bool
			}
		}
		got := s.ask(t, recording{method: http.MethodGet, path: "/api/v1/wallets/" + alias + "/utxos", credential: "Bearer <token of admin>"})
		decodeJSON(t, []byte(got.body), &list)
		for _, c := range list.Items {
			if c.Locked && slices.Contains(utxos, c.utxo) {
				return false
			}
		}
		return true
	})
}

// notChosen lists, by recording, UTXOs that Core could have selected but did not. They are
// frozen during the request, so that Core selects the same UTXOs as in the recording.
var notChosen = map[string]struct {
	alias string
	utxos []utxo
}{
	"24": {"simple_one", []utxo{{"43884d3d72ed5afd854b681869a2ad4251cb112c1e3e2181556316d51b96e342", 0}}},
}

// replay repeats the recorded requests in order.
func (s *replayServer) replay(t *testing.T) {
	t.Helper()
	table := readDifferences(t)
	names := map[string]string{} // random names that Specter Desktop generated, by the corresponding names of specterd
	for _, x := range readRecordings(t) {
		asked := x
		for ours, theirs := range names {
			asked.path = strings.ReplaceAll(asked.path, theirs, ours)
		}
		chance, byChance := notChosen[x.number()]
		if byChance {
			s.setFrozen(t, chance.alias, chance.utxos, true)
		}
		got := s.ask(t, asked)
		if byChance {
			s.release(t, chance.alias, chance.utxos)
		}
		s.recordNames(names, x.reply, got)
		want := replyOf(t, x.reply, nil)
		complete(t, want.members["body"])
		table.compare(t, x, want, replyOf(t, got, names))
	}
	table.wantAllSeen(t)
}

// complete corrects a recorded response about a wallet with data from its file: it replaces
// class names by keys and PSBTs, and adds documented members that the original omits.
func complete(t *testing.T, body *value) {
	t.Helper()
	if body.members["txlist"] == nil {
		return
	}
	alias := body.names[0]
	text, err := os.ReadFile(oldFolder + "/wallets/regtest/" + alias + ".json")
	testkit.Check(t, err)
	wallet, file := body.members[alias], read(t, string(text), nil)
	for _, name := range []string{"keys", "recv_descriptor", "change_descriptor", "devices"} {
		wallet.put(name, file.members[name])
	}
	for txid := range wallet.members["pending_psbts"].members {
		wallet.members["pending_psbts"].put(txid, file.members["pending_psbts"].members[txid])
	}
	wallet.put("full_utxo", wallet.members["_full_utxo"])
}

// recordNames records the ids and tokens that a request created, so that later requests can use
// them.
func (s *replayServer) recordNames(names map[string]string, theirs, ours reply) {
	type made struct {
		ID     string `json:"jwt_token_id"`
		Token  string `json:"jwt_token"`
		Result struct{ Tx struct{ Txid string } }
	}
	var a, b made
	if json.Unmarshal([]byte(theirs.body), &a) != nil || json.Unmarshal([]byte(ours.body), &b) != nil {
		return
	}
	if a.ID != "" && b.ID != "" {
		names[b.ID] = a.ID
		s.credentials["Bearer <deleted token of admin>"] = "Bearer " + b.Token
	}
	if a.Result.Tx.Txid != "" && b.Result.Tx.Txid != "" {
		names[b.Result.Tx.Txid] = a.Result.Tx.Txid
	}
}

// ask sends a recorded request to specterd, without following redirects.
func (s *replayServer) ask(t *testing.T, x recording) reply {
	t.Helper()
	authorization, known := s.credentials[x.credential]
	if !known {
		t.Fatalf("%s: unknown credential %q", x.name, x.credential)
	}
	req, err := http.NewRequestWithContext(t.Context(), x.method, s.url+x.path, strings.NewReader(x.body))
	testkit.Check(t, err)
	if x.contentType != "" {
		req.Header.Set("Content-Type", x.contentType)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	testkit.Check(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	testkit.Check(t, err)
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("Location"), string(body)}
}
