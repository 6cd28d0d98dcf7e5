package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/wallet"
)

const (
	proposalGoal = 1.3                  // maximum ratio to the duration of Core's part in the large wallet
	smallGoal    = 5 * time.Millisecond // maximum in addition to Core's part in the small wallet
	createsATurn = 5
	proposals    = 1000 // number of proposals in the list
	listGoal     = 15 * time.Millisecond
)

// fundedUTXOs are the numbers of UTXOs of the paying wallet.
var fundedUTXOs = []int{20, 1000}

// measureProposals compares the creation of proposals with Core's part of it, and
// measures a list of many proposals.
func measureProposals(ctx context.Context, b *bench) error {
	var figures []figure
	if b.wants(nameProposal) {
		made, err := b.proposal(ctx)
		if err != nil {
			return err
		}
		figures = append(figures, made...)
	}
	if b.wants(nameProposals) {
		f, err := b.proposalPage(ctx)
		if err != nil {
			return err
		}
		figures = append(figures, f)
	}
	return printFigures(b.stdout, figures)
}

// proposal compares the creation of proposals with Core's part of it, in one wallet that gets more
// and more UTXOs.
func (b *bench) proposal(ctx context.Context) ([]figure, error) {
	w, stop, err := b.startIndexing(ctx, nameProposal, 1)
	if err != nil {
		return nil, err
	}
	defer stop()
	figures := make([]figure, len(fundedUTXOs))
	had := 0
	for i, count := range fundedUTXOs {
		if err := w.fill(ctx, count-had); err != nil {
			return nil, fmt.Errorf("fill the wallet: %w", err)
		}
		had = count
		if figures[i], err = b.proposalFrom(ctx, w, count); err != nil {
			return nil, err
		}
	}
	return figures, nil
}

// proposalFrom alternates between creating proposals in a wallet and making Core alone
// fund the same payment from the same wallet. Each proposal is cancelled afterwards,
// which is not measured.
func (b *bench) proposalFrom(ctx context.Context, w *indexingServer, utxos int) (figure, error) {
	f := figure{name: nameProposal, what: fmt.Sprintf("POST v1 proposals, from a wallet of %d UTXOs", utxos)}
	var names []string
	if err := w.chain.into(ctx, &names, "listwallets"); err != nil {
		return f, err
	}
	var alone, all side
	for round := range b.rounds + 1 {
		took, err := repeat(createsATurn, func() (time.Duration, error) { return w.fundAlone(ctx, names[0]) })
		if err != nil {
			return f, err
		}
		made, err := repeat(createsATurn, func() (time.Duration, error) { return w.propose(ctx) })
		if err != nil {
			return f, err
		}
		if round > 0 { // the first round is a warm-up and is not counted
			alone.took, all.took = append(alone.took, took), append(all.took, made)
		}
	}
	f = compared(f, alone, all, proposalGoal)
	if utxos == fundedUTXOs[0] { // Core's part is shorter than the other calls and the commit
		most := middle(alone.took) + smallGoal
		f.goal, f.good = "≤ "+duration(most), middle(all.took) <= most
	}
	f.processor, f.against = "", "walletcreatefundedpsbt: "+duration(middle(alone.took))
	return f, nil
}

// repeat calls do several times and returns the median of the durations.
func repeat(times int, do func() (time.Duration, error)) (time.Duration, error) {
	took := make([]time.Duration, times)
	for i := range took {
		var err error
		if took[i], err = do(); err != nil {
			return 0, err
		}
	}
	return middle(took), nil
}

// fill pays to addresses of the wallet, one UTXO each.
func (f *indexingServer) fill(ctx context.Context, utxos int) error {
	const perBlock = 250
	for paid := 0; paid < utxos; {
		var raws []string
		for range min(perBlock, utxos-paid) {
			raw, _, err := f.payment(0)
			if err != nil {
				return err
			}
			f.addresses++
			raws = append(raws, raw)
		}
		paid += len(raws)
		if err := f.chain.block(ctx, raws...); err != nil {
			return err
		}
	}
	var height int
	if err := f.chain.into(ctx, &height, "getblockcount"); err != nil {
		return err
	}
	_, err := f.get(ctx, fmt.Sprintf("/api/v1/wallets/%s?min_height=%d", aliasOf(0), height), "")
	return err
}

// The amount, the fee rate and the recipient of each proposal.
const (
	paidAmount = 150_000
	paidRate   = 10
)

var paidTo = btc.AddressOf(append([]byte{0, 20}, make([]byte, 20)...), btc.Regtest)

