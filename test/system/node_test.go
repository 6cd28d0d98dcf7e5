package system

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestNodeLifecycle checks readiness and node status while a node is in its initial block
// download, ready, stopped, and restarted with a new cookie.
func TestNodeLifecycle(t *testing.T) {
	node := testkit.Bitcoind(t)
	s := startServer(t, t.TempDir(), "SPECTER_NODE_URL=", "BTC_RPC_COOKIE_FILE="+node.CookieFile(), "BTC_RPC_PORT="+strconv.Itoa(node.Port()))
	readiness := func() (int, string) {
		var answer struct{ Message, Reason string }
		status := call(t.Context(), http.MethodGet, s.url+"/api/healthz/readyness", "x", nil, &answer)
		return status, answer.Message + ": " + answer.Reason
	}
	becomes := func(status int, text string) {
		t.Helper()
		testkit.Eventually(t, "readiness "+strconv.Itoa(status)+" "+text, func() bool {
			got, reason := readiness()
			return got == status && strings.Contains(reason, text)
		})
	}
	becomes(http.StatusServiceUnavailable, "initial block download")
	node.Mine(t, 101)
	becomes(http.StatusOK, "i am ready")

	var made madeToken
	call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", map[string]any{"description": "x", "lifetime": "1 hour"}, &made)
	type specter struct {
		Info        map[string]json.RawMessage `json:"info"`
		NetworkInfo map[string]json.RawMessage `json:"network_info"`
	}
	look := func() (out specter) {
		t.Helper()
		if status := call(t.Context(), http.MethodGet, s.url+"/api/v1alpha/specter", made.Secret, nil, &out); status != http.StatusOK {
			t.Fatalf("specter: status %d\n%s", status, s.log)
		}
		return out
	}
	testkit.Eventually(t, "the tip in the node status", func() bool { return string(look().Info["blocks"]) == "101" })
	got := look()
	sameMembers(t, "info", node.CLI(t, "getblockchaininfo"), got.Info)
	sameMembers(t, "network_info", node.CLI(t, "getnetworkinfo"), got.NetworkInfo)
	sameMembers(t, "mempool_info", node.CLI(t, "getmempoolinfo"), members(t, got.Info["mempool_info"]))
	for name, want := range map[string]string{"blockfilterindex": "true", "utxorescan": "null"} {
		if string(got.Info[name]) != want {
			t.Errorf("%s is %s, want %s", name, got.Info[name], want)
		}
	}

	node.Stop(t)
	becomes(http.StatusServiceUnavailable, "node")
	if gone := look(); string(gone.Info["blocks"]) != "101" || len(gone.Info["problem"]) == 0 {
		t.Errorf("without the node: %s", gone.Info)
	}
	var v1 struct {
		Reachable bool
		Problem   *string
		Blocks    int
	}
	call(t.Context(), http.MethodGet, s.url+"/api/v1/node", made.Secret, nil, &v1)
	if v1.Reachable || v1.Problem == nil || v1.Blocks != 101 {
		t.Errorf("v1 node without the node: %+v", v1)
	}
	node.Start(t)
	node.Mine(t, 1)
	becomes(http.StatusOK, "i am ready")
}

func members(t *testing.T, object json.RawMessage) map[string]json.RawMessage {
	t.Helper()
	var out map[string]json.RawMessage
	testkit.Check(t, json.Unmarshal(object, &out))
	return out
}

// sameMembers checks that got has all members of the node's response, unchanged.
func sameMembers(t *testing.T, what string, want json.RawMessage, got map[string]json.RawMessage) {
	t.Helper()
	for name, value := range members(t, want) {
		if !bytes.Equal(compact(t, value), compact(t, got[name])) {
			t.Errorf("%s: %s is %s, but %s at the node", what, name, got[name], value)
		}
	}
}

func compact(t *testing.T, value json.RawMessage) []byte {
	t.Helper()
	var out bytes.Buffer
	if len(value) > 0 {
		testkit.Check(t, json.Compact(&out, value))
	}
	return out.Bytes()
}
