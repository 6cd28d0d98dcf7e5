package rpcclient_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

func TestFromDataDir(t *testing.T) {
	for name, tc := range map[string]struct {
		conf                        string
		url, user, password, cookie string
	}{
		"nothing":        {"", "http://127.0.0.1:8332", "", "", "DIR/.cookie"},
		"testnet":        {"testnet=1", "http://127.0.0.1:18332", "", "", "DIR/testnet3/.cookie"},
		"testnet4":       {"testnet4=1\r\n", "http://127.0.0.1:48332", "", "", "DIR/testnet4/.cookie"},
		"signet":         {"chain = signet # mine", "http://127.0.0.1:38332", "", "", "DIR/signet/.cookie"},
		"off":            {"regtest=0", "http://127.0.0.1:8332", "", "", "DIR/.cookie"},
		"user":           {"rpcuser=u\nrpcpassword=p=q\n", "http://127.0.0.1:8332", "u", "p=q", ""},
		"user alone":     {"rpcuser=u\n", "http://127.0.0.1:8332", "", "", "DIR/.cookie"},
		"section":        {"regtest=1\nrpcuser=a\nrpcpassword=b\nrpcport=1\n[main]\nrpcuser=m\n[regtest]\nrpcuser=u\nrpcport=5\n", "http://127.0.0.1:5", "u", "b", ""},
		"prefix":         {"regtest=1\nregtest.rpcport=5\nrpcconnect=node.example", "http://node.example:5", "", "", "DIR/regtest/.cookie"},
		"global port":    {"regtest=1\nrpcport=5", "http://127.0.0.1:18443", "", "", "DIR/regtest/.cookie"},
		"main port":      {"rpcport=5\n[test]\nrpcport=6", "http://127.0.0.1:5", "", "", "DIR/.cookie"},
		"first counts":   {"rpcport=5\nrpcport=6", "http://127.0.0.1:5", "", "", "DIR/.cookie"},
		"not in section": {"[regtest]\nregtest=1\n", "http://127.0.0.1:8332", "", "", "DIR/.cookie"},
		"host and port":  {"rpcconnect=10.0.0.1:7", "http://10.0.0.1:7", "", "", "DIR/.cookie"},
		"IPv6":           {"rpcconnect=::1", "http://[::1]:8332", "", "", "DIR/.cookie"},
		"cookie":         {"regtest=1\nrpccookiefile=here", "http://127.0.0.1:18443", "", "", "DIR/regtest/here"},
		"cookie's path":  {"rpccookiefile=/run/cookie", "http://127.0.0.1:8332", "", "", "/run/cookie"},
		"moved":          {"datadir=/data\nsignet=1", "http://127.0.0.1:38332", "", "", "/data/signet/.cookie"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tc.conf != "" {
				writeConf(t, dir, tc.conf)
			}
			got, err := rpcclient.FromDataDir(dir)
			want := rpcclient.Config{URL: tc.url, User: tc.user, Password: tc.password, CookieFile: strings.Replace(tc.cookie, "DIR", dir, 1)}
			if err != nil || got != want {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		})
	}
}

func TestWalletFolder(t *testing.T) {
	for name, tc := range map[string]struct{ conf, made, want string }{
		"nothing":             {"", "", "DIR"},
		"as now":              {"", "wallets", "DIR/wallets"},
		"of another chain":    {"signet=1", "wallets", "DIR/signet"},
		"of the chain":        {"signet=1", "signet/wallets", "DIR/signet/wallets"},
		"set":                 {"walletdir=/w", "wallets", "/w"},
		"set for mainnet":     {"regtest=1\nwalletdir=/w", "", "DIR/regtest"},
		"set for the chain":   {"regtest=1\n[regtest]\nwalletdir=/w", "", "/w"},
		"set for other chain": {"regtest=1\n[signet]\nwalletdir=/w", "", "DIR/regtest"},
		"moved":               {"datadir=/data\nsignet=1", "signet/wallets", "/data/signet"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeConf(t, dir, tc.conf)
			if err := os.MkdirAll(filepath.Join(dir, tc.made), 0o700); err != nil {
				t.Fatal(err)
			}
			got, err := rpcclient.WalletFolder(dir)
			if want := strings.Replace(tc.want, "DIR", dir, 1); err != nil || got != want {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
	dir := t.TempDir()
	writeConf(t, dir, "chain=liquidv1")
	if _, err := rpcclient.WalletFolder(dir); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestFromDataDir_Invalid(t *testing.T) {
	for _, conf := range []string{"regtest=1\ntestnet=1", "chain=liquidv1"} {
		dir := t.TempDir()
		writeConf(t, dir, conf)
		if _, err := rpcclient.FromDataDir(dir); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: got %v", conf, err)
		}
	}
}

func writeConf(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "bitcoin.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
