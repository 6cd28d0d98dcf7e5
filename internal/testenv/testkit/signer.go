package testkit

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
)

// Key returns the account key m/48h/1h/0h of test device number n with its origin,
// as in descriptors: public is [d34db33f/48h/1h/0h]tpub…, and private is the same
// with tprv….
func Key(t testing.TB, n int) (public, private string) {
	t.Helper()
	seed := sha512.Sum512(fmt.Appendf(nil, "specterd test device %d", n))
	key, err := hdkeychain.NewMaster(seed[:], &chaincfg.RegressionNetParams)
	Check(t, err)
	master, err := key.ECPubKey()
	Check(t, err)
	origin := hex.EncodeToString(btcutil.Hash160(master.SerializeCompressed())[:4])
	for _, step := range []uint32{48, 1, 0} {
		key, err = key.Derive(hdkeychain.HardenedKeyStart + step)
		Check(t, err)
		origin += fmt.Sprintf("/%dh", step)
	}
	neutered, err := key.Neuter()
	Check(t, err)
	return "[" + origin + "]" + neutered.String(), "[" + origin + "]" + key.String()
}

// Signer creates a wallet on the node with the private keys of descriptors; see
// [regtest.Node.MakeSigner].
func (n *Node) Signer(t testing.TB, name string, descriptors ...string) {
	t.Helper()
	Check(t, n.MakeSigner(t.Context(), name, descriptors...))
}

// Sign makes each of the wallets sign a PSBT separately, and returns the PSBT with
// all signatures.
func (n *Node) Sign(t testing.TB, psbt []byte, wallets ...string) []byte {
	t.Helper()
	signed := make([][]byte, len(wallets))
	for i, name := range wallets {
		var err error
		signed[i], err = n.Node.Sign(t.Context(), name, psbt)
		Check(t, err)
	}
	combined, err := n.Combine(t.Context(), signed...)
	Check(t, err)
	return combined
}

// Finalize converts a completely signed PSBT to a transaction.
func (n *Node) Finalize(t testing.TB, psbt []byte) []byte {
	t.Helper()
	raw, err := n.Node.Finalize(t.Context(), psbt)
	Check(t, err)
	return raw
}
