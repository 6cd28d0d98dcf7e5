package cli

import (
	"strings"
	"testing"
)

// TestRPCAuth checks the hash with a line that rpcauth.py of Bitcoin Core would print.
func TestRPCAuth(t *testing.T) {
	t.Parallel()
	// printf %s test | openssl dgst -sha256 -hmac 0123456789abcdef
	const want = "dc2de07738532fc3ae5868b7eaa9533a2aeb6282fb083854ef95ae58fb20a0f6"
	if got := rpcAuth("0123456789abcdef", "test"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestNodeConfig_Output(t *testing.T) {
	t.Parallel()
	out := func(args string) string {
		stdout, made, err := runIn(t, strings.Fields("node-config "+args)...)
		if err != nil || made {
			t.Errorf("node-config %s: %v", args, err)
		}
		return stdout
	}
	one := out("")
	for _, want := range []string{
		"\nserver=1\nblockfilterindex=1\nzmqpubhashblock=tcp://127.0.0.1:28332\nzmqpubrawtx=tcp://127.0.0.1:28332\nzmqpubsequence=tcp://127.0.0.1:28332\nrpcauth=specterd:",
		"\nrpcwhitelist=specterd:abandontransaction,", "\nrpcwhitelistdefault=0\n\n#",
		"\nBTC_RPC_HOST=127.0.0.1\nBTC_RPC_PORT=8332\nBTC_RPC_USER=specterd\nBTC_RPC_PASSWORD=",
	} {
		if !strings.Contains(one, want) {
			t.Errorf("no %q in\n%s", want, one)
		}
	}
	if one == out("") {
		t.Error("the password is the same as before")
	}
	for args, want := range map[string]string{
		"--chain signet": "BTC_RPC_PORT=38332\n", "--chain nonsense --rpc-port 1": "BTC_RPC_PORT=1\n",
		"--rpc-host 192.0.2.7": "zmqpubrawtx=tcp://0.0.0.0:28332", "--rpc-host ::1": "BTC_RPC_HOST=::1\n",
	} {
		t.Run(args, func(t *testing.T) {
			if got := out(args); !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", args, want, got)
			}
		})
	}
	for _, args := range []string{"--chain mian", "--rpc-user a:b", "--rpc-host a/b", "--zmq-port 0"} {
		if stdout, _, err := runIn(t, strings.Fields("node-config "+args)...); exitStatus(err) != exitUsage || stdout != "" {
			t.Errorf("%s: %v, %s", args, err, stdout)
		}
	}
}
