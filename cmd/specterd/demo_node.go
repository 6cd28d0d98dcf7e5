package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/specterd/specterd/internal/testenv/regtest"
)

// payer is the wallet of the demo's node that pays to others.
const payer = "somebody"

// cosigners are those who own the demo's vault, and sign for it with keys that
// specterd never sees. Their wallets are the node's; a hardware wallet each would
// be more like it.
var cosigners = []string{"ann", "ben", "cleo"}

// prepare makes wallets at the node: three whose keys become a vault, and one
// with coins to pay with. It returns the keys as specterd takes them, and the
// height of the chain.
func prepare(ctx context.Context, node *regtest.Node) (keys []string, height int, err error) {
	for _, name := range append([]string{payer}, cosigners...) {
		if _, err := node.Call(ctx, "createwallet", name); err != nil {
			return nil, 0, fmt.Errorf("make the demo's wallets: %w", err)
		}
	}
	for _, name := range cosigners {
		key, err := publicKey(ctx, node, name)
		if err != nil {
			return nil, 0, fmt.Errorf("read a key of the demo: %w", err)
		}
		keys = append(keys, key)
	}
	address, err := callForText(ctx, node, payer, "getnewaddress")
	if err == nil {
		_, err = node.Call(ctx, "generatetoaddress", 1, address)
	}
	if err == nil {
		_, err = node.Mine(ctx, demoBlocks-1) // the first coin can be spent then
	}
	if err != nil {
		return nil, 0, fmt.Errorf("mine the demo's coins: %w", err)
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

// pay pays demoPayment to an address, in two coins, so that one is left when a
// proposal reserves the other; and mines the block that has them.
func (s *scene) pay(ctx context.Context, address string) error {
	for _, part := range []string{"0.15", "0.10"} {
		if _, err := callForText(ctx, s.node, payer, "sendtoaddress", address, json.Number(part)); err != nil {
			return fmt.Errorf("pay to %s: %w", address, err)
		}
	}
	_, err := s.node.Mine(ctx, 1)
	return err
}
