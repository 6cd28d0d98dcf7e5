package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/testenv/regtest"
)

// payer is the name of the wallet on the demo's node that makes the payments.
const payer = "payer"

// cosigners are the owners of the demo's vault. They sign with keys that specterd never
// sees: wallets on the node stand in for hardware wallets.
var cosigners = []string{"ann", "ben", "cleo"}

// signerAccounts are the accounts of each signer of which the node has the private keys. The first
// one is for the demo's vault, and the second one for the key files, from which users create
// another vault.
const signerAccounts = 2

// prepare creates wallets on the node: one for each owner of the vault, and a funded one for
// payments. It returns the owners' public keys with their origins, by account and owner, and the
// height of the chain.
func prepare(ctx context.Context, node *regtest.Node) (keys [][]string, height int, err error) {
	for _, name := range append([]string{payer}, cosigners...) {
		if _, err := node.Call(ctx, "createwallet", name); err != nil {
			return nil, 0, fmt.Errorf("create the demo's wallets: %w", err)
		}
	}
	keys = make([][]string, signerAccounts)
	for _, name := range cosigners {
		for account := range signerAccounts {
			key, err := addSigner(ctx, node, name, account)
			if err != nil {
				return nil, 0, fmt.Errorf("create a cosigner's key: %w", err)
			}
			keys[account] = append(keys[account], key)
		}
	}
	address, err := callForText(ctx, node, payer, "getnewaddress")
	if err == nil {
		_, err = node.Call(ctx, "generatetoaddress", 1, address)
	}
	if err == nil {
		_, err = node.Mine(ctx, demoBlocks-1) // the first block reward matures
	}
	if err != nil {
		return nil, 0, fmt.Errorf("mine the demo's blocks: %w", err)
	}
	return keys, demoBlocks, nil
}

var errNoKey = errors.New("the node's wallet has no key of the expected kind")

// signerPath returns the derivation path of a key for native segwit multisig wallets (BIP-48).
func signerPath(account int) string { return fmt.Sprintf("48h/1h/%dh/2h", account) }

// addSigner derives the key of an account of a wallet, with which the wallet then signs. It returns
// the public key with its origin. The addresses of the imported descriptors are not used: the node
// signs for every public key that it can derive from them.
func addSigner(ctx context.Context, node *regtest.Node, wallet string, account int) (string, error) {
	root, err := keyIn(ctx, node, wallet, "/84h/1h/0h/0/*)", true)
	if err != nil {
		return "", err
	}
	var descriptors []string
	for branch := range 2 {
		descriptors = append(descriptors, fmt.Sprintf("wpkh(%s/%s/%d/*)", root, signerPath(account), branch))
	}
	if err := node.Import(ctx, wallet, descriptors...); err != nil {
		return "", err
	}
	return keyIn(ctx, node, wallet, "/0/*)", false, "/"+signerPath(account)+"]")
}

// keyIn returns the key of a descriptor of a wallet that is wpkh(, the key and after, and whose
// key contains all parts.
func keyIn(ctx context.Context, node *regtest.Node, wallet, after string, isPrivate bool, parts ...string) (string, error) {
	answer, err := node.CallWallet(ctx, wallet, "listdescriptors", isPrivate)
	if err != nil {
		return "", err
	}
	var list struct {
		Descriptors []struct{ Desc string }
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return "", err
	}
	for _, d := range list.Descriptors {
		descriptor, _, _ := strings.Cut(d.Desc, "#")
		key, isKey := strings.CutPrefix(descriptor, "wpkh(")
		key, isWanted := strings.CutSuffix(key, after)
		lacks := func(part string) bool { return !strings.Contains(key, part) }
		if isKey && isWanted && !slices.ContainsFunc(parts, lacks) {
			return key, nil
		}
	}
	return "", errNoKey
}

// writeKeyFiles writes the key of each owner to a file, in the format of hardware wallets for
// multisig wallets.
func writeKeyFiles(dir string, keys []string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("create the folder of the key files: %w", err)
	}
	for i, name := range cosigners {
		origin, key, _ := strings.Cut(strings.TrimPrefix(keys[i], "["), "]")
		fingerprint, path, _ := strings.Cut(origin, "/")
		content, err := json.MarshalIndent(map[string]string{
			"xfp": strings.ToUpper(fingerprint), "account": strconv.Itoa(signerAccounts - 1),
			"p2wsh_deriv": "m/" + strings.ReplaceAll(path, "h", "'"), "p2wsh": key,
		}, "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".json"), append(content, '\n'), 0o600)
		}
		if err != nil {
			return fmt.Errorf("write a key file: %w", err)
		}
	}
	return nil
}

func callForText(ctx context.Context, node *regtest.Node, wallet, method string, params ...any) (string, error) {
	answer, err := node.CallWallet(ctx, wallet, method, params...)
	if err != nil {
		return "", err
	}
	var text string
	return text, json.Unmarshal(answer, &text)
}

// pay pays demoPayment to an address in several outputs, so that some remain available when
// proposals of the walk-through and of the documents reserve others, and mines a block that confirms them.
func (s *scene) pay(ctx context.Context, address string) error {
	for _, part := range []string{"0.10", "0.05", "0.05", "0.05"} {
		if _, err := callForText(ctx, s.node, payer, "sendtoaddress", address, json.Number(part)); err != nil {
			return fmt.Errorf("pay to %s: %w", address, err)
		}
	}
	_, err := s.node.Mine(ctx, 1)
	return err
}
