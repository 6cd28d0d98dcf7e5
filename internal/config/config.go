// Package config reads the settings from flags, the environment, a settings file and files
// with secrets into one validated struct, whose printed form contains no secrets. It opens
// no other files.
package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/egress"
)

// Secret is a text that is hidden when printed. Convert it to a string to use it.
type Secret string

// String returns "(hidden)", or an empty string for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(hidden)"
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Config is the validated settings.
type Config struct {
	// File is the settings file that was read, or empty.
	File string
	// Warnings are about the settings file.
	Warnings []string

	Host           string
	Port           int // 0 to 65535; 0 chooses a free port
	DataFolder     string
	DatabaseURL    Secret // postgres://… or the path of an SQLite file
	Node           Node
	APIActive      bool
	Console        bool   // whether the web console is served
	PublicOrigin   string // of the console in browsers; empty for the Host of requests
	BcryptCost     int    // 4 to 16
	AdminPassword  Secret
	SecretKey      Secret // empty: use SecretKeyFile, or the file in the data directory
	SecretKeyFile  string // not read here: most commands do not need it, and its content may change later
	AllowedHosts   []string
	TrustedProxies []netip.Prefix
	TLSCertFile    string
	TLSKeyFile     string
	MetricsListen  string // host:port; empty disables metrics
	LogLevel       slog.Level
	LogFormat      string // auto, text or json
	// StopDelay is how long the server continues to accept requests after a stop signal.
	StopDelay time.Duration
	// ProposalLifetime is the default lifetime of a proposal.
	ProposalLifetime time.Duration
	// AdminsAddMembers allows an admin who owns a wallet to add members to it without an
	// invitation.
	AdminsAddMembers bool
	// TokenMaxLifetime and TokenIdleLimit are 0 if not set.
	TokenMaxLifetime, TokenIdleLimit time.Duration

	Backup Backup
	Quotas auth.Limits // limits that differ from the defaults
	// MaxFeeRate is the maximum fee rate of a proposal.
	MaxFeeRate btc.FeeRate
	// MaxData is the maximum length of the data of a proposal in bytes; 0 refuses data.
	MaxData int
	// AuditRetention is how long audit events stay in the database; 0 means forever.
	AuditRetention time.Duration
	// EventRetention is how long events stay in the event log, and EventRows their maximum
	// number.
	EventRetention time.Duration
	EventRows      int
	Webhooks       Webhooks
	// Server is the server that a command uses instead of the database; its URL is empty for none.
	Server Server
}

// Server is a server on this or another machine.
type Server struct {
	URL       string // http://host:port or https://host
	TokenFile string // file with the access token; - for standard input
}

// Webhooks is what webhooks may connect to, in addition to public addresses over https.
type Webhooks struct {
	Private bool          // private networks
	Hosts   []egress.Host // at any address
	SOCKS   string        // host:port of a SOCKS5 proxy for .onion names, or empty
}

// Backup is the schedule of the server's backups.
type Backup struct {
	Every  time.Duration // 0 means never
	Folder string
	Keep   int // number of backups to keep, 1 or more
}

// Node contains the connection settings of the Bitcoin node. If neither URL nor
// CookieFile is set, the connection is determined from the node's data directory DataDir,
// as by FromDataDir of package rpcclient.
type Node struct {
	URL        Secret // http://host:port, may carry user and password
	User       string
	Password   Secret
	CookieFile string
	DataDir    string
	// WalletFolder is the node's wallet directory on this machine; empty if not set.
	WalletFolder string
	// ZMQHost is the host of the node's ZMQ publishers; empty means the host of the RPC.
	ZMQHost string
}

// AddFlags adds the flags of the settings with these names, or of all settings of a server if
// names is empty. Settings without a flag are skipped.
func AddFlags(flags *pflag.FlagSet, names ...string) {
	for _, s := range settings {
		if s.flag && (len(names) == 0 && !s.client || slices.Contains(names, s.name)) {
			help := s.help + "\n[" + s.env + "]"
			if s.secret {
				help += "\nps shows flags to all users of this machine: set passwords in " + s.env + " or " + s.env + "_FILE"
			}
			flags.String(s.name, s.value, help)
		}
	}
	if f := flags.Lookup(allowHTTP); f != nil {
		f.NoOptDefVal = "true"
	}
}

// AddClientFlags adds the flags of the commands that can use a server.
func AddClientFlags(flags *pflag.FlagSet) { AddFlags(flags, "server", "token-file", allowHTTP) }

