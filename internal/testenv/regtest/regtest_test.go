package regtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestNode(t *testing.T) {
	t.Parallel()
	n := start(t)

	hashes, err := n.Mine(t.Context(), 101)
	if err != nil {
		t.Fatal(err)
	}
	if len(hashes) != 101 {
		t.Errorf("mined %d blocks", len(hashes))
	}
	if height := call[int](t, n, "getblockcount"); height != 101 {
		t.Errorf("height %d", height)
	}

	// This call has named parameters, and the wallet's name must be escaped in the
	// URL.
	if _, err := n.Call(t.Context(), "createwallet", regtest.Named{"wallet_name": "a wallet/1", "disable_private_keys": true}); err != nil {
		t.Fatal(err)
	}
	info, err := n.CallWallet(t.Context(), "a wallet/1", "getwalletinfo")
	if err != nil || !strings.Contains(string(info), `"walletname":"a wallet/1"`) {
		t.Errorf("getwalletinfo: %s, %v", info, err)
	}

	// An error response has the node's error code.
	_, err = n.Call(t.Context(), "getblockhash", 1000)
	if refused := new(regtest.Error); !errors.As(err, &refused) || refused.Code != -8 || refused.Method != "getblockhash" {
		t.Errorf("getblockhash of a block that is not there: %v", err)
	}
}

// TestLockTimes_Relayed checks that the node relays transactions with a lock
// time of 21, which Bitcoin Knots rejects by default. Wallets choose it only
// occasionally.
func TestLockTimes_Relayed(t *testing.T) {
	t.Parallel()
	n := start(t)
	const wallet = "payer"
	inWallet := func(result any, method string, params ...any) {
		t.Helper()
		raw, err := n.CallWallet(t.Context(), wallet, method, params...)
		if err == nil {
			err = json.Unmarshal(raw, result)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.Call(t.Context(), "createwallet", wallet); err != nil {
		t.Fatal(err)
	}
	var address, unfunded string
	inWallet(&address, "getnewaddress")
	inWallet(new([]string), "generatetoaddress", 101, address)
	inWallet(&unfunded, "createrawtransaction", []any{}, map[string]any{address: 1}, 21)
	var tx struct{ Hex string }
	inWallet(&tx, "fundrawtransaction", unfunded)
	inWallet(&tx, "signrawtransactionwithwallet", tx.Hex)
	var txid string
	inWallet(&txid, "sendrawtransaction", tx.Hex)
}

func TestRestart(t *testing.T) {
	t.Parallel()
	n := start(t)
	if _, err := n.Mine(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	url, port, zmq := n.URL(), n.Port(), n.ZMQ()

	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Call(t.Context(), "getblockcount"); err == nil {
		t.Error("a stopped node answers")
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.Kill()
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}

	if n.Port() != port || n.ZMQ() != zmq {
		t.Errorf("ports %d, %s became %d, %s", port, zmq, n.Port(), n.ZMQ())
	}
	if n.URL() == url {
		t.Error("the cookie is the same as before")
	}
	call[int](t, n, "getblockcount")
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	n := start(t)

	u, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	if want := net.JoinHostPort(n.Host(), strconv.Itoa(n.Port())); u.Host != want {
		t.Errorf("URL has host %s, want %s", u.Host, want)
	}
	cookie, err := os.ReadFile(n.CookieFile())
	if err != nil {
		t.Fatal(err)
	}
	if u.User.String() != string(cookie) {
		t.Errorf("URL has user %s, cookie is %s", u.User, cookie)
	}

	u.User = nil
	response, err := http.Post(u.String(), "application/json", strings.NewReader(`{"method":"uptime"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a password: %s", response.Status)
	}

	connection, err := net.Dial("tcp", strings.TrimPrefix(n.ZMQ(), "tcp://"))
	if err != nil {
		t.Fatalf("ZMQ: %v", err)
	}
	_ = connection.Close()
}

func TestExtraArgs_Override(t *testing.T) {
	t.Parallel()
	n := start(t, "-txindex=0", "-nozmqpubhashblock", "-nozmqpubrawtx", "-nozmqpubsequence")
	if indexes := call[map[string]any](t, n, "getindexinfo"); indexes["txindex"] != nil {
		t.Errorf("indexes: %v", indexes)
	}
	if list := call[[]any](t, n, "getzmqnotifications"); len(list) != 0 {
		t.Errorf("publishes %v", list)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	n := start(t)
	for what, address := range map[string]string{
		"RPC": net.JoinHostPort(n.Host(), strconv.Itoa(n.Port())),
		"ZMQ": strings.TrimPrefix(n.ZMQ(), "tcp://"),
	} {
		if err := n.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "a port is taken") {
			t.Errorf("%s port taken: %v", what, err)
		}
		_ = listener.Close()
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	testkit.NeedsServer(t, "bitcoind")
	var log strings.Builder
	_, err := regtest.Start(t.Context(), regtest.Options{Dir: t.TempDir(), ExtraArgs: []string{"-no-such-option"}, Log: &log})
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("the error does not say why: %v", err)
	}
	if !strings.Contains(log.String(), "no-such-option") {
		t.Errorf("the log does not say why: %q", log.String())
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	binary, err := regtest.FindBinary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = regtest.Start(ctx, regtest.Options{Binary: binary, Dir: t.TempDir()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
}

func TestFindBinary(t *testing.T) {
	program := func(path string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	found := func(want string) {
		t.Helper()
		if got, err := regtest.FindBinary(t.Context()); got != want || err != nil {
			t.Errorf("found %q, %v; want %q", got, err, want)
		}
	}
	dir := t.TempDir()
	t.Setenv("BITCOIND", "")
	t.Setenv("PATH", filepath.Join(dir, "bin"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))

	if _, err := regtest.FindBinary(t.Context()); err == nil || !strings.Contains(err.Error(), "make bitcoind") {
		t.Errorf("with none: %v", err)
	}
	found(program(filepath.Join(dir, "cache", "specterd", "bitcoind", "bitcoind")))
	found(program(filepath.Join(dir, "bin", "bitcoind")))
	mine := filepath.Join(dir, "mine")
	t.Setenv("BITCOIND", mine)
	if _, err := regtest.FindBinary(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("BITCOIND that is not there: %v", err)
	}
	found(program(mine))
}

// start starts a node for the duration of the test.
func start(t *testing.T, extraArgs ...string) *regtest.Node {
	t.Helper()
	testkit.NeedsServer(t, "bitcoind")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := regtest.Start(ctx, regtest.Options{Dir: t.TempDir(), ExtraArgs: extraArgs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	return n
}

// call calls a method and decodes its result.
func call[T any](t *testing.T, n *regtest.Node, method string, params ...any) T {
	t.Helper()
	var value T
	result, err := n.Call(t.Context(), method, params...)
	if err == nil {
		err = json.Unmarshal(result, &value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return value
}
