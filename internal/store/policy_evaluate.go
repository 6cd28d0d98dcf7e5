package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
)

// policies evaluates policies for a Store.
type policies struct {
	*policy.Evaluator
	parsed parsedPolicies
}

// parsedPolicies caches parsed documents by their text.
type parsedPolicies struct {
	mu   sync.Mutex
	docs map[string]policy.Policy
}

// maxParsed is the maximum number of documents in the cache. Beyond it, they are dropped.
const maxParsed = 256

// parse returns the policy with a canonical document.
func (c *parsedPolicies) parse(kind policy.Kind, document string) (policy.Policy, error) {
	key := string(kind) + " " + document
	c.mu.Lock()
	p, ok := c.docs[key]
	c.mu.Unlock()
	if ok {
		return p, nil
	}
	p, err := policy.ParseStored(kind, []byte(document))
	if err != nil {
		return p, fmt.Errorf("read the policy of a %s: %w", kind, errors.New(err.Error())) // not the caller's mistake
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.docs == nil || len(c.docs) >= maxParsed {
		c.docs = map[string]policy.Policy{}
	}
	c.docs[key] = p
	return p, nil
}

// rules implements proposal.Rules in a transaction.
type rules struct {
	ctx context.Context //nolint:containedctx // of the transaction
	s   *Store
	q   *db.Queries
	// isNew is set for a proposal that is not stored yet.
	isNew bool
}

// Layers implements proposal.Rules. The layers are in the order server, wallet, member, the
// token of the creator and its ancestors.
func (r rules) Layers(p *proposal.Proposal) ([]policy.Layer, error) {
	subjects := []string{proposal.ServerSubject, proposal.WalletSubject(p.WalletID), proposal.MemberSubject(p.WalletID, p.Creator.UserID)}
	rows, err := r.q.PoliciesOf(r.ctx, listOf(subjects))
	if err != nil {
		return nil, fmt.Errorf("select policies: %w", err)
	}
	var layers []policy.Layer
	for i, kind := range []policy.Kind{policy.Server, policy.Wallet, policy.Member} {
		at := slices.IndexFunc(rows, func(row db.PoliciesOfRow) bool { return row.Subject == subjects[i] })
		if at < 0 {
			continue
		}
		if layers, err = r.addLayer(layers, kind, subjects[i], rows[at].Document); err != nil {
			return nil, err
		}
	}
	tokens, err := r.tokenPolicies(p)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		if layers, err = r.addLayer(layers, policy.Token, t.Subject, t.Document); err != nil {
			return nil, err
		}
	}
	return layers, r.addLists(p.WalletID, layers)
}

func (r rules) addLayer(layers []policy.Layer, kind policy.Kind, subject, document string) ([]policy.Layer, error) {
	if slices.ContainsFunc(layers, func(l policy.Layer) bool { return l.Subject == subject }) {
		return layers, nil
	}
	p, err := r.s.policies.parsed.parse(kind, document)
	return append(layers, policy.Layer{Kind: kind, Subject: subject, Policy: p}), err
}

// tokenPolicies returns the policies of the creator's token and of its ancestors, nearest
// first. A stored proposal has the policies that applied when it was created.
func (r rules) tokenPolicies(p *proposal.Proposal) ([]proposal.TokenPolicy, error) {
	switch {
	case p.Review != nil:
		return p.Review.Tokens, nil
	case !r.isNew || p.Creator.TokenID == "": // the policy of a token never changes
		return nil, nil
	}
	rows, err := r.q.TokenPolicies(r.ctx, p.Creator.TokenID)
	if err != nil {
		return nil, fmt.Errorf("select the policies of a token: %w", err)
	}
	if len(rows) == 0 { // revoked after the request was authorized
		return nil, auth.ErrUnauthenticated
	}
	var tokens []proposal.TokenPolicy
	for _, row := range rows {
		if row.Policy != "" {
			tokens = append(tokens, proposal.TokenPolicy{Subject: proposal.TokenSubject(row.PolicyID), Document: row.Policy})
		}
	}
	return tokens, nil
}

