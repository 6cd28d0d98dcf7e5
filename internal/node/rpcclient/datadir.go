package rpcclient

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// network has the name of a chain, the subdirectory of its files in the data
// directory, and its default RPC port.
type network struct{ name, folder, port string }

var networks = []network{
	{"main", "", "8332"},
	{"test", "testnet3", "18332"},
	{"testnet4", "testnet4", "48332"},
	{"signet", "signet", "38332"},
	{"regtest", "regtest", "18443"},
}

// FromDataDir returns the configuration of the node with the data directory dir, as
// bitcoin-cli would find it: rpcuser and rpcpassword from bitcoin.conf if both are set,
// otherwise the cookie of the selected network. If there is no bitcoin.conf, the network
// is mainnet. Files named by includeconf are not read. It returns an Invalid fault for a
// file that does not select a single known network.
func FromDataDir(dir string) (Config, error) {
	conf, chain, err := readDataDir(dir)
	if err != nil {
		return Config{}, err
	}
	cfg := Config{URL: "http://" + conf.address(chain)}
	user, password := conf.get(chain, "rpcuser"), conf.get(chain, "rpcpassword")
	if user != "" && password != "" {
		cfg.User, cfg.Password = user, password
		return cfg, nil
	}
	cookie := conf.get(chain, "rpccookiefile")
	switch {
	case cookie == "":
		cookie = filepath.Join(conf.folder(chain, dir), ".cookie")
	case !filepath.IsAbs(cookie):
		cookie = filepath.Join(conf.folder(chain, dir), cookie)
	}
	cfg.CookieFile = cookie
	return cfg, nil
}

// WalletFolder returns the wallet directory of the node with the data directory dir:
// walletdir from bitcoin.conf, otherwise the subdirectory wallets of the chain's
// directory if it exists, otherwise the chain's directory, as old nodes use it. Outside
// of sections, walletdir applies to mainnet only. The returned directory need not exist,
// and the command line of the node may override it.
func WalletFolder(dir string) (string, error) {
	conf, chain, err := readDataDir(dir)
	if err != nil {
		return "", err
	}
	if folder := conf.own(chain, "walletdir"); folder != "" {
		return folder, nil
	}
	data := conf.folder(chain, dir)
	folder := filepath.Join(data, "wallets")
	if info, err := os.Stat(folder); err == nil && info.IsDir() {
		return folder, nil
	}
	return data, nil
}

// readDataDir returns the content of the bitcoin.conf in dir, and the network that
// it selects.
func readDataDir(dir string) (conf, network, error) {
	c, err := readConf(filepath.Join(dir, "bitcoin.conf"))
	if err != nil {
		return nil, network{}, err
	}
	chain, err := c.network()
	return c, chain, err
}

// conf has the values of a bitcoin.conf by key. Keys in a section have the form
// "network.key". If a key occurs twice, Core uses the first.
type conf map[string]string

// readConf reads the file at path; a missing one is empty.
func readConf(path string) (conf, error) {
	c := conf{}
	f, err := os.Open(path) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the node's settings: %w", err)
	}
	defer func() { _ = f.Close() }()
	section := ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = line[1:len(line)-1] + "."
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if !found {
			continue
		}
		key = section + strings.TrimSpace(key)
		if _, twice := c[key]; !twice {
			c[key] = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the node's settings: %w", err)
	}
	return c, nil
}

// network returns the chain that the file selects with chain=, or with regtest=1 and
// similar settings, and mainnet by default. Core reads these settings outside of sections
// only.
func (c conf) network() (network, error) {
	selected := map[string]bool{}
	if name := c["chain"]; name != "" {
		selected[name] = true
	}
	for flag, name := range map[string]string{"testnet": "test", "testnet4": "testnet4", "signet": "signet", "regtest": "regtest"} {
		if value, set := c[flag]; set && value != "0" {
			selected[name] = true
		}
	}
	if len(selected) > 1 {
		return network{}, invalid("the node's bitcoin.conf selects more than one of chain, testnet, testnet4, signet and regtest")
	}
	if len(selected) == 0 {
		return networks[0], nil
	}
	i := slices.IndexFunc(networks, func(n network) bool { return selected[n.name] })
	if i < 0 {
		return network{}, invalid("the node's bitcoin.conf selects a chain that is not main, test, testnet4, signet or regtest")
	}
	return networks[i], nil
}

// get returns the value for a network, or else the value outside of sections.
func (c conf) get(n network, key string) string {
	if value, ok := c[n.name+"."+key]; ok {
		return value
	}
	return c[key]
}

// address returns host:port from rpcconnect, which may contain a port, and rpcport, which
// overrides that port. Outside of sections, rpcport applies to mainnet only. The defaults
// are 127.0.0.1 and the port of the network.
func (c conf) address(n network) string {
	host, port := "127.0.0.1", n.port
	if connect := c.get(n, "rpcconnect"); connect != "" {
		host = strings.Trim(connect, "[]")
		if h, p, err := net.SplitHostPort(connect); err == nil {
			host, port = h, p
		}
	}
	if own := c.own(n, "rpcport"); own != "" {
		port = own
	}
	return net.JoinHostPort(host, port)
}

// own is like get for settings that, outside of sections, apply to mainnet only.
func (c conf) own(n network, key string) string {
	if value := c[n.name+"."+key]; value != "" || n.name != "main" {
		return value
	}
	return c[key]
}

// folder returns the directory of a network, in dir unless the file specifies
// another one.
func (c conf) folder(n network, dir string) string {
	if moved := c.get(n, "datadir"); moved != "" {
		dir = moved
	}
	return filepath.Join(dir, n.folder)
}
