package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/wallet"
)

const (
	alphaPSBTPath = alphaPath + "psbt/"
	// alphaPSBTHistory is the number of transactions of the wallet.
	alphaPSBTHistory = 100
)

// alphaOpen are the numbers of open proposals, and alphaPSBTGoals the maximum ratios of the
// duration of their list to the duration of a bearer request.
var (
	alphaOpen      = [2]int{0, 18}
	alphaPSBTGoals = [2]float64{2, 12}
)

// alphaPSBTs measures the list of the open proposals of a wallet, over one connection,
// beside the bearer request of the row bearer.
func (b *bench) alphaPSBTs(ctx context.Context, open int, most float64) (figure, error) {
	f := figure{name: nameAlphaPSBT, what: fmt.Sprintf("GET v1alpha psbt, %d open", open)}
	s, err := b.newHistory(ctx, fmt.Sprintf("v1alpha-psbt-%d", open), alphaPSBTHistory)
	if err != nil {
		return f, err
	}
	db, err := openStore(ctx, s.database())
	if err != nil {
		return f, err
	}
	if err := errors.Join(s.addOpen(ctx, db, open), db.Close()); err != nil {
		return f, fmt.Errorf("make up proposals: %w", err)
	}
	up, err := s.serve(ctx, b)
	if err != nil {
		return f, err
	}
	defer up.stop()
	if err := up.calm(ctx); err != nil {
		return f, err
	}
	sides := make([]side, 2)
	for i, path := range []string{bearerPath, alphaPSBTPath} {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", up.address)
		if err != nil {
			return f, err
		}
		defer func() { _ = conn.Close() }()
		c := &client{conn: conn, buffer: make([]byte, largestPage), requests: [][]byte{request(path, s.token)}}
		sides[i] = side{server: up, ask: c.ask}
	}
	if err := inTurns(sides, b.rounds, b.turn); err != nil {
		return f, err
	}
	bearer, list := sides[0], sides[1]
	f = compared(f, bearer, list, most)
	f.against = fmt.Sprintf("bearer request: %s; %s and %s of processor", duration(middle(bearer.took)), duration(list.processor()), duration(bearer.processor()))
	return f, nil
}

// addOpen adds made-up open proposals, each with two inputs, a recipient and change.
func (s *seeded) addOpen(ctx context.Context, db *store.Store, count int) error {
	for i := range count {
		p, err := s.open(i)
		if err != nil {
			return err
		}
		if _, err := db.AddProposal(ctx, p, proposal.Moment{Network: btc.Regtest, Now: clock(), Trusted: clock()}, nil, auth.Event{At: clock(), Action: "proposal.create"}); err != nil {
			return err
		}
	}
	return nil
}

// open returns a made-up proposal with a PSBT.
func (s *seeded) open(i int) (proposal.Proposal, error) {
	p := proposal.Proposal{
		ID: uuid.NewString(), WalletID: s.walletID, Status: proposal.Created, Version: 1,
		CreatedAt: clock(), StatusAt: clock(), ExpiresAt: clock().Add(time.Hour), Fee: 500, VSize: 209,
		Terms: proposal.Terms{FeeRate: 2000, Replaceable: true},
	}
	tx := wire.NewMsgTx(2)
	var inputs []psbt.Input
	var previous []*wire.MsgTx
	for n := range 2 {
		solution := solutionOf(2*i + n)
		before := wire.NewMsgTx(2)
		before.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: chainhash.HashH(fmt.Appendf(nil, "%d %d", i, n))}})
		before.AddTxOut(wire.NewTxOut(100_000, solution.Script))
		at := btc.Outpoint{Txid: before.TxID()}
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: before.TxHash()}, nil, nil))
		inputs = append(inputs, psbt.Input{Outpoint: at, Amount: 100_000, Kind: btc.WPKH, SignaturesRequired: 1, Solution: solution})
		previous = append(previous, before)
		p.Inputs = append(p.Inputs, proposal.Input{Outpoint: at, Address: btc.AddressOf(solution.Script, btc.Regtest), Amount: 100_000})
	}
	change := solutionOf(1_000_000 + i)
	own := wallet.Place{Branch: wallet.ChangeBranch, Index: uint32(i)} //nolint:gosec // few
	tx.AddTxOut(wire.NewTxOut(120_000, []byte{0, 20, 19: 0, 21: 0}))
	tx.AddTxOut(wire.NewTxOut(79_500, change.Script))
	p.Outputs = []proposal.Output{
		{Address: paidTo, Amount: 120_000, Asked: 120_000, Kind: proposal.External},
		{Address: btc.AddressOf(change.Script, btc.Regtest), Amount: 79_500, Kind: proposal.Change, Own: &own, Recipient: -1},
	}
	p.Steps = []proposal.Step{{At: p.CreatedAt, Action: "created", By: proposal.Actor{UserName: "alice"}}}
	packet, err := psbt.New(tx, inputs, previous, []*btc.Solution{nil, &change})
	if err != nil {
		return p, err
	}
	p.Txid, p.PSBT = tx.TxID(), packet.Bytes()
	return p, nil
}

// solutionOf returns a made-up solution of an output of a single-key segwit wallet.
func solutionOf(i int) btc.Solution {
	key := append([]byte{2}, chainhash.HashB(fmt.Appendf(nil, "key %d", i))...)
	return btc.Solution{
		Script: append([]byte{0, 20}, btcutil.Hash160(key)...),
		Keys:   []btc.ChildKey{{PubKey: key, Fingerprint: [4]byte{0xd3, 0x4d, 0xb3, 0x3f}, Path: []uint32{84 | 1<<31, 1 | 1<<31, 1 << 31, 0, uint32(i)}}}, //nolint:gosec // few
	}
}
