package btc

import "github.com/specterd/specterd/internal/fault"

// Network is a Bitcoin network, by its name in Bitcoin Core's getblockchaininfo.
// Values come from ParseNetwork and the constants.
type Network string

// The networks of Bitcoin Core.
const (
	Main     Network = "main"
	Test     Network = "test"
	Testnet4 Network = "testnet4"
	Signet   Network = "signet"
	Regtest  Network = "regtest"
)

// ErrWrongNetwork is returned for a key or an address of another network.
var ErrWrongNetwork = fault.InvalidAs("wrong_network", "network", "is for another network")

// ParseNetwork returns the network with this name in Bitcoin Core. It returns an Invalid
// fault about the field "network" for other names.
func ParseNetwork(name string) (Network, error) {
	switch n := Network(name); n {
	case Main, Test, Testnet4, Signet, Regtest:
		return n, nil
	}
	return "", fault.InvalidField("network", "must be main, test, testnet4, signet or regtest")
}

// encoding holds the parameters for encoding addresses and keys (Bitcoin Core,
// kernel/chainparams.cpp).
type encoding struct {
	name       string // for people
	hrp        string // of bech32 addresses
	pubKeyHash byte   // the version of base58 addresses
	scriptHash byte
	xpub       [4]byte // the version of extended public keys (BIP-32)
}

var (
	xpubVersion = [4]byte{0x04, 0x88, 0xb2, 0x1e}
	tpubVersion = [4]byte{0x04, 0x35, 0x87, 0xcf}

	mainEncoding    = encoding{name: "mainnet", hrp: "bc", pubKeyHash: 0x00, scriptHash: 0x05, xpub: xpubVersion}
	testEncoding    = encoding{name: "testnet", hrp: "tb", pubKeyHash: 0x6f, scriptHash: 0xc4, xpub: tpubVersion}
	regtestEncoding = encoding{name: "regtest", hrp: "bcrt", pubKeyHash: 0x6f, scriptHash: 0xc4, xpub: tpubVersion}
	encodings       = []encoding{mainEncoding, testEncoding, regtestEncoding}
)

// text returns the name of the network for people.
func (n Network) text() string {
	if n == Main {
		return mainEncoding.name
	}
	return string(n)
}

func (n Network) encoding() encoding {
	switch n {
	case Main:
		return mainEncoding
	case Regtest:
		return regtestEncoding
	}
	return testEncoding
}
