package regtest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// MakeSigner creates a wallet on the node with the private keys of descriptors
// without checksums, such as wpkh([d34db33f/84h/1h/0h]tprv…/0/*). The wallet has no
// history, which signing does not require.
func (n *Node) MakeSigner(ctx context.Context, name string, descriptors ...string) error {
	const disablePrivateKeys, blank = false, true
	if _, err := n.Call(ctx, "createwallet", name, disablePrivateKeys, blank); err != nil {
		return err
	}
	return n.Import(ctx, name, descriptors...)
}

// Import imports descriptors without checksums into a wallet, which must have private keys if they
// do. The wallet does not look for earlier payments to them.
func (n *Node) Import(ctx context.Context, wallet string, descriptors ...string) error {
	imports := make([]map[string]any, len(descriptors))
	for i, text := range descriptors {
		var info struct{ Checksum string }
		if err := n.callInto(ctx, &info, "", "getdescriptorinfo", text); err != nil {
			return err
		}
		imports[i] = map[string]any{"desc": text + "#" + info.Checksum, "timestamp": "now"}
	}
	var results []struct {
		Success bool
		Error   Error
	}
	if err := n.callInto(ctx, &results, wallet, "importdescriptors", imports); err != nil {
		return err
	}
	for i := range results {
		if !results[i].Success {
			results[i].Error.Method = "importdescriptors"
			return &results[i].Error
		}
	}
	return nil
}

// Sign adds the signatures of a wallet to a PSBT (walletprocesspsbt). It does not
// finalize the PSBT, so that other signatures can be combined with it.
func (n *Node) Sign(ctx context.Context, wallet string, psbt []byte) ([]byte, error) {
	const sign, bip32Derivs, finalize = true, true, false
	var signed struct{ PSBT []byte }
	err := n.callInto(ctx, &signed, wallet, "walletprocesspsbt", psbt, sign, nil /* sighash type */, bip32Derivs, finalize)
	return signed.PSBT, err
}

// Combine combines the signatures of several copies of a PSBT (combinepsbt).
func (n *Node) Combine(ctx context.Context, psbts ...[]byte) ([]byte, error) {
	var combined []byte
	return combined, n.callInto(ctx, &combined, "", "combinepsbt", psbts)
}

// Finalize converts a completely signed PSBT to a transaction (finalizepsbt).
func (n *Node) Finalize(ctx context.Context, psbt []byte) ([]byte, error) {
	var final struct {
		Hex      string
		Complete bool
	}
	if err := n.callInto(ctx, &final, "", "finalizepsbt", psbt); err != nil {
		return nil, err
	}
	if !final.Complete {
		return nil, fmt.Errorf("finalizepsbt: signatures are missing")
	}
	return hex.DecodeString(final.Hex)
}

// callInto calls an RPC method and decodes its result. If wallet is not empty, it
// calls the method of that wallet.
func (n *Node) callInto(ctx context.Context, out any, wallet, method string, params ...any) error {
	call := n.Call
	if wallet != "" {
		call = func(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
			return n.CallWallet(ctx, wallet, method, params...)
		}
	}
	result, err := call(ctx, method, params...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(result, out); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}
