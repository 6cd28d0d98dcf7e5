package wallet

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// ErrLedgerChanged is yielded at the end of a ledger whose balances no longer
// match the index, because the index changed while the ledger was written.
var ErrLedgerChanged = fault.New(fault.Unavailable, "ledger_changed", "the history changed while the ledger was written; request it again")

// EntryKind is the kind of a ledger entry.
type EntryKind string

// The kinds.
const (
	EntryOpening  EntryKind = "opening"  // the balance at the start of the period
	EntryReceive  EntryKind = "receive"  // a payment from others to an own output
	EntryGenerate EntryKind = "generate" // an own output of a coinbase transaction
	EntrySend     EntryKind = "send"     // a payment to an external recipient
	EntryTransfer EntryKind = "transfer" // an output paid to or received from another wallet of the caller
	EntrySelf     EntryKind = "self"     // a payment of the wallet to its own receive address; the amount is 0
	EntryFee      EntryKind = "fee"      // the fee of a transaction that has only change outputs
	EntryMixed    EntryKind = "mixed"    // the net amount of a transaction that also has inputs of others
	EntryInactive EntryKind = "inactive" // the inputs of a transaction that has left the mempool
)

// Entry is a row of a ledger. It changes the balance of its wallet by Amount less
// Fee.
type Entry struct {
	Kind     EntryKind
	WalletID string
	Alias    string // the caller's alias for the wallet
	Time     time.Time
	Amount   btc.Amount  // without the fee; negative for outgoing amounts
	Fee      *btc.Amount // on the first entry of a transaction that the wallet pays for; nil on others
	Balance  btc.Amount  // of the wallet, after this entry
	Address  string      // recipient
	Label    string      // of the output, or else of its address
	// Counterparty is the alias of the other wallet of a transfer.
	Counterparty string
	Txid         string // empty for an opening entry
	TxLabel      string
	Vout         *uint32 // nil if the entry does not represent one output
	Status       Status
	Block        *Block
	Proposal     *ProposalRef // that created the transaction; nil for other transactions
}

// ProposalRef names a proposal and the user who created it.
type ProposalRef struct{ ID, UserName string }

// LedgerParams selects the entries of a ledger. A zero time means no limit; Until
// is exclusive.
type LedgerParams struct {
	Since, Until time.Time
	Descending   bool
}

// LedgerLinks connects transactions with other wallets and with proposals.
type LedgerLinks struct {
	Owners    map[btc.Outpoint][]string        // wallet ids by output, of transactions with a fee
	Senders   map[string][]string              // ids of wallets that own all inputs, by txid, of other transactions
	Proposals map[TxRef]ProposalRef            // by wallet and transaction
	Held      map[string]map[string]btc.Amount // inputs of inactive transactions, by wallet and txid
}

// TxRef identifies a transaction in a wallet.
type TxRef struct{ WalletID, Txid string }

// Ledgers reads the data of a ledger that is not part of the history.
type Ledgers interface {
	// BalanceUntil returns the sum of a wallet's entries before a time. For the zero
	// time it returns the sum of all entries, which equals the sum of the wallet's
	// unspent outputs.
	BalanceUntil(ctx context.Context, walletID string, until time.Time) (btc.Amount, error)
	// BalanceAfter returns the balance after the transaction at a place of a wallet's history.
	BalanceAfter(ctx context.Context, walletID string, at HistoryCursor) (btc.Amount, error)
	// FlowsByStep returns the sums of the entries of wallets in a number of steps since a time,
	// by the wallet's id. The last step has no end.
	FlowsByStep(ctx context.Context, walletIDs []string, since time.Time, step time.Duration, steps int) (map[string][]btc.Amount, error)
	// UnproposedSpends returns up to limit transactions of wallets since a time that are not
	// proposals, the newest first.
	UnproposedSpends(ctx context.Context, walletIDs []string, since time.Time, limit int) ([]UnproposedSpend, error)
	// LedgerLinks returns the links of transactions; those to other wallets only with
	// transfers. Owners and Senders may include wallets that the caller must not see.
	LedgerLinks(ctx context.Context, part []Record, transfers bool) (LedgerLinks, error)
}

// maxLedgerRecords and maxLedgerOutputs limit the records, and their outputs, that a
// ledger processes at once. The merged histories hold further records in memory; see
// walletHistory.
const (
	maxLedgerRecords = 500
	maxLedgerOutputs = 5000
)

