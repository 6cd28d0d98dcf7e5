package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/egress"
)

func load(t *testing.T, environment map[string]string, args ...string) (Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("specterd", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(flags, func(name string) string {
		if name == "HOME" && environment[name] == "" {
			return "/home/me"
		}
		return environment[name]
	})
}

func TestDefaults(t *testing.T) {
	got, err := load(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Host: "127.0.0.1", Port: 25441, DataFolder: "/home/me/.specterd", DatabaseURL: "/home/me/.specterd/specterd.db",
		Console: true, BcryptCost: 12, ProposalLifetime: 30 * 24 * time.Hour, EventRetention: 400 * 24 * time.Hour, EventRows: 10_000_000, MaxFeeRate: 100_000, MaxData: 80, LogLevel: slog.LevelInfo, LogFormat: "auto", Node: Node{DataDir: "/home/me/.bitcoin"},
		Backup: Backup{Folder: "/home/me/.specterd/backups", Keep: 7},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
}

// TestSecretFlags checks that the help of each flag for a secret says that other users of the
// machine can see it, and names the alternatives.
func TestSecretFlags(t *testing.T) {
	flags := pflag.NewFlagSet("specterd", pflag.ContinueOnError)
	AddFlags(flags)
	AddClientFlags(flags)
	for _, s := range settings {
		if !s.flag {
			continue
		}
		help := flags.Lookup(s.name).Usage
		if warns := strings.Contains(help, "ps shows flags to all users"); warns != s.secret || s.secret && !strings.Contains(help, s.env+"_FILE") {
			t.Errorf("--%s, secret: %t: %s", s.name, s.secret, help)
		}
	}
}

func TestFlagPrecedence(t *testing.T) {
	environment := map[string]string{"PORT": "1", "HOST": "::1", "SPECTER_DATA_FOLDER": "~/x", "SPECTER_LOG_LEVEL": "debug"}
	got, err := load(t, environment, "--port", "2", "--database-url", "y.db")
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs("y.db")
	if err != nil {
		t.Fatal(err)
	}
	if got.Port != 2 || got.Host != "::1" || got.DataFolder != "/home/me/x" || string(got.DatabaseURL) != here || got.LogLevel != slog.LevelDebug {
		t.Errorf("got %+v", got)
	}
	// A flag takes precedence even if its value is the default.
	if got, _ := load(t, environment, "--port", "25441"); got.Port != 25441 {
		t.Errorf("port %d", got.Port)
	}
}

func TestTokenLimits(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "90 days": 90 * 24 * time.Hour, "1 year": 365 * 24 * time.Hour} {
		t.Run(text, func(t *testing.T) {
			got, err := load(t, map[string]string{"SPECTER_TOKEN_MAX_LIFETIME": text, "SPECTER_TOKEN_IDLE_LIMIT": text})
			if err != nil || got.TokenMaxLifetime != want || got.TokenIdleLimit != want {
				t.Errorf("%q: %v, %v, %v", text, got.TokenMaxLifetime, got.TokenIdleLimit, err)
			}
		})
	}
	for env, texts := range map[string][]string{
		"SPECTER_TOKEN_MAX_LIFETIME": {"0", "off", "90", "-1 day", "59 seconds", "101 years"},
		"SPECTER_TOKEN_IDLE_LIMIT":   {"0", "23 hours", "101 years", "never"},
	} {
		for _, text := range texts {
			if _, err := load(t, map[string]string{env: text}); err == nil || !strings.Contains(err.Error(), env+" must be between 1 ") {
				t.Errorf("%s=%s: %v", env, text, err)
			}
		}
	}
}

func TestAPIActive(t *testing.T) {
	for text, want := range map[string]bool{
		"true": true, "TRUE": true, "1": true, "yes": true, "on": true,
		"": false, "false": false, "0": false, "no": false, "Off": false,
	} {
		t.Run(text, func(t *testing.T) {
			if got, err := load(t, map[string]string{"SPECTER_API_ACTIVE": text}); err != nil || got.APIActive != want {
				t.Errorf("%q: %v, %v", text, got.APIActive, err)
			}
		})
	}
	for _, text := range []string{"2", "enabled", " ", "nope"} {
		if _, err := load(t, map[string]string{"SPECTER_API_ACTIVE": text}); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestSecretsFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	key := strings.Repeat("k", 40)
	if err := os.WriteFile(file, []byte(key+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !s.secret {
			continue
		}
		if _, err := load(t, map[string]string{s.env: "x", s.env + "_FILE": file}); err == nil || !strings.Contains(err.Error(), s.env) {
			t.Errorf("%s twice: %v", s.env, err)
		}
	}
	got, err := load(t, map[string]string{"SECRET_KEY_FILE": file})
	if err != nil || got.SecretKeyFile != file || got.SecretKey != "" { // the file is read when a token is signed
		t.Errorf("got %q from %q, %v", string(got.SecretKey), got.SecretKeyFile, err)
	}
	got, err = load(t, map[string]string{"SPECTER_ADMIN_PASSWORD_FILE": file})
	if err != nil || string(got.AdminPassword) != key {
		t.Errorf("got %q, %v", string(got.AdminPassword), err)
	}
}

func TestNode(t *testing.T) {
	for name, test := range map[string]struct {
		environment map[string]string
		want        Node
	}{
		"one URL":          {map[string]string{"SPECTER_NODE_URL": "http://u:p@h:1", "BTC_RPC_HOST": "other"}, Node{URL: "http://u:p@h:1"}},
		"Specter's":        {map[string]string{"BTC_RPC_USER": "u", "BTC_RPC_PASSWORD": "p", "BTC_RPC_HOST": "h", "BTC_RPC_PORT": "1", "BTC_RPC_PROTOCOL": "https"}, Node{URL: "https://h:1", User: "u", Password: "p"}},
		"Specter's, some":  {map[string]string{"BTC_RPC_USER": "u", "BTC_RPC_PASSWORD": "p"}, Node{URL: "http://127.0.0.1:8332", User: "u", Password: "p"}},
		"a cookie":         {map[string]string{"BTC_RPC_COOKIE_FILE": "~/c", "BTC_RPC_PORT": "18443"}, Node{URL: "http://127.0.0.1:18443", CookieFile: "/home/me/c"}},
		"an IPv6 address":  {map[string]string{"BTC_RPC_HOST": "::1", "BTC_RPC_PORT": "1"}, Node{URL: "http://[::1]:1"}},
		"wallet directory": {map[string]string{"SPECTER_NODE_WALLET_FOLDER": "~/w"}, Node{WalletFolder: "/home/me/w"}},
		"defaults":         {nil, Node{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, test.environment)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			test.want.DataDir = "/home/me/.bitcoin"
			if name == "one URL" {
				got.Node.Password, got.Node.User = "", ""
			}
			if diff := cmp.Diff(test.want, got.Node); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		})
	}
}

func TestTrustedProxies(t *testing.T) {
	got, err := load(t, map[string]string{"SPECTER_TRUSTED_PROXIES": "10.1.2.3, 192.168.7.9/16,::1"})
	want := []string{"10.1.2.3/32", "192.168.0.0/16", "::1/128"}
	if err != nil || len(got.TrustedProxies) != len(want) {
		t.Fatalf("got %v, %v", got.TrustedProxies, err)
	}
	for i, w := range want {
		if got.TrustedProxies[i].String() != w {
			t.Errorf("got %v, want %v", got.TrustedProxies[i], w)
		}
	}
}

// TestSecretsHidden checks that no way of printing a Config reveals a secret.
func TestSecretsHidden(t *testing.T) {
	const hidden = "hunter2hunter2hunter2hunter2hunter2"
	environment := map[string]string{"SPECTER_DATABASE_URL": "postgres://u:" + hidden + "@h/d", "SPECTER_NODE_URL": "http://u:" + hidden + "@h:1"}
	for _, s := range settings {
		if s.secret && environment[s.env] == "" {
			environment[s.env] = hidden
		}
	}
	got, err := load(t, environment)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", got, "secret", got.SecretKey)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", got, "secret", got.SecretKey)
	for _, text := range []string{fmt.Sprint(got), fmt.Sprintf("%+v", got), fmt.Sprintf("%#v", got), log.String()} {
		if strings.Contains(text, hidden) {
			t.Errorf("a secret is printed: %s", text)
		}
	}
}

func TestWebhooks(t *testing.T) {
	got, err := load(t, map[string]string{
		"SPECTER_WEBHOOK_PRIVATE": "true", "SPECTER_WEBHOOK_SOCKS": "localhost:9050",
		"SPECTER_WEBHOOK_HOSTS": "Receiver.LAN, 127.0.0.1:8080,[::1]:8080 ,bücher.example",
	})
	want := Webhooks{Private: true, SOCKS: "localhost:9050", Hosts: []egress.Host{
		{Name: "receiver.lan"}, {Name: "127.0.0.1", Port: 8080}, {Name: "::1", Port: 8080}, {Name: "xn--bcher-kva.example"},
	}}
	if diff := cmp.Diff(want, got.Webhooks); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for env, texts := range map[string][]string{
		"SPECTER_WEBHOOK_PRIVATE": {"maybe"},
		"SPECTER_WEBHOOK_HOSTS":   {"https://receiver.lan", "receiver.lan:0", "receiver.lan,10.0.0.0/8", "*.lan", "2130706433", "fe80::1%eth0", "user@receiver.lan"},
		"SPECTER_WEBHOOK_SOCKS":   {"127.0.0.1", "127.0.0.1:0", ":9050", "socks5://127.0.0.1:9050", "127.0.0.1:65536", "::1:9050"},
	} {
		t.Run(env, func(t *testing.T) {
			for _, text := range texts {
				if _, err := load(t, map[string]string{env: text}); err == nil || !strings.HasPrefix(err.Error(), env+" ") {
					t.Errorf("%s=%s: %v", env, text, err)
				}
			}
		})
	}
}

func TestMaxFeeRate(t *testing.T) {
	for text, want := range map[string]btc.FeeRate{"": 100_000, "25": 25_000, "0.5": 500, "1.125": 1125, "100000": btc.MaxFeeRate} {
		t.Run(text, func(t *testing.T) {
			if got, err := load(t, map[string]string{"SPECTER_MAX_FEE_RATE": text}); err != nil || got.MaxFeeRate != want {
				t.Errorf("%q: %v, %v", text, got.MaxFeeRate, err)
			}
		})
	}
	for _, text := range []string{"0", "-1", "100001", "1.0001", "1,5", "off", " 5"} {
		if _, err := load(t, map[string]string{"SPECTER_MAX_FEE_RATE": text}); err == nil || !strings.Contains(err.Error(), "SPECTER_MAX_FEE_RATE") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestServer(t *testing.T) {
	got, err := load(t, map[string]string{"SPECTER_SERVER": "https://specterd.example/base", "SPECTER_TOKEN_FILE": "~/token"})
	if want := (Server{URL: "https://specterd.example/base", TokenFile: "/home/me/token"}); err != nil || got.Server != want {
		t.Error(got.Server, err)
	}
	for _, test := range []struct {
		url, allow string
		ok         bool
	}{
		{"http://127.0.0.1:25441", "", true},
		{"http://[::1]:25441", "", true},
		{"http://localhost", "", true},
		{"http://10.0.0.1:25441", "", false},
		{"http://10.0.0.1:25441", "true", true},
		{"http://specterd.example", "off", false},
		{"http://localhost.specterd.example", "", false},
		{"https://specterd.example", "maybe", false},
		{"https://user:password@specterd.example", "", false},
		{"https://specterd.example?x=y", "", false},
		{"https://specterd.example#x", "", false},
		{"ftp://specterd.example", "", false},
		{"specterd.example", "", false},
		{"https://specterd.example/api/v1", "", false},
		{"https://specterd.example/api/", "", false},
		{"https://", "", false},
		{"https://:443", "", false},
	} {
		t.Run(test.url+" "+test.allow, func(t *testing.T) {
			_, err := load(t, map[string]string{"SPECTER_SERVER": test.url, "SPECTER_ALLOW_HTTP": test.allow})
			if (err == nil) != test.ok || err != nil && strings.Contains(err.Error(), "password@") {
				t.Error(err)
			}
		})
	}
	t.Run("flags", func(t *testing.T) {
		flags := pflag.NewFlagSet("specterd", pflag.ContinueOnError)
		AddClientFlags(flags)
		if err := flags.Parse([]string{"--server", "http://10.0.0.1", "--allow-http", "--token-file", "-"}); err != nil {
			t.Fatal(err)
		}
		got, err := Load(flags, func(string) string { return "" })
		if want := (Server{URL: "http://10.0.0.1", TokenFile: "-"}); err != nil || got.Server != want {
			t.Error(got.Server, err)
		}
	})
}
