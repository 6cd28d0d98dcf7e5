// Package event implements the event log: what happened to wallets, proposals, tokens and
// the node, in the order in which it was committed. A [Store] writes an event in the transaction
// that causes it; a [Service] gives readers the events that they may see now. It does not
// depend on SQL or HTTP.
//
// Invariant: the events of a wallet, read from the first, lead to the states of its
// transactions and proposals in the index; see [Fold]. An event never changes after it was
// committed, and no event is inserted before an event that a reader has seen.
package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// Kind is the kind of an event: a group and a name.
type Kind string

// The kinds.
const (
	// TransactionSeen: a transaction is new, or is in the mempool again.
	TransactionSeen Kind = "transaction.seen"
	// TransactionConfirmed: a transaction is in a block, or in another block than before.
	TransactionConfirmed Kind = "transaction.confirmed"
	// TransactionFinal: a transaction has as many confirmations as the wallet requires.
	TransactionFinal Kind = "transaction.final"
	// TransactionUnconfirmed: a reorganization removed a transaction from the chain.
	TransactionUnconfirmed Kind = "transaction.unconfirmed"
	// TransactionReplaced: a transaction in the mempool spends the same UTXOs.
	TransactionReplaced Kind = "transaction.replaced"
	// TransactionConflicted: a transaction in a block spends the same UTXOs.
	TransactionConflicted Kind = "transaction.conflicted"
	// TransactionDropped: a transaction has left the mempool, or was abandoned.
	TransactionDropped Kind = "transaction.dropped"

	AddressRevealed Kind = "address.revealed"
	AddressUsed     Kind = "address.used" // by its first transaction

	UTXOFrozen   Kind = "utxo.frozen"
	UTXOUnfrozen Kind = "utxo.unfrozen"

	ProposalCreated Kind = "proposal.created"
	// ProposalSigned: signatures were added. If they complete the proposal,
	// ProposalComplete follows.
	ProposalSigned     Kind = "proposal.signed"
	ProposalComplete   Kind = "proposal.complete"
	ProposalBroadcast  Kind = "proposal.broadcast"
	ProposalConfirmed  Kind = "proposal.confirmed"
	ProposalCancelled  Kind = "proposal.cancelled"
	ProposalExpired    Kind = "proposal.expired"
	ProposalReplaced   Kind = "proposal.replaced"
	ProposalConflicted Kind = "proposal.conflicted"
	// ProposalApproved: a member has approved a proposal that awaits approval.
	ProposalApproved Kind = "proposal.approved"
	// ProposalRejected: an approver has ended the proposal.
	ProposalRejected Kind = "proposal.rejected"
	// ProposalReleased: a proposal has all approvals that policies require, and its delay has
	// ended.
	ProposalReleased Kind = "proposal.released"
	// ProposalHeld: policies have changed, and a proposal awaits approval again.
	ProposalHeld Kind = "proposal.held"
	// ProposalReopened: a proposal is open again, because its inputs exist again.
	ProposalReopened Kind = "proposal.reopened"

	WalletCreated Kind = "wallet.created"
	WalletRenamed Kind = "wallet.renamed"
	// WalletRemoved is an event of each user who was a member.
	WalletRemoved Kind = "wallet.removed"
	// WalletSynced: the history of the wallet is complete, including transactions that
	// were imported without events of their own.
	WalletSynced Kind = "wallet.synced"

	RescanStarted  Kind = "rescan.started"
	RescanFinished Kind = "rescan.finished"
	RescanFailed   Kind = "rescan.failed"
	RescanAborted  Kind = "rescan.aborted"

	MemberAdded   Kind = "member.added"
	MemberChanged Kind = "member.changed"
	// MemberRemoved is an event of the wallet, and of the user who was removed.
	MemberRemoved Kind = "member.removed"

	// DeviceRenamed is an event of each wallet with a key of the device.
	DeviceRenamed Kind = "device.renamed"

	TokenCreated  Kind = "token.created"
	TokenRotated  Kind = "token.rotated"
	TokenExpiring Kind = "token.expiring" //nolint:gosec // not a credential; see auth.ExpiringAt
	TokenRevoked  Kind = "token.revoked"

	// NodeUp, NodeBehind and NodeDown: the node has another state than before.
	NodeUp     Kind = "node.up"
	NodeBehind Kind = "node.behind"
	NodeDown   Kind = "node.down"
	// NodeReorg: blocks have left the node's chain.
	NodeReorg Kind = "node.reorg"

	// WebhookDisabled: a webhook of the user was disabled, by the user or for another reason.
	WebhookDisabled Kind = "webhook.disabled"
	// WebhookRecovered: a webhook was enabled again.
	WebhookRecovered Kind = "webhook.recovered"

	// PolicyChanged: a policy or one of its lists has changed.
	PolicyChanged Kind = "policy.changed"
	// PolicyChangeRequested: a change that loosens a policy awaits approvals or a delay.
	PolicyChangeRequested Kind = "policy.change_requested"
	// PolicyChangeApproved: an owner has approved a requested change.
	PolicyChangeApproved Kind = "policy.change_approved"
	// PolicyChangeCancelled: a requested change was cancelled or replaced.
	PolicyChangeCancelled Kind = "policy.change_cancelled"

	// SpendUnproposed: a transaction that is not a proposal of the wallet spends its UTXOs.
	SpendUnproposed Kind = "spend.unproposed"
)