// Ledger returns the block up to which the entries of a set of wallets are known, and an
// iterator over the entries in the order of the transactions' times. The running balance
// is the sum of the trusted, untrusted pending and immature balances of the wallet:
// transactions in blocks and in the mempool. With Since, each wallet has an opening entry.
// An error, such as ErrLedgerChanged, is yielded once, at the end.
func (s *Service) Ledger(ctx context.Context, set Set, p LedgerParams) (Tip, iter.Seq2[Entry, error], error) {
	views, err := s.openSet(ctx, set)
	if err != nil {
		return Tip{}, nil, err
	}
	all := views
	if set.all == nil { // transfers name the caller's other wallets
		if all, err = s.list(ctx, set.one.Caller(), "", 0); err != nil {
			return Tip{}, nil, err
		}
	}
	aliases := make(map[string]string, len(all))
	for _, v := range all {
		aliases[v.ID] = v.Alias
	}
	return furthestBehind(views).Synced, func(yield func(Entry, error) bool) {
		l := &ledger{Service: s, LedgerParams: p, views: views, aliases: aliases, accounts: map[string]*account{}, yield: yield}
		if err := l.write(ctx); err != nil {
			yield(Entry{}, err)
		}
	}, nil
}

// ledger is the state of a Ledger call.
type ledger struct {
	*Service
	LedgerParams
	views    []View
	aliases  map[string]string // of all wallets of the caller, by id
	accounts map[string]*account
	yield    func(Entry, error) bool
	stopped  bool // yield returned false
}

// account is the running balance of a wallet and the time of its latest entry.
type account struct {
	balance btc.Amount
	latest  time.Time
}

func (l *ledger) write(ctx context.Context) error {
	if err := l.writeOpening(ctx, !l.Descending); err != nil || l.stopped {
		return err
	}
	filter := Filter{Since: l.Since, Until: l.Until, Outputs: true, Ascending: !l.Descending}
	var part []Record
	outputs := 0
	for r, err := range merge(ctx, l.openHistories(l.views, filter, HistoryCursor{}, maxParts), filter.Ascending) {
		if err != nil {
			return err
		}
		part = append(part, r)
		outputs += len(r.Outputs)
		if len(part) < maxLedgerRecords && outputs < maxLedgerOutputs {
			continue
		}
		if err := l.writePart(ctx, part); err != nil || l.stopped {
			return err
		}
		part, outputs = part[:0], 0
	}
	if err := l.writePart(ctx, part); err != nil || l.stopped {
		return err
	}
	if err := l.check(ctx); err != nil {
		return err
	}
	return l.writeOpening(ctx, l.Descending)
}

// writeOpening writes the opening entry of each wallet if now is true and Since is
// set.
func (l *ledger) writeOpening(ctx context.Context, now bool) error {
	if l.Since.IsZero() || !now {
		return nil
	}
	for _, v := range l.views {
		balance, err := l.store.BalanceUntil(ctx, v.ID, l.Since)
		if err != nil {
			return err
		}
		l.accounts[v.ID] = &account{balance: balance, latest: l.Since.Add(-time.Microsecond)}
		if !l.put(Entry{Kind: EntryOpening, WalletID: v.ID, Alias: v.Alias, Time: l.Since, Amount: balance, Balance: balance}) {
			return nil
		}
	}
	return nil
}

func (l *ledger) put(e Entry) bool {
	l.stopped = !l.yield(e, nil)
	return !l.stopped
}

// writePart writes the entries of some transactions.
func (l *ledger) writePart(ctx context.Context, part []Record) error {
	if len(part) == 0 {
		return nil
	}
	links, err := l.store.LedgerLinks(ctx, part, len(l.aliases) > 1)
	if err != nil {
		return err
	}
	for _, r := range part {
		at, err := l.account(ctx, &r)
		if err != nil {
			return err
		}
		entries := l.entriesOf(&r, links)
		if l.Descending {
			slices.Reverse(entries)
		}
		for _, e := range entries {
			change := e.Amount
			if e.Fee != nil {
				change -= *e.Fee
			}
			if e.Balance = at.balance + change; l.Descending {
				e.Balance, change = at.balance, -change
			}
			at.balance += change
			if !l.put(e) {
				return nil
			}
		}
	}
	return nil
}

