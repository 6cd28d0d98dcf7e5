package regtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// miningAddress is an address that anyone can spend from: the P2WSH of OP_TRUE,
// which Bitcoin Core's own tests also mine to.
const miningAddress = "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"

// Named contains named parameters. If it is the only parameter of a call, it is
// sent as an object instead of a list.
type Named map[string]any

// Error is an error response of the node.
type Error struct {
	Method  string `json:"-"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (code %d)", e.Method, e.Message, e.Code)
}

// Call calls an RPC method of the node. If the node responds with an error, it
// returns an *Error.
func (n *Node) Call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	return n.call(ctx, n.URL(), method, params)
}

// CallWallet calls an RPC method of one of the node's loaded wallets.
func (n *Node) CallWallet(ctx context.Context, wallet, method string, params ...any) (json.RawMessage, error) {
	return n.call(ctx, n.URL()+"/wallet/"+url.PathEscape(wallet), method, params)
}

// Mine mines blocks to an address that belongs to no wallet, and returns their
// hashes. After invalidateblock, call generatetoaddress with another address
// instead: a block that Mine mines in the same second is identical to the
// invalidated one.
func (n *Node) Mine(ctx context.Context, count int) ([]string, error) {
	result, err := n.Call(ctx, "generatetoaddress", count, miningAddress)
	if err != nil {
		return nil, err
	}
	var hashes []string
	if err := json.Unmarshal(result, &hashes); err != nil {
		return nil, fmt.Errorf("generatetoaddress: %w", err)
	}
	return hashes, nil
}

func (n *Node) call(ctx context.Context, address, method string, params []any) (json.RawMessage, error) {
	var sent any = params
	if len(params) == 0 {
		sent = []any{}
	} else if named, ok := params[0].(Named); ok {
		sent = named
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": sent})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	defer func() { _ = response.Body.Close() }()

	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *Error          `json:"error"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: HTTP status %s: %w", method, response.Status, err)
	}
	if answer.Error != nil {
		answer.Error.Method = method
		return nil, answer.Error
	}
	return answer.Result, nil
}
