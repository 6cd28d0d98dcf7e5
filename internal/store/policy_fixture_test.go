package store_test

import (
	"github.com/specterd/specterd/internal/wallet"
)

// populatePolicies inserts rows into the tables of policies.
func (b *fixture) populatePolicies(w wallet.Wallet, proposalID string) {
	b.t.Helper()
	b.exec("INSERT INTO policies (subject, document, user_name, set_at) VALUES ('server', '{\"version\":1}', 'alice', 5)")
	b.exec("INSERT INTO policy_lists (wallet_id, name, entries, user_name, set_at) VALUES ($1, 'suppliers', '{\"entries\":[]}', 'alice', 5)", w.ID)
	b.exec("INSERT INTO policy_changes (subject, change_id, wallet_id, document, approvals, maker_id, maker_name, token_id, requested_at, effective_at) "+
		"VALUES ($1, 'c', $2, '', '[]', 'u', 'alice', '', 5, 6)", "wallet:"+w.ID, w.ID)
	b.exec("INSERT INTO spends (proposal_id, subject, rule, at, amount_sat, counted_sat, counts) VALUES ($1, 'server', 'r', 5, 1000, 0, 0)", proposalID)
	b.exec("INSERT INTO proposal_approvals (proposal_id, position, at, user_id, user_name, token_id, decision, reason, hash) "+
		"VALUES ($1, 0, 5, 'u', 'alice', '', 'reject', 'why', 'h')", proposalID)
}
