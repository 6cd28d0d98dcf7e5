package cli

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/privatefile"
)

// nodeConfig are the parameters of the configuration of a node.
type nodeConfig struct {
	user, password, host string
	port, zmqPort        uint16
}

func (p *program) nodeConfigCommand() *cobra.Command {
	n, chain, settings := nodeConfig{}, "main", ""
	cmd := &cobra.Command{
		Use: "node-config", Short: "Print the configuration that the node needs", Args: cobra.NoArgs,
		Long: `Print the lines that bitcoin.conf of the node needs, and the matching settings of
specterd, with a new password. Nothing is stored: each call creates another password.

The lines give specterd an RPC user who can call only the methods that specterd calls
(rpcwhitelist); they do not restrict other users. They also make the node announce
transactions and blocks (ZMQ), and index the blocks so that rescans are fast. Put them
before the first section, such as [test], and restart the node.

With --settings, the settings are written into a new file that only you can read, and
only the lines for bitcoin.conf are printed.`,
		Example: `  specterd node-config
  specterd node-config --settings ~/.specterd/specterd.env > lines-for-bitcoin.conf`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ports := map[string]uint16{"main": 8332, "test": 18332, "testnet4": 48332, "signet": 38332, "regtest": 18443}
			if !cmd.Flags().Changed("rpc-port") {
				n.port = ports[chain]
			}
			if n.port == 0 {
				return errUsage("--chain must be main, test, testnet4, signet or regtest")
			}
			if err := n.check(); err != nil {
				return err
			}
			n.password = rand.Text()
			return p.printNodeConfig(n, settings)
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.user, "rpc-user", "specterd", "name of the RPC user")
	f.StringVar(&n.host, "rpc-host", "127.0.0.1", "address of the node, as seen from specterd")
	f.StringVar(&chain, "chain", chain, "chain, which determines the default of --rpc-port: main, test, testnet4, signet or regtest")
	f.Uint16Var(&n.port, "rpc-port", 0, "port of the node's RPC interface; default the port of the chain")
	f.Uint16Var(&n.zmqPort, "zmq-port", 28332, "port on which the node announces transactions and blocks")
	f.StringVar(&settings, "settings", "", "write the settings of specterd into this new file, such as specterd.env in the data directory")
	return cmd
}

func (n nodeConfig) check() error {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
	if n.user == "" || strings.Trim(n.user, letters) != "" {
		return errUsage("--rpc-user must have only letters, digits, _, - and .")
	}
	if n.host == "" || strings.Trim(n.host, letters+":") != "" {
		return errUsage("--rpc-host must be a host name or an address, such as 192.0.2.1 or 2001:db8::1")
	}
	if n.zmqPort == 0 {
		return errUsage("--zmq-port must be between 1 and 65535")
	}
	return nil
}

func (p *program) printNodeConfig(n nodeConfig, path string) error {
	bitcoinConf, settings := n.bitcoinConf(rand.Text()), n.settings()
	if path == "" {
		_, err := fmt.Fprintf(p.stdout, "# For bitcoin.conf of the node, before the first [section]. Restart the node afterwards.\n%s\n# For specterd.env, the settings file of specterd:\n%s", bitcoinConf, settings)
		return err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := writeNewFile(path, settings); err != nil {
		return fmt.Errorf("--settings: %w; without --settings, the settings are printed, to be added to a file", err)
	}
	fmt.Fprintf(p.stderr, "Wrote the settings of specterd into %s. Add the following lines to bitcoin.conf, and restart the node.\n", path)
	_, err = io.WriteString(p.stdout, bitcoinConf)
	return err
}

func writeNewFile(path, content string) error {
	if err := privatefile.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return privatefile.WriteNew(path, []byte(content))
}

// bitcoinConf returns the lines for bitcoin.conf.
func (n nodeConfig) bitcoinConf(salt string) string {
	var methods []string
	for _, m := range nodestatus.Methods() {
		methods = append(methods, m.Name)
	}
	bind, remote := "127.0.0.1", ""
	if !config.IsLoopback(n.host) {
		bind = "0.0.0.0"
		remote = "# The node is on another machine. RPC and ZMQ are not encrypted: use a private network or a tunnel, and replace\n" +
			"# the example by the address of specterd.\nrpcbind=0.0.0.0\nrpcallowip=127.0.0.1\n#rpcallowip=192.0.2.1\n"
	}
	at := "tcp://" + net.JoinHostPort(bind, strconv.Itoa(int(n.zmqPort)))
	return "server=1\nblockfilterindex=1\nzmqpubhashblock=" + at + "\nzmqpubrawtx=" + at + "\nzmqpubsequence=" + at + "\n" +
		"rpcauth=" + n.user + ":" + salt + "$" + rpcAuth(salt, n.password) + "\n" +
		"rpcwhitelist=" + n.user + ":" + strings.Join(methods, ",") + "\nrpcwhitelistdefault=0\n" + remote
}

// rpcAuth returns the hash of a password in rpcauth (share/rpcauth/rpcauth.py of Bitcoin
// Core).
func rpcAuth(salt, password string) string {
	h := hmac.New(sha256.New, []byte(salt))
	h.Write([]byte(password))
	return hex.EncodeToString(h.Sum(nil))
}

// settings returns the lines for the settings file of specterd.
func (n nodeConfig) settings() string {
	return config.Line("BTC_RPC_HOST", n.host) + "\n" + config.Line("BTC_RPC_PORT", strconv.Itoa(int(n.port))) + "\n" +
		config.Line("BTC_RPC_USER", n.user) + "\n" + config.Line("BTC_RPC_PASSWORD", n.password) + "\n"
}
