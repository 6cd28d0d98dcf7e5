package rpcclient_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/node/rpcclient"
)

// TestRPCError_RedactsParams checks that the text of an RPC error, which may be logged,
// leaves out the parameters, and that Message keeps the node's text for callers that
// distinguish errors by it.
func TestRPCError_RedactsParams(t *testing.T) {
	const key = "tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861"
	hash := strings.Repeat("ab", 32)
	params := []any{"specter/alice's savings", []map[string]any{{"desc": "wpkh(" + key + "/0/*)#abcdefgh", "label": "rent"}}, hash}
	for name, tc := range map[string]struct{ message, want string }{
		"path":       {"path '/wallets/specter/alice's savings': no such file", "path '/wallets/…': no such file"},
		"descriptor": {"'wpkh(" + key + "/0/*)#abcdefgh' is bad", "'…' is bad"},
		"key":        {"key '" + key + "' is not valid", "key '…' is not valid"},
		"label":      {"no label rent", "no label …"},
		"wallet":     {"wallet secret hoard is busy", "wallet … is busy"},
		"hash":       {"no transaction " + hash, "no transaction " + hash},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := answering(t, 500, fmt.Sprintf(`{"result":null,"error":{"code":-1,"message":%q},"id":$id}`, tc.message))
			err := client(t, rpcclient.Config{URL: url}).Wallet("secret hoard").Call(t.Context(), "x", params, nil)
			e, ok := errors.AsType[*rpcclient.RPCError](err)
			if !ok || e.Text() != tc.want || e.Message != tc.message {
				t.Errorf("got %+v", e)
			}
			if !strings.HasSuffix(err.Error(), tc.want) {
				t.Errorf("as an error: %v", err)
			}
		})
	}
}
