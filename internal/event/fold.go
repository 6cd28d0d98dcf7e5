package event

import (
	"encoding/json"
	"fmt"
	"strings"
)

// State is the state of a wallet according to its events.
type State struct {
	// N is the number of the last event.
	N int64
	// Transactions are the states of the transactions that had events, by txid, and Final
	// those whose block is final.
	Transactions map[string]TxState
	Final        map[string]bool
	// Proposals are the statuses of proposals, by id.
	Proposals map[string]string
	// Imported is the number of transactions that have no event that introduced them:
	// they were imported, and the read API has them.
	Imported int64
	// Synced reports whether the history was complete at some point.
	Synced bool
	// Announced are the transactions that had an event when they were new.
	Announced map[string]bool
}

// Fold returns the state that results from the events of a wallet, in their order from the
// first. It returns an error if one is missing, repeated or contradicts an earlier one.
func Fold(events []Event) (State, error) {
	s := NewState()
	for _, e := range events {
		if err := s.Apply(e); err != nil {
			return s, err
		}
	}
	return s, nil
}

// NewState returns the state before the first event.
func NewState() State {
	return State{
		Transactions: map[string]TxState{}, Final: map[string]bool{}, Proposals: map[string]string{}, Announced: map[string]bool{},
	}
}

// Apply changes the state by the next event.
func (s *State) Apply(e Event) error {
	if err := s.apply(e); err != nil {
		return fmt.Errorf("event %d, %s: %w", e.N, e.Kind, err)
	}
	return nil
}

func (s *State) apply(e Event) error {
	if e.N != s.N+1 {
		return fmt.Errorf("follows event %d", s.N)
	}
	s.N = e.N
	switch group, _, _ := strings.Cut(string(e.Kind), "."); {
	case e.Kind == WalletSynced:
		var d SyncData
		err := json.Unmarshal(e.Data, &d)
		s.Imported += d.Imported
		s.Synced = true
		return err
	case group == "transaction":
		var d TransactionData
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		return s.applyTransaction(e.Kind, d)
	case group == "proposal":
		var d ProposalData
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		return s.applyProposal(d)
	}
	return nil
}

func (s *State) applyTransaction(kind Kind, d TransactionData) error {
	was, known := s.Transactions[d.Txid]
	switch {
	case known && (d.Before == nil || !d.Before.equal(was)):
		return fmt.Errorf("transaction %s was %+v", d.Txid, was)
	case !known && d.Before == nil:
		s.Announced[d.Txid] = true
	}
	s.Transactions[d.Txid] = d.After
	if kind == TransactionFinal {
		if s.Final[d.Txid] {
			return fmt.Errorf("transaction %s was final already", d.Txid)
		}
		s.Final[d.Txid] = true
	} else {
		delete(s.Final, d.Txid)
	}
	return nil
}

func (s *State) applyProposal(d ProposalData) error {
	was, known := s.Proposals[d.ProposalID]
	if known && (d.Before == nil || d.Before.Status != was) { // a proposal from before the log has no first event
		return fmt.Errorf("proposal %s was %q", d.ProposalID, was)
	}
	s.Proposals[d.ProposalID] = d.After.Status
	return nil
}