// addLists fills in the lists of the wallet that the layers name.
func (r rules) addLists(walletID string, layers []policy.Layer) error {
	isNamed := func(l policy.Layer) bool { return l.Kind != policy.Server && len(l.Policy.ListNames()) > 0 }
	if !slices.ContainsFunc(layers, isNamed) {
		return nil
	}
	lists, err := policyLists(r.ctx, r.q, walletID)
	if err != nil {
		return err
	}
	for i := range layers {
		if isNamed(layers[i]) {
			layers[i].Lists = lists
		}
	}
	return nil
}

func policyLists(ctx context.Context, q *db.Queries, walletID string) (policy.Lists, error) {
	rows, err := q.PolicyListsOf(ctx, walletID)
	if err != nil {
		return nil, fmt.Errorf("select the lists of a wallet: %w", err)
	}
	lists := policy.Lists{}
	for _, row := range rows {
		entries, err := policy.ParseStoredList([]byte(row.Entries))
		if err != nil {
			return nil, fmt.Errorf("read a list of a wallet: %w", errors.New(err.Error()))
		}
		lists[row.Name] = entries
	}
	return lists, nil
}

// Approvers implements proposal.Rules.
func (r rules) Approvers(p *proposal.Proposal) ([]proposal.Approver, error) {
	return approversOf(r.ctx, r.q, p.WalletID)
}

func approversOf(ctx context.Context, q *db.Queries, walletID string) ([]proposal.Approver, error) {
	rows, err := q.ApproversOf(ctx, walletID)
	if err != nil {
		return nil, fmt.Errorf("list the members of a wallet: %w", err)
	}
	approvers := make([]proposal.Approver, len(rows))
	for i, row := range rows {
		approvers[i] = proposal.Approver{UserID: row.UserID, UserName: row.UserName, Role: auth.WalletRole(row.Role), Admin: row.IsAdmin}
	}
	return approvers, nil
}

// Evaluate implements proposal.Rules.
func (r rules) Evaluate(p *proposal.Proposal, layers []policy.Layer, m proposal.Moment) (policy.Decision, error) {
	pay, err := r.payment(p, layers, m)
	if err != nil {
		return policy.Decision{}, err
	}
	u := usage{rules: r}
	if err := u.exclude(p); err != nil {
		return policy.Decision{}, err
	}
	return r.s.policies.Evaluate(pay, layers, u)
}

// Recheck implements proposal.Rules.
func (r rules) Recheck(p *proposal.Proposal, layers []policy.Layer, m proposal.Moment) (policy.Decision, error) {
	pay, err := r.payment(p, layers, m)
	if err != nil {
		return policy.Decision{}, err
	}
	return r.s.policies.Recheck(pay, layers, p.Review.Charges)
}

// payment returns a proposal as policies see it. It looks up only what the layers ask for.
func (r rules) payment(p *proposal.Proposal, layers []policy.Layer, m proposal.Moment) (policy.Payment, error) {
	pay := policy.Payment{WalletID: p.WalletID, Network: m.Network, Fee: p.Fee, FeeRate: p.PaidRate(), At: m.Now, TrustedAt: m.Trusted}
	paid, err := r.walletsPaid(p, layers)
	if err != nil {
		return pay, err
	}
	for _, out := range p.Outputs {
		if out.Kind != proposal.Change {
			pay.Outputs = append(pay.Outputs, policy.Output{Address: out.Address, Amount: out.Amount, WalletIDs: paid[out.Address]})
		}
	}
	asks := func(does func(policy.Rule) bool) bool {
		return slices.ContainsFunc(layers, func(l policy.Layer) bool { return slices.ContainsFunc(l.Policy.Allow, does) })
	}
	if asks(func(rule policy.Rule) bool { return rule.Confirmations > 0 }) {
		if pay.Confirmations, err = r.confirmations(p); err != nil {
			return pay, err
		}
	}
	if asks(func(rule policy.Rule) bool { return rule.KeepAtLeast != nil }) {
		if pay.Remaining, err = r.remaining(p); err != nil {
			return pay, err
		}
	}
	return pay, nil
}

