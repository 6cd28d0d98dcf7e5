package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/specterd/specterd/internal/testenv/regtest"
)

// payer is the name of the wallet on the demo's node that makes the payments.
const payer = "payer"

// cosigners are the owners of the demo's vault. They sign with keys that specterd never
// sees: wallets on the node stand in for hardware wallets.
var cosigners = []string{"ann", "ben", "cleo"}

// prepare creates wallets on the node: one for each owner of the vault, and a funded
// one for payments. It returns the owners' public keys with their origins, and the
// height of the chain.
func prepare(ctx context.Context, node *regtest.Node) (keys []string, height int, err error) {
	for _, name := range append([]string{payer}, cosigners...) {
		if _, err := node.Call(ctx, "createwallet", name); err != nil {
			return nil, 0, fmt.Errorf("create the demo's wallets: %w", err)
		}
	}
	for _, name := range cosigners {
		key, err := publicKey(ctx, node, name)
		if err != nil {
			return nil, 0, fmt.Errorf("read a cosigner's key: %w", err)
		}
		keys = append(keys, key)
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

// publicKey returns the account key of a wallet, with its origin.
func publicKey(ctx context.Context, node *regtest.Node, name string) (string, error) {
	answer, err := node.CallWallet(ctx, name, "listdescriptors")
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
		if key, ok := strings.CutPrefix(d.Desc, "wpkh("); ok {
			key, _, _ = strings.Cut(key, "/0/*")
			return key, nil
		}
	}
	return "", errNoKey
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
