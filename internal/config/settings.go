package config

// setting is one row of the table of settings.
type setting struct {
	name   string // also the name of the flag, if flag is set
	env    string
	value  string // default
	secret bool   // may also be set with env_FILE, and is never printed
	flag   bool
	client bool // only for commands that can use a server
	help   string
}

// dataFolder is the variable of the data directory.
const dataFolder = "SPECTER_DATA_FOLDER"

// allowHTTP is the name of a setting whose flag needs no value.
const allowHTTP = "allow-http"

// settings is the table of all settings. A flag takes precedence over the environment, and
// the environment over the settings file.
var settings = []setting{
	{name: "host", env: "HOST", value: "127.0.0.1", flag: true, help: "address to listen on"},
	{name: "port", env: "PORT", value: "25441", flag: true, help: "port to listen on; 0 chooses a free port"},
	{name: "config", env: "SPECTER_CONFIG", flag: true, help: "settings file; default specterd.env in the data directory, if it exists"},
	{name: "data-folder", env: dataFolder, value: "~/.specterd", flag: true, help: "data directory, for the database, the signing key and backups"},
	{name: "database-url", env: "SPECTER_DATABASE_URL", secret: true, flag: true, help: "path of an SQLite file, or postgres://…; default specterd.db in the data directory"},
	{name: "node-url", env: "SPECTER_NODE_URL", secret: true, flag: true, help: "http://user:password@host:port of the node; default from BTC_RPC_*, BTC_RPC_COOKIE_FILE or ~/.bitcoin"},
	{name: "node-wallet-folder", env: "SPECTER_NODE_WALLET_FOLDER", flag: true, help: "the node's wallet directory, required to delete wallet files; default from ~/.bitcoin, if the node is configured there"},
	{name: "server", env: "SPECTER_SERVER", flag: true, client: true, help: "URL of a server, such as https://specterd.example, whose API the command calls instead of using the database of this machine"},
	{name: "token-file", env: "SPECTER_TOKEN_FILE", flag: true, client: true, help: "file with the access token for the server, which only you can read; - reads standard input"},
	{name: allowHTTP, env: "SPECTER_ALLOW_HTTP", flag: true, client: true, help: "allows http:// for a server on another machine: others on the network can read the token and change payments"},
	{name: "tls-cert-file", env: "SPECTER_TLS_CERT_FILE", flag: true, help: "certificate file (PEM), to serve HTTPS"},
	{name: "tls-key-file", env: "SPECTER_TLS_KEY_FILE", flag: true, help: "file with the certificate's private key (PEM)"},
	{name: "metrics-listen", env: "SPECTER_METRICS_LISTEN", flag: true, help: "host:port that serves GET /metrics for Prometheus, without a password; default off"},
	{name: "log-level", env: "SPECTER_LOG_LEVEL", value: "info", flag: true, help: "log level: debug, info, warn or error"},
	{name: "log-format", env: "SPECTER_LOG_FORMAT", value: "auto", flag: true, help: "log format: text, json, or auto, which is text on a terminal and otherwise json"},

	{name: "api-active", env: "SPECTER_API_ACTIVE", help: "enables the API"},
	{name: "console", env: "SPECTER_CONSOLE", value: "on", flag: true, help: "the web console: on or off"},
	{name: "public-origin", env: "SPECTER_PUBLIC_ORIGIN", help: "origin of the web console in browsers, such as https://specter.example.org, if a reverse proxy changes the Host of requests"},
	{name: "stop-delay", env: "SPECTER_STOP_DELAY", value: "0", help: "seconds to keep serving after a stop signal, 0 to 60, so that a load balancer can notice"},
	{name: "bcrypt-cost", env: "SPECTER_BCRYPT_COST", value: "12", help: "cost of password hashes, 4 to 16"},
	{name: "proposal-days", env: "SPECTER_PROPOSAL_DAYS", value: "30", help: "default lifetime of a proposal, 1 to 366 days"},
	{name: "quotas", env: "SPECTER_QUOTAS", help: "default limits for each user, such as wallets=10,tokens=100; docs/quotas.md lists them"},
	{name: "admins-add-members", env: "SPECTER_ADMINS_ADD_MEMBERS", help: "allows admins to add members to wallets that they own without an invitation"},
	{name: "max-fee-rate", env: "SPECTER_MAX_FEE_RATE", value: "100", help: "maximum fee rate of a proposal in sat/vB, up to 100000; a wallet can have a lower one"},
	{name: "max-data-bytes", env: "SPECTER_MAX_DATA_BYTES", value: "80", help: "maximum data of a proposal in bytes (OP_RETURN), 0 to 10000; 0 refuses data, and nodes relay 80 by default"},
	{name: "token-max-lifetime", env: "SPECTER_TOKEN_MAX_LIFETIME", help: "maximum lifetime of new tokens, such as \"90 days\"; default 1 year for /api/v1, and the requested lifetime for /api/v1alpha"},
	{name: "token-idle-limit", env: "SPECTER_TOKEN_IDLE_LIMIT", help: "how long a token may be unused before it is refused, such as \"90 days\", 1 day or more; default no limit"},
	{name: "backup-every", env: "SPECTER_BACKUP_EVERY", help: "interval of scheduled backups, such as 24h; default off"},
	{name: "backup-folder", env: "SPECTER_BACKUP_FOLDER", help: "directory of scheduled backups; default backups in the data directory"},
	{name: "backup-keep", env: "SPECTER_BACKUP_KEEP", value: "7", help: "number of scheduled backups to keep, 1 to 1000"},
	{name: "audit-retention", env: "SPECTER_AUDIT_RETENTION", help: "days that audit events stay in the database, 30 to 36500, or off; older events are moved into files in the directory audit in the data directory; default off"},
	{name: "event-days", env: "SPECTER_EVENT_DAYS", value: "400", help: "days that events stay in the event log, 1 to 36500"},
	{name: "event-rows", env: "SPECTER_EVENT_ROWS", value: "10000000", help: "maximum number of events in the event log, 1000 to 1000000000"},
	{name: "webhook-private", env: "SPECTER_WEBHOOK_PRIVATE", help: "allows webhooks to connect to private networks, also without TLS"},
	{name: "webhook-hosts", env: "SPECTER_WEBHOOK_HOSTS", help: "hosts or host:port that webhooks may connect to at any address, also on this machine and without TLS, separated by commas"},
	{name: "webhook-socks", env: "SPECTER_WEBHOOK_SOCKS", help: "host:port of a SOCKS5 proxy for webhooks to .onion addresses, such as 127.0.0.1:9050 of Tor; default off"},
	{name: "admin-password", env: "SPECTER_ADMIN_PASSWORD", secret: true, help: "password of the first admin; read only at the first start"},
	{name: "secret-key", env: "SECRET_KEY", secret: true, help: "key that signs tokens, 32 bytes or more; several keys one per line; default a file in the data directory"},
	{name: "allowed-hosts", env: "SPECTER_ALLOWED_HOSTS", help: "additional host names to accept on loopback, separated by commas"},
	{name: "trusted-proxies", env: "SPECTER_TRUSTED_PROXIES", help: "addresses or networks whose X-Forwarded-For is trusted, separated by commas"},
	{name: "node-zmq-host", env: "SPECTER_NODE_ZMQ_HOST", help: "host of the node's ZMQ publishers; default the host of its RPC"},
	{name: "rpc-user", env: "BTC_RPC_USER", help: "the node's RPC user"},
	{name: "rpc-password", env: "BTC_RPC_PASSWORD", secret: true, help: "the node's RPC password"},
	{name: "rpc-host", env: "BTC_RPC_HOST", help: "the node's host"},
	{name: "rpc-port", env: "BTC_RPC_PORT", help: "the node's RPC port"},
	{name: "rpc-protocol", env: "BTC_RPC_PROTOCOL", help: "the protocol of the node's RPC, http or https"},
	{name: "rpc-cookie-file", env: "BTC_RPC_COOKIE_FILE", help: "the node's RPC cookie file"},
}