// walletsPaid returns which of the wallets that the layers name have the addresses of a
// proposal, by address.
func (r rules) walletsPaid(p *proposal.Proposal, layers []policy.Layer) (map[string][]string, error) {
	named := map[string]bool{}
	for _, l := range layers {
		for _, id := range l.Policy.WalletIDs() {
			named[id] = true
		}
		for _, entries := range l.Lists {
			for _, entry := range entries {
				if entry.WalletID != "" {
					named[entry.WalletID] = true
				}
			}
		}
	}
	if len(named) == 0 {
		return nil, nil
	}
	var addresses []string
	for _, out := range p.Outputs {
		if out.Kind != proposal.Change && out.Address != "" {
			addresses = append(addresses, out.Address)
		}
	}
	rows, err := r.q.WalletsPaid(r.ctx, db.WalletsPaidParams{Addresses: listOf(addresses), WalletIds: listOf(slices.Sorted(maps.Keys(named)))})
	if err != nil {
		return nil, fmt.Errorf("look up the wallets of addresses: %w", err)
	}
	paid := map[string][]string{}
	for _, row := range rows {
		paid[row.Address] = append(paid[row.Address], row.WalletID)
	}
	return paid, nil
}

// confirmations returns the lowest number of confirmations of the inputs; 0 for an input
// whose transaction is not in the index.
func (r rules) confirmations(p *proposal.Proposal) (int, error) {
	txids := map[string]bool{}
	for _, in := range p.Inputs {
		txids[in.Txid] = true
	}
	row, err := r.q.LeastConfirmations(r.ctx, db.LeastConfirmationsParams{WalletID: p.WalletID, Txids: listOf(slices.Sorted(maps.Keys(txids)))})
	if err != nil {
		return 0, fmt.Errorf("look up the confirmations of UTXOs: %w", err)
	}
	if row.Transactions < int64(len(txids)) {
		return 0, nil
	}
	return int(row.Confirmations), nil
}

// remaining returns the trusted balance of the wallet after all its open proposals and p. If
// p replaces a transaction in the mempool, it takes only what it spends beyond that.
func (r rules) remaining(p *proposal.Proposal) (btc.Amount, error) {
	sum, err := r.q.TrustedSum(r.ctx, p.WalletID)
	if err != nil {
		return 0, fmt.Errorf("sum the UTXOs of a wallet: %w", err)
	}
	others, err := r.q.CostOfOthers(r.ctx, db.CostOfOthersParams{WalletID: p.WalletID, ProposalID: p.ID})
	if err != nil {
		return 0, fmt.Errorf("sum the open proposals of a wallet: %w", err)
	}
	left := btc.Amount(sum) - btc.Amount(others)
	for _, in := range p.Inputs {
		left -= in.Amount
	}
	for _, out := range p.Outputs {
		if out.Kind != proposal.External {
			left += out.Amount
		}
	}
	replaced := []string{p.Replaces}
	for _, e := range p.Evicts {
		replaced = append(replaced, e.Txid)
	}
	for _, txid := range replaced {
		flows, err := r.q.MempoolFlow(r.ctx, db.MempoolFlowParams{WalletID: p.WalletID, Txid: txid})
		if err != nil {
			return 0, fmt.Errorf("look up a replaced transaction: %w", err)
		}
		for _, flow := range flows {
			left -= flow
		}
	}
	return left, nil
}

// eachReplaced calls do with the ids of the proposals that are replaced by a proposal with this
// ReplacesID, directly or through others.
func eachReplaced(ctx context.Context, q *db.Queries, id string, do func(id string) error) error {
	for range maxReplacements {
		if id == "" {
			return nil
		}
		if err := do(id); err != nil {
			return err
		}
		var err error
		if id, err = q.ReplacedID(ctx, id); err != nil {
			return ignoreNoRows(err, "look up the payment that a proposal replaces")
		}
	}
	return nil
}

// prepare derives the addresses of the descriptors that the policies of a proposal name, so
// that its transaction need not wait for that.
func (s *Store) prepare(ctx context.Context, p *proposal.Proposal, network btc.Network) error {
	var layers []policy.Layer
	err := s.inReadTx(ctx, func(q *db.Queries) (err error) {
		layers, err = rules{ctx, s, q, true}.Layers(p)
		return err
	})
	if err != nil || len(layers) == 0 {
		return err
	}
	return s.policies.Prepare(ctx, network, layers)
}
