package nodestatus_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

const (
	ours   = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
	theirs = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
)

// fakeNode responds to batches with its results by method; a negative number means
// an error with that code. It responds with 403 to forbidden methods.
type fakeNode struct {
	mu        sync.Mutex
	away      bool
	busy      bool
	forbidden []string
	results   map[string]string
	polls     int // without access checks
	checks    int // access checks
}

func newFakeNode() *fakeNode {
	return &fakeNode{results: map[string]string{
		"getblockchaininfo": `{"chain":"regtest","blocks":186,"headers":187,"bestblockhash":"` + theirs + `","time":1795290680,"mediantime":1795290678,` +
			`"verificationprogress":0.99990,"initialblockdownload":false,"pruned":true,"pruneheight":7,"difficulty":4.656542373906925e-10,"warnings":["old","older"]}`,
		"getnetworkinfo":      `{"version":290403,"subversion":"/Satoshi:29.4.3/Knots:20260508/","connections":3,"relayfee":0.00001000,"incrementalfee":0.00000100,"warnings":[]}`,
		"getmempoolinfo":      `{"loaded":true,"size":1,"bytes":166,"mempoolminfee":0.00001000}`,
		"getblockhash":        `"` + ours + `"`,
		"uptime":              `175`,
		"estimatesmartfee":    `{"errors":["Insufficient data or no feerate found"],"blocks":2}`,
		"getzmqnotifications": `[{"type":"pubhashblock"},{"type":"pubrawtx"},{"type":"pubsequence","address":"tcp://127.0.0.1:28332","hwm":1000}]`,
		"getindexinfo":        `{"basic block filter index":{"synced":true,"best_block_height":186}}`,
	}}
}

func (n *fakeNode) set(method, result string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.results[method] = result
}

// replace changes a part of the result of getblockchaininfo.
func (n *fakeNode) replace(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.results["getblockchaininfo"] = strings.Replace(n.results["getblockchaininfo"], from, to, 1)
}

func (n *fakeNode) setAway(away bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away = away
}

func (n *fakeNode) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.polls
}

func (n *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var calls []struct {
		ID     json.Number
		Method string
		Params json.RawMessage
	}
	_ = json.NewDecoder(r.Body).Decode(&calls)
	isCheck := string(calls[0].Params) == `{"specterd_access_check":true}`
	if isCheck {
		n.checks++
	} else {
		n.polls++
	}
	if n.away {
		panic(http.ErrAbortHandler)
	}
	if n.busy {
		http.Error(w, "Work queue depth exceeded", http.StatusServiceUnavailable)
		return
	}
	var answers []string
	for _, c := range calls {
		if slices.Contains(n.forbidden, c.Method) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		result := n.results[c.Method]
		if isCheck && result != "-32601" {
			result = "-8"
		}
		if strings.HasPrefix(result, "-") {
			answers = append(answers, fmt.Sprintf(`{"result":null,"error":{"code":%s,"message":"no"},"id":%s}`, result, c.ID))
			continue
		}
		answers = append(answers, fmt.Sprintf(`{"result":%s,"error":null,"id":%s}`, result, c.ID))
	}
	_, _ = fmt.Fprintf(w, "[%s]\n", strings.Join(answers, ","))
}