// fundAlone makes Core create and fund a PSBT like a proposal's, and returns the
// duration of the RPC call.
func (f *indexingServer) fundAlone(ctx context.Context, name string) (time.Duration, error) {
	outputs := []map[string]json.Number{{paidTo: json.Number(btc.Amount(paidAmount).String())}}
	var change struct {
		Items []struct{ Address string }
	}
	if err := f.getJSON(ctx, "/api/v1/wallets/"+aliasOf(0)+"/addresses?branch=change&limit=1", &change); err != nil {
		return 0, err
	}
	options := map[string]any{"add_inputs": true, "fee_rate": paidRate, "replaceable": true, "changeAddress": change.Items[0].Address}
	start := clock()
	_, err := f.chain.CallWallet(ctx, name, "walletcreatefundedpsbt", []any{}, outputs, 0, options)
	return clock().Sub(start), err
}

// propose creates a proposal and cancels it. It returns the duration of the
// creation.
func (f *indexingServer) propose(ctx context.Context) (time.Duration, error) {
	path := "/api/v1/wallets/" + aliasOf(0) + "/proposals"
	body := fmt.Sprintf(`{"recipients": [{"address": %q, "amount_sat": %d}], "fee_rate_sat_vb": %d}`, paidTo, paidAmount, paidRate)
	start := clock()
	answer, err := f.do(ctx, http.MethodPost, path, body, http.StatusCreated)
	took := clock().Sub(start)
	if err != nil {
		return 0, err
	}
	var made struct{ ID string }
	if err := json.Unmarshal(answer, &made); err != nil {
		return 0, err
	}
	_, err = f.do(ctx, http.MethodDelete, path+"/"+made.ID, "", http.StatusOK)
	return took, err
}

// do sends a request over the reader's connection, and checks the status of the
// response.
func (r *reader) do(ctx context.Context, method, path, body string, status int) (answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+r.address+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := r.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if answer, err = io.ReadAll(response.Body); err == nil && response.StatusCode != status {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return answer, err
}

// proposalPage measures the list of proposals of a wallet that has many open ones.
func (b *bench) proposalPage(ctx context.Context) (figure, error) {
	f := figure{name: nameProposals, what: fmt.Sprintf("its latest 100 proposals, of %d", proposals)}
	s, err := b.history(ctx, 1000)
	if err != nil {
		return f, err
	}
	db, err := openStore(ctx, s.database())
	if err != nil {
		return f, err
	}
	if err := errors.Join(s.addProposals(ctx, db), db.Close()); err != nil {
		return f, fmt.Errorf("make up proposals: %w", err)
	}
	up, err := s.serve(ctx, b)
	if err != nil {
		return f, err
	}
	defer up.stop()
	r := newReader(up, s)
	page := []side{{server: up, ask: func() error {
		_, err := r.get(ctx, "/api/v1/wallets/"+walletAlias+"/proposals?limit=100", "")
		return err
	}}}
	if err := inTurns(page, b.rounds, b.turn); err != nil {
		return f, err
	}
	return medianWithin(f, page[0].took, listGoal), nil
}

// addProposals adds made-up proposals with two inputs, a recipient and change.
func (s *seeded) addProposals(ctx context.Context, db *store.Store) error {
	for i := range proposals {
		p := proposal.Proposal{
			ID: uuid.NewString(), WalletID: s.walletID, Txid: madeUp("proposal", i), Status: proposal.Created, Version: 1,
			CreatedAt: clock(), StatusAt: clock(), ExpiresAt: clock().Add(time.Hour), Fee: 500, VSize: 209, PSBT: make([]byte, 1200),
			Terms: proposal.Terms{FeeRate: 2000, Replaceable: true},
		}
		for range 2 {
			p.Inputs = append(p.Inputs, proposal.Input{
				Outpoint: btc.Outpoint{Txid: madeUp("UTXO", rand.Int()), Vout: 1}, Address: paidTo, Amount: 100_000, //nolint:gosec // made up
			})
		}
		change := wallet.Place{Branch: wallet.ChangeBranch, Index: uint32(i)}
		p.Outputs = []proposal.Output{
			{Address: paidTo, Amount: 120_000, Asked: 120_000, Kind: proposal.External},
			{Address: addressAt(&change), Amount: 79_500, Kind: proposal.Change, Own: &change, Recipient: -1},
		}
		p.Steps = []proposal.Step{{At: p.CreatedAt, Action: "created", By: proposal.Actor{UserName: "alice"}}}
		if _, err := db.AddProposal(ctx, p, proposal.Moment{Network: btc.Regtest, Now: clock(), Trusted: clock()}, nil, auth.Event{At: clock(), Action: "proposal.create"}); err != nil {
			return err
		}
	}
	return nil
}
