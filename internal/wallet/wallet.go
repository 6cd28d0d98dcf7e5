// Package wallet implements wallets: their members, addresses, history, UTXOs,
// balances and labels, and the rules about who may do what with them. A [Store]
// stores them, and a [Node] connects to Bitcoin Core. It does not depend on SQL,
// HTTP or RPC.
//
// Reads are answered from the index, which package indexer keeps equal to the node,
// and never wait for the node.
//
// Invariant: a caller gets no information about a wallet, an address or a
// transaction unless they are a member of the wallet and their token includes it.
package wallet

import (
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// Errors of requests about wallets.
var (
	ErrNotFound   = fault.New(fault.NotFound, "wallet_not_found", "wallet not found among your wallets")
	ErrAliasTaken = fault.New(fault.Conflict, "alias_exists", "you already have a wallet with this alias; names that differ only in case, spaces and punctuation have the same alias")
	ErrExists     = fault.New(fault.Conflict, "wallet_exists", "you already have a wallet with these descriptors")
	ErrNotReady   = fault.New(fault.Conflict, "wallet_not_ready", "the wallet is still being created or already being removed; try again shortly")
	ErrLastOwner  = fault.New(fault.Conflict, "last_owner", "this is the wallet's last owner; make another member an owner first, or delete the wallet")
	// ErrForeignFiles is returned for Bitcoin Core wallets that were adopted.
	ErrForeignFiles  = fault.New(fault.Conflict, "wallet_files_foreign", "this wallet's files in Bitcoin Core were not created by specterd, so it does not delete them; delete the wallet and keep the files")
	ErrMemberMissing = fault.New(fault.NotFound, "member_not_found", "this user is not a member of the wallet")
	ErrMemberExists  = fault.New(fault.Conflict, "member_exists", "this user is already a member of the wallet")
	// ErrInvitationNotFound is also returned for invitations of other users.
	ErrInvitationNotFound = fault.New(fault.NotFound, "invitation_not_found", "invitation not found; it may have been accepted, declined or withdrawn, or have expired")
	ErrInvitationExists   = fault.New(fault.Conflict, "invitation_exists", "this user already has a pending invitation; delete it to create another one")
)

// Stage is the lifecycle stage of a wallet. Other conditions, such as a rescan or an
// index that is behind the node, are separate fields of Wallet.
type Stage string

// The stages. Members see only ready wallets.
const (
	Creating Stage = "creating" // the row exists; the Bitcoin Core wallet may not
	Ready    Stage = "ready"
	Removing Stage = "removing" // the Bitcoin Core wallet may still be loaded, and its files may remain
)

// Branch is the second-to-last step of a derivation path: BIP-44's change level.
type Branch uint8

// The branches.
const (
	ReceiveBranch Branch = 0
	ChangeBranch  Branch = 1
)

// Name returns receive or change.
func (b Branch) Name() string {
	if b == ChangeBranch {
		return "change"
	}
	return "receive"
}

// Tip is the block up to which data is known. Height is -1 before the first block is known.
type Tip struct {
	Height int
	Hash   string
}

// Balances are the balances of RPC getbalances, and Confirmed, the sum of trusted
// UTXOs with at least one confirmation.
type Balances struct {
	Trusted, UntrustedPending, Immature, Confirmed btc.Amount
	// Reserved and Frozen are the parts of Trusted that open proposals reserve and
	// that members have frozen. A UTXO that is both counts as frozen.
	Reserved, Frozen btc.Amount
}

// Available is the amount that payments can spend.
func (b Balances) Available() btc.Amount { return b.Trusted - b.Reserved - b.Frozen }

// Total is the sum of all unspent outputs, which is also the running balance of a ledger at
// its end.
func (b Balances) Total() btc.Amount { return b.Trusted + b.UntrustedPending + b.Immature }

// Wallet is the database row of a wallet.
type Wallet struct {
	ID    string
	Name  string
	Stage Stage
	// DeleteFiles is set, while Stage is Removing, if the files of the Bitcoin Core
	// wallet must be deleted as well.
	DeleteFiles        bool
	CoreName           string // name of the Bitcoin Core wallet; contains no user input unless it was Adopted
	Script             btc.Script
	SignaturesRequired int    // for each input
	Receive            string // descriptor with its checksum, and with h for hardened steps
	Change             string // in the same format
	Keys               []Key  // in the order of the descriptor
	Birthday           int    // the height before which the wallet has no transactions
	CreatedAt          time.Time

	RangeEnd                uint32 // addresses with lower indexes are stored, and watched by Core, on both branches
	ReceiveNext, ChangeNext uint32 // the first indexes that were neither revealed nor used

	RescanFrom     int     // the height from which a rescan is due; -1 if none is due
	RescanProgress float64 // 0 to 1, while a rescan is due
	RescanRange    uint32  // the RangeEnd that must be reached before the rescan starts; 0 for any
	RescanUser     string  // the id of the user who requested the current or the last rescan
	RescanProblem  string  // why the last rescan failed or is delayed; otherwise empty

	Synced      Tip    // the block up to which the index equals the node
	CoreTxCount int    // txcount of Core's getwalletinfo at that time; -1 before the first sync
	CoreInfo    string // JSON result of getwalletinfo at that time; empty before the first sync
	Balances    Balances
	MaxFeeRate  btc.FeeRate // of proposals; 0 for the server's limit
	FinalAfter  int         // number of confirmations from which on a transaction is final
	Problem     string      // why the index is not synced with the node; otherwise empty
}

// Rescanning reports whether the history may be incomplete because a rescan is due or
// running.
func (w *Wallet) Rescanning() bool { return w.RescanFrom >= 0 }

// StartRescan requests a rescan from a height on, which the indexer then runs.
func (w *Wallet) StartRescan(from int) {
	w.RescanFrom, w.RescanProgress, w.RescanProblem = from, 0, ""
}

// EndRescan marks the rescan as ended. Problem is the reason if the rescan failed, and
// empty otherwise.
func (w *Wallet) EndRescan(problem string) {
	w.RescanFrom, w.RescanProgress, w.RescanRange, w.RescanProblem = -1, 0, 0, problem
}

// Key is a key of a wallet and the device that signs with it.
type Key struct {
	btc.Key
	// Device is the alias of the device for its user; empty if the device was
	// deleted.
	Device string
	// DeviceName is the name of the device. In Registry.AddWallet, it is the name of a device that
	// is created for the key; empty for the fingerprint.
	DeviceName string
	// DeviceOwner is the id of the user whose device it is; empty if the device was deleted.
	DeviceOwner string
}

// View is a wallet with the alias and the role of one of its members.
type View struct {
	Wallet
	Alias string
	Role  auth.WalletRole
}

// Member is a user's membership of a wallet.
type Member struct {
	UserID    string
	UserName  string
	Role      auth.WalletRole
	Alias     string
	CreatedAt time.Time
}
