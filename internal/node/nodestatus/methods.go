package nodestatus

import (
	"slices"
	"strings"
)

// Method is an RPC method of the node that specterd calls.
type Method struct {
	Name string
	// Wallet reports whether the method is a wallet method, which the node lacks if it
	// runs with -disablewallet.
	Wallet bool
	// Without describes the effect of a missing method; empty for methods that are
	// required.
	Without string
}

// methods are all RPC methods that specterd calls, sorted by name.
var methods = []Method{
	{Name: "abandontransaction", Wallet: true},
	{Name: "abortrescan", Wallet: true},
	{Name: "createwallet", Wallet: true},
	{Name: "deriveaddresses"},
	{Name: "estimatesmartfee", Without: "there are no fee estimates"},
	{Name: "getblockchaininfo"},
	{Name: "getblockhash"},
	{Name: "getblockheader"},
	{Name: "getdescriptorinfo"},
	{Name: "getindexinfo", Without: "specterd does not know whether rescans are fast"},
	{Name: "getmempooldescendants"},
	{Name: "getmempoolentry"},
	{Name: "getmempoolinfo"},
	{Name: "getnettotals", Without: "specterd doctor cannot compare the clocks"},
	{Name: "getnetworkinfo"},
	{Name: "getrawtransaction"},
	{Name: "gettransaction", Wallet: true},
	{Name: "gettxout"},
	{Name: "gettxspendingprevout"},
	{Name: "getwalletinfo", Wallet: true},
	{Name: "getzmqnotifications", Without: "unconfirmed payments show after up to two seconds"},
	{Name: "importdescriptors", Wallet: true},
	{Name: "listdescriptors", Wallet: true},
	{Name: "listlockunspent", Wallet: true},
	{Name: "listsinceblock", Wallet: true},
	{Name: "listwalletdir", Wallet: true, Without: "specterd import cannot adopt the node's wallets"},
	{Name: "loadwallet", Wallet: true},
	{Name: "lockunspent", Wallet: true},
	{Name: "rescanblockchain", Wallet: true},
	{Name: "sendrawtransaction"},
	{Name: "testmempoolaccept"},
	{Name: "unloadwallet", Wallet: true},
	{Name: "uptime"},
	{Name: "walletcreatefundedpsbt", Wallet: true},
}

// Methods returns all RPC methods that specterd calls, sorted by name: the required
// content of a node's rpcwhitelist.
func Methods() []Method { return slices.Clone(methods) }

// IsWalletMethod reports whether specterd calls a wallet method of that name.
func IsWalletMethod(name string) bool {
	m, ok := find(name)
	return ok && m.Wallet
}

func find(name string) (Method, bool) {
	i, ok := slices.BinarySearchFunc(methods, name, func(m Method, name string) int { return strings.Compare(m.Name, name) })
	if !ok {
		return Method{}, false
	}
	return methods[i], true
}
