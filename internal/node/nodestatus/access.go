package nodestatus

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// accessInterval is how long the answer is good which methods the node lets
// specterd call. Only a restart of the node changes it.
const accessInterval = time.Minute

// ErrWalletDisabled says that the node runs without wallets.
var ErrWalletDisabled = fault.New(fault.Unavailable, "node_wallet_disabled",
	"the Bitcoin node runs without wallets; remove disablewallet=1 from its bitcoin.conf and restart it").After(retryAfter)

// access is which of the methods the node does not let specterd call.
type access struct {
	forbidden, unknown []string
}

// allows reports whether a method can be called.
func (a access) allows(method string) bool {
	return !a.forbids(method) && !slices.Contains(a.unknown, method)
}

func (a access) forbids(method string) bool { return slices.Contains(a.forbidden, method) }

// problem returns why the node cannot be used, or nil.
func (a access) problem() *fault.Error {
	needed := func(m Method) bool { return m.Without == "" }
	if len(a.forbidden) == len(methods) {
		return rpcclient.ErrMethodForbidden.Saying("the Bitcoin node forbids every call of specterd (HTTP 403); " +
			"correct rpcallowip, rpcwhitelist or rpcwhitelistdefault in its bitcoin.conf and restart it")
	}
	if lacking := namesOf(a.forbidden, needed); len(lacking) > 0 {
		return rpcclient.ErrMethodForbidden.Saying("the Bitcoin node forbids RPC methods that specterd needs; "+
			"add them to rpcwhitelist in its bitcoin.conf and restart it: %s", strings.Join(lacking, ","))
	}
	lacking := namesOf(a.unknown, needed)
	switch {
	case len(lacking) == 0:
		return nil
	case slices.ContainsFunc(lacking, IsWalletMethod):
		return ErrWalletDisabled
	default:
		return rpcclient.ErrMethodUnknown.Saying("the Bitcoin node does not know RPC methods that specterd needs; "+
			"run Bitcoin Core or Knots 25 or later: %s", strings.Join(lacking, ","))
	}
}

// namesOf returns those of the methods that are wanted.
func namesOf(names []string, wanted func(Method) bool) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		m, ok := find(name)
		return !ok || !wanted(m)
	})
}

// checkAccess asks the node about every method, without calling any: no method has
// a parameter of that name, and the node looks at names before it does anything.
func checkAccess(ctx context.Context, rpc RPC) (access, error) {
	reqs := make([]rpcclient.Request, len(methods))
	for i, m := range methods {
		reqs[i] = rpcclient.Request{Method: m.Name, Named: map[string]any{"specterd_access_check": true}}
	}
	var a access
	err := rpc.Batch(ctx, reqs)
	if !errors.Is(err, rpcclient.ErrMethodForbidden) {
		if err == nil {
			err = a.note(reqs)
		}
		return a, err
	}
	for one := range slices.Chunk(reqs, 1) { // a batch is refused because of one of its calls
		err := rpc.Batch(ctx, one)
		switch {
		case errors.Is(err, rpcclient.ErrMethodForbidden):
			a.forbidden = append(a.forbidden, one[0].Method)
			err = nil
		case err == nil:
			err = a.note(one)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// note notes the methods that the node does not know. It returns an error where it
// has not looked at the calls.
func (a *access) note(reqs []rpcclient.Request) error {
	for _, r := range reqs {
		refusal, ok := errors.AsType[*rpcclient.RPCError](r.Err)
		switch {
		case errors.Is(r.Err, rpcclient.ErrNotNow):
			return r.Err
		case ok && refusal.Code == rpcclient.CodeMethodNotFound:
			a.unknown = append(a.unknown, r.Method)
		}
	}
	return nil
}
