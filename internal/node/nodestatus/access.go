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

// accessInterval is how long the list of allowed methods is valid. The list changes only
// if the node is restarted.
const accessInterval = time.Minute

// ErrWalletDisabled is returned if the node runs without wallet support.
var ErrWalletDisabled = fault.New(fault.Unavailable, "node_wallet_disabled",
	"the Bitcoin node runs without wallets; remove disablewallet=1 from its bitcoin.conf and restart it").WithRetryAfter(retryAfter)

// access records the methods that specterd cannot call: the node forbids them, or
// does not have them.
type access struct {
	forbidden, unknown []string
}

// allows reports whether a method can be called.
func (a access) allows(method string) bool {
	return !a.forbids(method) && !slices.Contains(a.unknown, method)
}

func (a access) forbids(method string) bool { return slices.Contains(a.forbidden, method) }

// problem returns the reason why the node cannot be used, or nil.
func (a access) problem() *fault.Error {
	needed := func(m Method) bool { return m.Without == "" }
	if len(a.forbidden) == len(methods) {
		return rpcclient.ErrMethodForbidden.WithMessage("the Bitcoin node forbids every call of specterd (HTTP 403); " +
			"correct rpcallowip, rpcwhitelist or rpcwhitelistdefault in its bitcoin.conf and restart it")
	}
	if lacking := namesOf(a.forbidden, needed); len(lacking) > 0 {
		return rpcclient.ErrMethodForbidden.WithMessage("the Bitcoin node forbids RPC methods that specterd requires; "+
			"add them to rpcwhitelist in its bitcoin.conf and restart it: %s", strings.Join(lacking, ","))
	}
	lacking := namesOf(a.unknown, needed)
	switch {
	case len(lacking) == 0:
		return nil
	case slices.ContainsFunc(lacking, IsWalletMethod):
		return ErrWalletDisabled
	default:
		return rpcclient.ErrMethodUnknown.WithMessage("the Bitcoin node lacks RPC methods that specterd requires; "+
			"run Bitcoin Core or Knots 25 or later: %s", strings.Join(lacking, ","))
	}
}

// namesOf returns the names of the methods for which wanted returns true.
func namesOf(names []string, wanted func(Method) bool) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		m, ok := find(name)
		return !ok || !wanted(m)
	})
}

// checkAccess checks for every method whether the node allows it, without executing
// any: the calls have a parameter that no method has, and the node checks parameter
// names first.
func checkAccess(ctx context.Context, rpc RPC) (access, error) {
	reqs := make([]rpcclient.Request, len(methods))
	for i, m := range methods {
		reqs[i] = rpcclient.Request{Method: m.Name, Named: map[string]any{"specterd_access_check": true}}
	}
	var a access
	err := rpc.Batch(ctx, reqs)
	if !errors.Is(err, rpcclient.ErrMethodForbidden) {
		if err == nil {
			err = a.addUnknown(reqs)
		}
		return a, err
	}
	for one := range slices.Chunk(reqs, 1) { // one forbidden call makes the node reject the whole batch
		err := rpc.Batch(ctx, one)
		switch {
		case errors.Is(err, rpcclient.ErrMethodForbidden):
			a.forbidden = append(a.forbidden, one[0].Method)
			err = nil
		case err == nil:
			err = a.addUnknown(one)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// addUnknown records the methods that the node does not have. It returns an error if the
// node did not process the calls.
func (a *access) addUnknown(reqs []rpcclient.Request) error {
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
