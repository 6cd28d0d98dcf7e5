package httpapi_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// nodeWallet is a funded wallet of the node that pays the wallets under test.
type nodeWallet struct{ node *testkit.Node }

const nodeWalletName = "purse"

// newNodeWallet creates the wallet and mines blocks until its coinbase outputs are mature.
func newNodeWallet(t *testing.T, n *testkit.Node) *nodeWallet {
	t.Helper()
	n.CLI(t, "createwallet", nodeWalletName)
	var address string
	testkit.Check(t, json.Unmarshal(n.WalletCLI(t, nodeWalletName, "getnewaddress"), &address))
	n.CLI(t, "generatetoaddress", 20, address)
	n.Mine(t, 100)
	return &nodeWallet{n}
}

// pay pays each amount to another receive address of a wallet in one confirmed transaction. It
// writes the transaction into the index in place of the indexer, and returns the txid.
func (p *nodeWallet) pay(t *testing.T, s *server, walletID string, amounts ...btc.Amount) string {
	t.Helper()
	mining.Lock()
	defer mining.Unlock()
	branch := wallet.ReceiveBranch
	const skip = 20 // addresses that other fixtures use
	addresses, err := s.store.AddressesOf(t.Context(), walletID, wallet.AddressFilter{Branch: &branch}, nil, skip+len(amounts))
	testkit.Check(t, err)
	outputs := map[string]json.Number{}
	at := map[string]wallet.Address{}
	for i, amount := range amounts {
		a := addresses[skip+i]
		outputs[a.Address], at[a.Address] = json.Number(amount.String()), a
	}
	var txid string
	testkit.Check(t, json.Unmarshal(p.node.WalletCLI(t, nodeWalletName, "send", outputs), &struct{ Txid *string }{&txid}))
	p.node.Mine(t, 1)
	var sent struct{ Hex string }
	testkit.Check(t, json.Unmarshal(p.node.WalletCLI(t, nodeWalletName, "gettransaction", txid), &sent))
	raw := testkit.Must(hex.DecodeString(sent.Hex))
	now := s.clock.now()
	entry := wallet.Transaction{
		Txid: txid, Time: now, ReceivedAt: now, Category: wallet.Receive, VSize: 141, Raw: raw,
		State: wallet.State{Status: wallet.Confirmed, Replaceable: "no", Trusted: true, Block: &wallet.Block{Height: tipHeight, Hash: tipHash, Time: now}},
	}
	for vout, out := range testkit.Must(btc.ParseTx(raw)).Outputs {
		address := btc.AddressOf(out.Script, btc.Regtest)
		if a, ok := at[address]; ok {
			entry.Address, entry.Own = address, &a.Place
			entry.Flow += out.Amount
			entry.Outputs = append(entry.Outputs, wallet.Output{Vout: uint32(vout), Address: address, Amount: out.Amount, Own: &a.Place})
		}
	}
	testkit.Check(t, s.store.WriteIndex(t.Context(), []wallet.Change{{WalletID: walletID, Added: []wallet.Transaction{entry}}}))
	return txid
}

// sign returns the signed transaction of a proposal of a vault.
func (v *vault) sign(t *testing.T, p proposal.Proposal) []byte {
	t.Helper()
	_, text, _ := strings.Cut(v.private, "]")
	account := testkit.Must(hdkeychain.NewKeyFromString(text))
	tx := testkit.Must(psbt.Parse(p.PSBT)).Tx()
	outputs := txscript.NewMultiPrevOutFetcher(nil)
	scripts := make([][]byte, len(p.Inputs))
	for i, in := range p.Inputs {
		scripts[i] = testkit.Must(btc.ScriptOf(in.Address, btc.Regtest))
		outputs.AddPrevOut(tx.TxIn[i].PreviousOutPoint, wire.NewTxOut(int64(in.Amount), scripts[i]))
	}
	hashes := txscript.NewTxSigHashes(tx, outputs)
	for i, in := range p.Inputs {
		key := testkit.Must(testkit.Must(account.Derive(uint32(in.Branch))).Derive(in.Index))
		witness, err := txscript.WitnessSignature(tx, hashes, i, int64(in.Amount), scripts[i], txscript.SigHashAll, testkit.Must(key.ECPrivKey()), true)
		testkit.Check(t, err)
		tx.TxIn[i].Witness = witness
	}
	var raw bytes.Buffer
	testkit.Check(t, tx.Serialize(&raw))
	return raw.Bytes()
}

// proposal adds a proposal to the database without the node. It spends a fictitious UTXO of
// the vault, whose output index is number, and pays 1000 satoshis.
func (s *server) proposal(t *testing.T, owner testUser, v *vault, number int) proposal.Proposal {
	t.Helper()
	utxo := btc.Outpoint{Txid: hash(v.id, "UTXO"), Vout: uint32(number)}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(testkit.Must(chainhash.NewHashFromStr(utxo.Txid)), utxo.Vout), nil, nil))
	tx.AddTxOut(wire.NewTxOut(1000, testkit.Must(btc.ScriptOf(v.foreign, btc.Regtest))))
	var unsigned bytes.Buffer
	testkit.Check(t, tx.Serialize(&unsigned))
	packet := append([]byte("psbt\xff\x01\x00"), byte(unsigned.Len()))
	packet = append(append(packet, unsigned.Bytes()...), 0, 0, 0)
	now := s.clock.now()
	who := owner.principal()
	p := proposal.Proposal{
		ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", uniqueNumber.Add(1)), WalletID: v.id, Txid: tx.TxHash().String(),
		Status: proposal.Created, StatusAt: now, Version: 1, Creator: proposal.Actor{UserID: who.UserID, UserName: who.UserName},
		CreatedAt: now, ExpiresAt: now.AddDate(0, 0, 30), Terms: proposal.Terms{FeeRate: 2000, Replaceable: true},
		PSBT: packet, Fee: 220, VSize: 110,
		Inputs:  []proposal.Input{{Outpoint: utxo, Place: wallet.Place{Index: 3}, Address: v.receive[3], Amount: 1220}},
		Outputs: []proposal.Output{{Address: v.foreign, Amount: 1000, Asked: 1000, Kind: proposal.External}},
	}
	p.Steps = []proposal.Step{{At: now, Action: string(proposal.Created), By: p.Creator}}
	_, err := s.store.AddProposal(t.Context(), p, proposal.Moment{Network: btc.Regtest, Now: p.CreatedAt, Trusted: p.CreatedAt}, nil, auth.Event{Action: "proposal.create"})
	testkit.Check(t, err)
	return p
}

// anyPSBT is a valid PSBT that belongs to no proposal.
const anyPSBT = "cHNidP8BAFICAAAAARERERERERERERERERERERERERERERERERERERERERERAAAAAAD/////AegDAAAAAAAAFgAUIiIiIiIiIiIiIiIiIiIiIiIiIiIAAAAAAAAA"
