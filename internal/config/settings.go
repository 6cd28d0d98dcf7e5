package config

// setting is one line of the table of settings.
type setting struct {
	name   string // as a flag, where flag is set
	env    string
	value  string // where nothing else is said
	secret bool   // may also be given as env_FILE, and is never printed
	flag   bool
	help   string
}

// settings are all that can be set. A flag wins over the environment.
var settings = []setting{
	{name: "host", env: "HOST", value: "127.0.0.1", flag: true, help: "address to listen on"},
	{name: "port", env: "PORT", value: "25441", flag: true, help: "port to listen on; 0 takes a free one"},
	{name: "data-folder", env: "SPECTER_DATA_FOLDER", value: "~/.specterd", flag: true, help: "folder for the database, the signing key and backups"},
	{name: "database-url", env: "SPECTER_DATABASE_URL", secret: true, flag: true, help: "path of an SQLite file, or postgres://…; default specterd.db in the data folder"},
	{name: "node-url", env: "SPECTER_NODE_URL", secret: true, flag: true, help: "http://user:password@host:port of the node; default BTC_RPC_*, BTC_RPC_COOKIE_FILE or ~/.bitcoin"},
	{name: "node-wallet-folder", env: "SPECTER_NODE_WALLET_FOLDER", flag: true, help: "folder of the node's wallets, to delete files there when asked to; default what ~/.bitcoin says, if that has the node, too"},
	{name: "tls-cert-file", env: "SPECTER_TLS_CERT_FILE", flag: true, help: "certificate (PEM), to serve HTTPS"},
	{name: "tls-key-file", env: "SPECTER_TLS_KEY_FILE", flag: true, help: "the certificate's key (PEM)"},
	{name: "metrics-listen", env: "SPECTER_METRICS_LISTEN", flag: true, help: "host:port to answer GET /metrics at, for Prometheus and without a password; default nowhere"},
	{name: "log-level", env: "SPECTER_LOG_LEVEL", value: "info", flag: true, help: "debug, info, warn or error"},

	{name: "api-active", env: "SPECTER_API_ACTIVE", help: "whether the API answers at all"},
	{name: "stop-delay", env: "SPECTER_STOP_DELAY", value: "0", help: "seconds to go on answering when told to stop, 0 to 60, so that a balancer in front sees it first"},
	{name: "bcrypt-cost", env: "SPECTER_BCRYPT_COST", value: "12", help: "cost of password hashes, 4 to 16"},
	{name: "proposal-days", env: "SPECTER_PROPOSAL_DAYS", value: "30", help: "how long a proposal is open where its maker does not say, 1 to 366 days"},
	{name: "quotas", env: "SPECTER_QUOTAS", help: "limits for each user where an admin set no others, such as wallets=10,tokens=100; docs/quotas.md lists them"},
	{name: "admins-add-members", env: "SPECTER_ADMINS_ADD_MEMBERS", help: "whether admins may add members to wallets that they own without an invitation"},
	{name: "max-fee-rate", env: "SPECTER_MAX_FEE_RATE", value: "100", help: "maximum fee rate of a proposal in sat/vB, up to 100000; a wallet can have a lower one"},
	{name: "token-max-lifetime", env: "SPECTER_TOKEN_MAX_LIFETIME", help: "the longest that a new token may live, such as \"90 days\"; default 1 year for /api/v1, as asked for at /api/v1alpha"},
	{name: "token-idle-limit", env: "SPECTER_TOKEN_IDLE_LIMIT", help: "how long a token may be unused before it is refused, such as \"90 days\", 1 day or more; default no limit"},
	{name: "backup-every", env: "SPECTER_BACKUP_EVERY", help: "how often the server makes a backup, such as 24h; default never"},
	{name: "backup-folder", env: "SPECTER_BACKUP_FOLDER", help: "where it puts them; default backups in the data folder"},
	{name: "backup-keep", env: "SPECTER_BACKUP_KEEP", value: "7", help: "how many of them stay, 1 to 1000"},
	{name: "audit-retention", env: "SPECTER_AUDIT_RETENTION", help: "days that entries of the audit log stay in the database, 30 to 36500, or off; older ones move into files in the folder audit of the data folder; default off"},
	{name: "admin-password", env: "SPECTER_ADMIN_PASSWORD", secret: true, help: "password of the first admin, at the first start"},
	{name: "secret-key", env: "SECRET_KEY", secret: true, help: "key that signs tokens, 32 bytes at least; several one a line; default a file in the data folder"},
	{name: "allowed-hosts", env: "SPECTER_ALLOWED_HOSTS", help: "further host names to answer to on loopback, separated by commas"},
	{name: "trusted-proxies", env: "SPECTER_TRUSTED_PROXIES", help: "addresses or networks whose X-Forwarded-For counts, separated by commas"},
	{name: "node-zmq-host", env: "SPECTER_NODE_ZMQ_HOST", help: "host of the node's ZMQ announcements; default that of its RPC"},
	{name: "rpc-user", env: "BTC_RPC_USER", help: "the node's RPC user"},
	{name: "rpc-password", env: "BTC_RPC_PASSWORD", secret: true, help: "the node's RPC password"},
	{name: "rpc-host", env: "BTC_RPC_HOST", help: "the node's host"},
	{name: "rpc-port", env: "BTC_RPC_PORT", help: "the node's RPC port"},
	{name: "rpc-protocol", env: "BTC_RPC_PROTOCOL", help: "http or https"},
	{name: "rpc-cookie-file", env: "BTC_RPC_COOKIE_FILE", help: "the node's cookie file"},
}