// Environment returns help for the settings without a flag, one per line.
func Environment() string {
	var b strings.Builder
	for _, s := range settings {
		if s.flag {
			continue
		}
		name := s.env
		if s.secret {
			name += "(_FILE)"
		}
		fmt.Fprintf(&b, "  %-30s %s", name, s.help)
		if s.value != "" {
			fmt.Fprintf(&b, " (default %s)", s.value)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Variable describes a setting as an environment variable.
type Variable struct {
	Name, Default, Help string
	Flag                string // empty if the setting has no flag
	Secret              bool   // may also be set with Name_FILE
}

// Variables returns all settings.
func Variables() []Variable {
	all := make([]Variable, 0, len(settings))
	for _, s := range settings {
		v := Variable{Name: s.env, Default: s.value, Help: s.help, Secret: s.secret}
		if s.flag {
			v.Flag = s.name
		}
		all = append(all, v)
	}
	return all
}

// Load reads and validates the settings. Its errors name the setting, and never contain
// the value of a secret.
func Load(flags *pflag.FlagSet, getenv func(string) string) (Config, error) {
	f, err := configFile(flags, getenv)
	if err != nil {
		return Config{}, err
	}
	get := f.over(getenv)
	values, err := fromEnvironment(get)
	if err != nil {
		return Config{}, err
	}
	r := reader{values: values, origin: func(s setting) string {
		if flags.Changed(s.name) || getenv(s.env) != "" || f.lines[s.env] == 0 {
			return ""
		}
		return fmt.Sprintf(" (%s, line %d)", f.path, f.lines[s.env])
	}}
	flags.Visit(func(f *pflag.Flag) { values[f.Name] = f.Value.String() }) // the flags that were given
	c := r.config(getenv("HOME"))
	c.SecretKeyFile, c.File = get(secretKey+"_FILE"), f.path
	if f.othersRead && f.hasSecret() {
		c.Warnings = append(c.Warnings, "other users of this machine can read "+f.path+", which contains secrets; run: chmod o= "+f.path)
	}
	return c, r.err
}

// fromEnvironment returns the value of each setting from getenv, or its default.
func fromEnvironment(getenv func(string) string) (map[string]string, error) {
	values := map[string]string{}
	for _, s := range settings {
		value := getenv(s.env)
		if s.secret {
			var err error
			if value, err = secretFrom(getenv, s.env); err != nil {
				return nil, err
			}
		}
		if value == "" {
			value = s.value
		}
		values[s.name] = value
	}
	return values, nil
}

// secretKey is the variable of the signing keys.
const secretKey = "SECRET_KEY"

// secretFrom returns the value of the variable env, or the content of the file that the
// variable env_FILE names, except for secretKey. It returns an error if both are set.
func secretFrom(getenv func(string) string, env string) (string, error) {
	value, file := getenv(env), getenv(env+"_FILE")
	switch {
	case file == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("both %s and %s_FILE are set; keep one", env, env)
	}
	if env == secretKey {
		return "", nil // Config.SecretKeyFile
	}
	value, err := ReadSecret(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", env, err)
	}
	return value, nil
}

// ReadSecret reads a file with a secret and removes trailing line breaks.
func ReadSecret(file string) (string, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the operator says which file
	return strings.TrimRight(string(text), "\r\n"), err
}

// reader parses values and keeps the first error.
type reader struct {
	values map[string]string // by the name of the setting
	// origin returns where the settings file sets a setting, or an empty string.
	origin func(s setting) string
	err    error
}

func (r *reader) config(home string) Config {
	c := Config{
		Host:           r.values["host"],
		Port:           r.number("port", 0, 65535),
		DataFolder:     absolute(r.values["data-folder"], home),
		DatabaseURL:    Secret(r.values["database-url"]),
		APIActive:      r.truth("api-active"),
		Console:        r.oneOf("console", "on", "off") == "on",
		PublicOrigin:   r.httpOrigin("public-origin"),
		BcryptCost:     r.number("bcrypt-cost", 4, 16),
		AdminPassword:  Secret(r.values["admin-password"]),
		SecretKey:      Secret(r.values["secret-key"]),
		AllowedHosts:   list(r.values["allowed-hosts"]),
		TrustedProxies: r.networks("trusted-proxies"),
		TLSCertFile:    r.values["tls-cert-file"],
		TLSKeyFile:     r.values["tls-key-file"],
		MetricsListen:  r.hostPort("metrics-listen"),
		LogLevel:       r.level("log-level"),
		LogFormat:      r.oneOf("log-format", "auto", "text", "json"),

		StopDelay:        time.Duration(r.number("stop-delay", 0, 60)) * time.Second,
		AdminsAddMembers: r.truth("admins-add-members"),
		ProposalLifetime: time.Duration(r.number("proposal-days", 1, 366)) * 24 * time.Hour,
		MaxFeeRate:       r.feeRate("max-fee-rate"),
		MaxData:          r.number("max-data-bytes", 0, 10_000),
		TokenMaxLifetime: r.lifetime("token-max-lifetime", "1 minute"),
		TokenIdleLimit:   r.lifetime("token-idle-limit", "1 day"),

		Backup: Backup{Every: r.interval("backup-every"), Folder: r.values["backup-folder"], Keep: r.number("backup-keep", 1, 1000)},

		Quotas: r.quotas(), AuditRetention: r.retention(),
		EventRetention: time.Duration(r.number("event-days", 1, 36500)) * 24 * time.Hour, EventRows: r.number("event-rows", 1000, 1_000_000_000),
		Webhooks: Webhooks{Private: r.truth("webhook-private"), Hosts: r.hosts("webhook-hosts"), SOCKS: r.proxy("webhook-socks")},
		Node:     r.node(home), Server: r.server(home),
	}
	if c.Backup.Folder == "" {
		c.Backup.Folder = filepath.Join(c.DataFolder, "backups")
	}
	c.Backup.Folder = absolute(c.Backup.Folder, home)
	switch text := string(c.DatabaseURL); {
	case text == "":
		c.DatabaseURL = Secret(filepath.Join(c.DataFolder, "specterd.db"))
	case !strings.Contains(text, "://"):
		c.DatabaseURL = Secret(absolute(text, home))
	case !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://"):
		r.fail("database-url", "must be postgres://… or the path of an SQLite file")
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		r.fail("tls-cert-file", "and tls-key-file must be set together")
	}
	if c.Host == "" {
		r.fail("host", "must not be empty; use 0.0.0.0 for all addresses of this machine")
	}
	if n := len(c.SecretKey); n > 0 && n < 32 {
		r.fail("secret-key", "has %d bytes but must have at least 32; create one with: openssl rand -hex 32", n)
	}
	return c
}

// apiPath matches paths that clients add to the address of a server.
var apiPath = regexp.MustCompile("/api(/v1)?/?$")

// server returns the server that a command uses. Without TLS, it must be on this machine, unless
// that is allowed.
func (r *reader) server(home string) Server {
	s := Server{URL: r.values["server"], TokenFile: r.values["token-file"]}
	isAllowed := r.truth(allowHTTP)
	if s.TokenFile != "" && s.TokenFile != "-" {
		s.TokenFile = absolute(s.TokenFile, home)
	}
	if s.URL == "" {
		return s
	}
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		r.fail("server", "must have the format https://host, or http://127.0.0.1:port, without a user and a password")
	case apiPath.MatchString(u.Path):
		r.fail("server", "must be the address of the server without the path /api")
	case IsUnencrypted(u) && !isAllowed:
		r.fail("server", "must begin with https://, because the server is on another machine: others on the network could read the token; a tunnel that encrypts can be allowed with --allow-http (SPECTER_ALLOW_HTTP)")
	}
	return s
}

func (r *reader) node(home string) Node {
	n := Node{
		URL: Secret(r.values["node-url"]), User: r.values["rpc-user"], Password: Secret(r.values["rpc-password"]),
		CookieFile: r.values["rpc-cookie-file"], ZMQHost: r.values["node-zmq-host"], DataDir: filepath.Join(home, ".bitcoin"),
	}
	if n.CookieFile != "" {
		n.CookieFile = absolute(n.CookieFile, home)
	}
	if folder := r.values["node-wallet-folder"]; folder != "" {
		n.WalletFolder = absolute(folder, home)
	}
	switch {
	case n.URL != "":
		u, err := url.Parse(string(n.URL))
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			r.fail("node-url", "must have the format http://user:password@host:port")
		}
	case n.User != "" || n.CookieFile != "" || r.values["rpc-host"] != "":
		n.URL = r.specterNodeURL()
	}
	return n
}

// specterNodeURL builds the URL from the separate settings that Specter Desktop has.
func (r *reader) specterNodeURL() Secret {
	protocol := cmp.Or(r.values["rpc-protocol"], "http")
	host := cmp.Or(r.values["rpc-host"], "127.0.0.1")
	port := cmp.Or(r.values["rpc-port"], "8332")
	if protocol != "http" && protocol != "https" {
		r.fail("rpc-protocol", "must be http or https")
	}
	if p, err := strconv.Atoi(port); err != nil || p < 1 || p > 65535 {
		r.fail("rpc-port", "must be between 1 and 65535")
	}
	return Secret(protocol + "://" + net.JoinHostPort(strings.Trim(host, "[]"), port))
}