// account returns the account of a record's wallet. In a descending ledger the
// balance starts with the wallet's balance at the time of its latest entry, so that
// later transactions do not affect it.
func (l *ledger) account(ctx context.Context, r *Record) (*account, error) {
	at := l.accounts[r.WalletID]
	if at == nil {
		at = &account{latest: r.Time}
		l.accounts[r.WalletID] = at
		if l.Descending {
			var err error
			if at.balance, err = l.store.BalanceUntil(ctx, r.WalletID, r.Time.Add(time.Microsecond)); err != nil {
				return nil, err
			}
		}
	}
	if r.Time.After(at.latest) {
		at.latest = r.Time
	}
	return at, nil
}

// check compares the balances at the end with the index, and returns ErrLedgerChanged
// if they differ: transactions may have changed after they were read.
func (l *ledger) check(ctx context.Context) error {
	for id, at := range l.accounts {
		var want btc.Amount
		var err error
		switch {
		case !l.Descending:
			want, err = l.store.BalanceUntil(ctx, id, at.latest.Add(time.Microsecond))
		case !l.Since.IsZero():
			want, err = l.store.BalanceUntil(ctx, id, l.Since)
		}
		if err != nil {
			return err
		}
		if at.balance != want {
			return ErrLedgerChanged
		}
	}
	return nil
}

// entriesOf returns the entries of a transaction, without their balances.
func (l *ledger) entriesOf(r *Record, links LedgerLinks) []Entry {
	whole := Entry{
		WalletID: r.WalletID, Alias: r.Alias, Time: r.Time, Address: r.Address, Label: r.AddressLabel,
		Txid: r.Txid, TxLabel: r.Label, Status: r.Status, Block: r.Block,
	}
	if p, ok := links.Proposals[TxRef{r.WalletID, r.Txid}]; ok {
		whole.Proposal = &p
	}
	switch {
	case !r.Counts():
		held := links.Held[r.WalletID][r.Txid]
		if held == 0 {
			return nil
		}
		whole.Kind, whole.Amount = EntryInactive, -held
		return []Entry{whole}
	case r.Fee == nil && r.Category == Mixed:
		whole.Kind, whole.Amount = EntryMixed, r.Flow
		return []Entry{whole}
	}
	var entries []Entry
	for _, o := range r.Outputs {
		e := whole
		e.Address, e.Label, e.Vout = o.Address, o.Label, &o.Vout
		if e.Kind, e.Counterparty = l.kindOf(r, &o, links); e.Kind == "" {
			continue
		}
		switch {
		case r.Fee == nil:
			e.Amount = o.Amount
		case o.Own == nil:
			e.Amount = -o.Amount
		}
		entries = append(entries, e)
	}
	if r.Fee != nil {
		if len(entries) == 0 {
			whole.Kind = EntryFee
			entries = []Entry{whole}
		}
		entries[0].Fee = r.Fee
	}
	return entries
}

// kindOf returns the kind of an output's entry, and the other wallet of a transfer.
// The kind is empty for change, which has no entry. A transaction with a fee is
// paid for by the wallet alone; of other transactions only the wallet's own outputs
// are known.
func (l *ledger) kindOf(r *Record, o *Output, links LedgerLinks) (EntryKind, string) {
	others := links.Senders[r.Txid]
	kind := EntryReceive
	switch {
	case r.Category == Generate:
		return EntryGenerate, ""
	case r.Fee != nil && o.Own != nil && o.Own.Branch == ChangeBranch:
		return "", ""
	case r.Fee != nil && o.Own != nil:
		return EntrySelf, ""
	case r.Fee != nil:
		kind = EntrySend
		others = links.Owners[btc.Outpoint{Txid: r.Txid, Vout: o.Vout}]
	}
	for _, id := range others {
		if alias, ok := l.aliases[id]; ok && id != r.WalletID {
			return EntryTransfer, alias
		}
	}
	return kind, ""
}

// Counts reports whether the outputs of the transaction count as unspent, and its
// inputs as spent. A coinbase transaction counts only if it is confirmed.
func (r *Record) Counts() bool {
	return r.Status == Confirmed || r.Status == InMempool && r.Category != Generate
}