var kinds = []Kind{
	TransactionSeen, TransactionConfirmed, TransactionFinal, TransactionUnconfirmed, TransactionReplaced, TransactionConflicted, TransactionDropped,
	AddressRevealed, AddressUsed, UTXOFrozen, UTXOUnfrozen,
	ProposalCreated, ProposalSigned, ProposalComplete, ProposalBroadcast, ProposalConfirmed, ProposalCancelled, ProposalExpired, ProposalReplaced, ProposalConflicted, ProposalReopened,
	ProposalApproved, ProposalRejected, ProposalReleased, ProposalHeld,
	WalletCreated, WalletRenamed, WalletRemoved, WalletSynced,
	RescanStarted, RescanFinished, RescanFailed, RescanAborted,
	MemberAdded, MemberChanged, MemberRemoved, DeviceRenamed, TokenCreated, TokenRotated, TokenExpiring, TokenRevoked,
	NodeUp, NodeBehind, NodeDown, NodeReorg, PolicyChanged, PolicyChangeRequested, PolicyChangeApproved, PolicyChangeCancelled, SpendUnproposed, WebhookDisabled, WebhookRecovered,
}

// Kinds returns all kinds.
func Kinds() []Kind { return slices.Clone(kinds) }

// Scope returns the scope that a reader must have, in addition to auth.EventsRead, to see
// events of this kind.
func (k Kind) Scope() auth.Scopes {
	group, _, _ := strings.Cut(string(k), ".")
	scope, ok := scopes[group]
	if !ok {
		return auth.AllScopes
	}
	return scope
}

// scopes are the scopes of the groups. A group that is missing needs all scopes.
var scopes = map[string]auth.Scopes{
	"transaction": auth.WalletsRead, "address": auth.WalletsRead, "utxo": auth.WalletsRead, "spend": auth.WalletsRead,
	"wallet": auth.WalletsRead, "rescan": auth.WalletsRead, "member": auth.WalletsRead, "device": auth.WalletsRead,
	"proposal": auth.ProposalsRead, "token": auth.TokensRead, "node": auth.NodeRead, "webhook": auth.WebhooksRead,
	"policy": auth.PoliciesRead,
}

// ForAdmins reports whether only admins may see events of this kind.
func (k Kind) ForAdmins() bool { return strings.HasPrefix(string(k), "node.") }

// ParseKinds parses a list of kinds, separated by commas. A group such as "transaction"
// stands for all of its kinds; an empty list, for which it returns nil, for all kinds.
func ParseKinds(field, list string) ([]Kind, error) {
	if list == "" {
		return nil, nil
	}
	var found []Kind
	for name := range strings.SplitSeq(list, ",") {
		n := len(found)
		for _, k := range kinds {
			if name == string(k) || name != "" && strings.HasPrefix(string(k), name+".") {
				found = append(found, k)
			}
		}
		if len(found) == n {
			return nil, fault.InvalidField(field, "contains an unknown kind; it must be a list of kinds or groups, such as transaction,proposal.signed")
		}
	}
	return found, nil
}

// Actor is who caused an event; empty if the chain, the clock or specterd itself did.
type Actor struct {
	UserID   string // empty for an operator
	UserName string // of a user, or the name of an operator's account, which is not shown
	TokenID  string // empty for a password
}

// ActorOf returns the actor of an event of the audit log.
func ActorOf(e auth.Event) Actor {
	switch {
	case e.Address == auth.CommandLine: // also on behalf of a user
		return Actor{UserName: e.UserName}
	case e.UserID == "":
		return Actor{}
	}
	return Actor{UserID: e.UserID, UserName: e.UserName, TokenID: e.TokenID}
}

// IsOperator reports whether a user of the command line caused the event.
func (a Actor) IsOperator() bool { return a.UserID == "" && a.UserName != "" }

// Event is an entry of the event log. It belongs to a wallet, whose members may see it, or
// to one user.
type Event struct {
	Seq      int64  // position among all events; it must not be shown
	WalletID string // empty for an event of a user
	N        int64  // number among the events of the wallet, from 1 without gaps
	UserID   string // empty for an event of a wallet
	Kind     Kind
	At       time.Time
	// Subject is the id of the object: a txid, address, outpoint, or the id of a proposal,
	// a wallet or a token; for members, the user's name.
	Subject string
	// Data is a JSON object with the details. It has the wallet's id and N.
	Data  json.RawMessage
	Actor Actor
}

// Encode returns the Data of an event of a wallet, or of a user if walletID is empty. The
// payload is one of the types that end in Data.
func Encode(walletID string, n int64, payload any) (json.RawMessage, error) {
	data, err := json.Marshal(payload)
	if err != nil || walletID == "" {
		return data, err
	}
	head := fmt.Appendf(nil, `{"wallet_id":%q,"n":%d`, walletID, n)
	if len(data) > len("{}") {
		head = append(head, ',')
	}
	return append(head, data[1:]...), nil
}
