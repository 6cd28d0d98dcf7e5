package event

import (
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// TxState is the state of a transaction in the index.
type TxState struct {
	// Status is one of the statuses of package wallet.
	Status string `json:"status"`
	// Height and Hash identify the block of a confirmed transaction. A conflicted
	// transaction has the height of the block with the conflicting one.
	Height *int   `json:"height"`
	Hash   string `json:"hash,omitempty"`
}

// equal reports whether two states are the same.
func (s TxState) equal(other TxState) bool {
	sameHeight := (s.Height == nil) == (other.Height == nil) && (s.Height == nil || *s.Height == *other.Height)
	return sameHeight && s.Status == other.Status && s.Hash == other.Hash
}

// TransactionData is the payload of events of transactions. Before is nil for a new
// transaction.
type TransactionData struct {
	Txid     string     `json:"txid"`
	Category string     `json:"category"`
	Flow     btc.Amount `json:"flow_sat"`
	Before   *TxState   `json:"before"`
	After    TxState    `json:"after"`
}

// The statuses of a transaction in TxState that KindOf distinguishes.
const (
	confirmed  = "confirmed"
	inMempool  = "mempool"
	inactive   = "inactive"
	replaced   = "replaced"
	conflicted = "conflicted"
)

// KindOf returns the kind of the event for a change of a transaction; before is nil if the
// transaction is new. Changed is false if there is nothing to report.
func KindOf(before *TxState, after TxState) (kind Kind, changed bool) {
	switch {
	case before != nil && before.equal(after):
		return "", false
	case after.Status == confirmed:
		return TransactionConfirmed, true
	case after.Status == replaced:
		return TransactionReplaced, true
	case after.Status == conflicted:
		return TransactionConflicted, true
	case before == nil && (after.Status == inMempool || after.Status == inactive):
		return TransactionSeen, true
	case before != nil && before.Status == confirmed && (after.Status == inMempool || after.Status == inactive):
		return TransactionUnconfirmed, true
	case after.Status == inMempool:
		return TransactionSeen, true
	}
	return TransactionDropped, true // inactive or abandoned
}

// SpendData is the payload of SpendUnproposed.
type SpendData struct {
	Txid   string     `json:"txid"`
	Spent  btc.Amount `json:"spent_sat"` // of the wallet's UTXOs
	Inputs int        `json:"inputs"`    // number of these UTXOs
	Flow   btc.Amount `json:"flow_sat"`
}

// AddressData is the payload of events of addresses. Txid is the transaction that used it.
type AddressData struct {
	Address string `json:"address"`
	Branch  string `json:"branch"` // receive or change
	Index   uint32 `json:"index"`
	Txid    string `json:"txid,omitempty"`
}

// UTXOData is the payload of UTXOFrozen and UTXOUnfrozen.
type UTXOData struct {
	Txid string `json:"txid"`
	Vout uint32 `json:"vout"`
}

// ProposalState is the state of a proposal.
type ProposalState struct {
	Status string `json:"status"`
}

// ProposalData is the payload of events of proposals. Before is nil for a new proposal.
type ProposalData struct {
	ProposalID string         `json:"proposal_id"`
	Version    int            `json:"version"`
	Txid       string         `json:"txid"`
	FinalTxid  string         `json:"final_txid,omitempty"`
	ReplacedBy string         `json:"replaced_by,omitempty"`
	Amount     btc.Amount     `json:"amount_sat"` // that the recipients receive
	Fee        btc.Amount     `json:"fee_sat"`
	Before     *ProposalState `json:"before"`
	After      ProposalState  `json:"after"`
}

// PolicyData is the payload of events of policies.
type PolicyData struct {
	Layer    string `json:"layer"`               // server, wallet or member
	User     string `json:"user,omitempty"`      // name of the member
	List     string `json:"list,omitempty"`      // name of the list that changes, instead of the policy
	ChangeID string `json:"change_id,omitempty"` // of a requested change
	// Loosens reports whether the change permits more than before.
	Loosens     bool       `json:"loosens"`
	EffectiveAt *time.Time `json:"effective_at,omitempty"` // of a requested change, at the earliest
}

// WalletData is the payload of WalletCreated and WalletRemoved.
type WalletData struct {
	// WalletID is set in events of users; all events of wallets have it.
	WalletID string `json:"wallet_id,omitempty"`
	Name     string `json:"name"`
}

// RenameData is the payload of WalletRenamed.
type RenameData struct {
	Before WalletData `json:"before"`
	After  WalletData `json:"after"`
}

// SyncData is the payload of WalletSynced. Imported is the number of transactions without
// events of their own since the WalletSynced before it.
type SyncData struct {
	Height   int    `json:"height"`
	Hash     string `json:"hash"`
	Imported int64  `json:"imported"`
}

// RescanData is the payload of events of rescans.
type RescanData struct {
	FromHeight int    `json:"from_height"`
	Problem    string `json:"problem,omitempty"` // why it failed
}

// MemberState is the state of a membership.
type MemberState struct {
	Role string `json:"role"`
}

// MemberData is the payload of events of members. Before is nil for a new member, and
// After for a removed one.
type MemberData struct {
	// WalletID is set in events of users; all events of wallets have it.
	WalletID string       `json:"wallet_id,omitempty"`
	User     string       `json:"user"` // name
	Before   *MemberState `json:"before"`
	After    *MemberState `json:"after"`
}

// DeviceState is how the keys of a wallet name their device.
type DeviceState struct {
	Device string `json:"device"` // alias
	Name   string `json:"name"`
}

// DeviceData is the payload of DeviceRenamed.
type DeviceData struct {
	Before DeviceState `json:"before"`
	After  DeviceState `json:"after"`
}

// RevokedData is the payload of TokenRevoked: tokens that were deleted together.
type RevokedData struct {
	Tokens []TokenName `json:"tokens"`
}

// TokenName identifies a token.
type TokenName struct {
	TokenID     string `json:"token_id"`
	Description string `json:"description"`
}

// TokenData is the payload of TokenCreated and TokenRotated.
type TokenData struct {
	TokenID     string `json:"token_id"`
	Description string `json:"description"`
	RotatedFrom string `json:"rotated_from,omitempty"` // id of the predecessor
}

// ExpiringData is the payload of TokenExpiring.
type ExpiringData struct {
	TokenID     string    `json:"token_id"`
	Description string    `json:"description"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// WebhookData is the payload of WebhookDisabled and WebhookRecovered.
type WebhookData struct {
	WebhookID   string `json:"webhook_id"`
	Description string `json:"description"`
	Reason      string `json:"reason,omitempty"` // why it was disabled
}
