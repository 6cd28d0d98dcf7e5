// Package wallet owns the wallets: who is a member, which addresses were handed
// out, what their history, coins and balances are, how things are labelled. It
// decides; a [Store] keeps, and a [Node] is what it needs of Bitcoin Core. It
// knows no SQL, no HTTP and no RPC.
//
// Reads answer from the index, which the package follower keeps equal to the
// node, and never wait for the node.
//
// The invariant: nobody learns of a wallet, an address or a transaction unless
// they are a member of the wallet and their token lets them at it.
package wallet

import (
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// What can be wrong with a request about a wallet.
var (
	ErrNotFound   = fault.New(fault.NotFound, "wallet_not_found", "there is no such wallet among yours")
	ErrAliasTaken = fault.New(fault.Conflict, "alias_taken", "you have a wallet of this alias already; names that differ only in case, spaces and punctuation have the same alias")
	ErrExists     = fault.New(fault.Conflict, "wallet_exists", "you have a wallet of these descriptors already")
	ErrNotReady   = fault.New(fault.Conflict, "wallet_not_ready", "the wallet is still being made or already being removed; try again shortly")
	ErrLastOwner  = fault.New(fault.Conflict, "last_owner", "this is the wallet's last owner; make another member an owner first, or delete the wallet")
	// ErrForeignFiles is for wallets that were Core's before they were ours.
	ErrForeignFiles  = fault.New(fault.Conflict, "wallet_files_foreign", "specterd did not make this wallet's files in Bitcoin Core, so it does not delete them; delete the wallet and keep the files")
	ErrMemberMissing = fault.New(fault.NotFound, "member_not_found", "this user is not a member of the wallet")
	ErrMemberExists  = fault.New(fault.Conflict, "member_exists", "this user is already a member of the wallet")
	// ErrInvitationNotFound is also returned for invitations of others.
	ErrInvitationNotFound = fault.New(fault.NotFound, "invitation_not_found", "invitation not found; it may have expired or been withdrawn")
	ErrInvitationExists   = fault.New(fault.Conflict, "invitation_exists", "there is a pending invitation for this user; delete it to create another one")
)

// Stage is where a wallet is in its life. What it is besides, such as scanning
// or behind the node, the other fields of a Wallet tell.
type Stage string

// The stages. Only a ready wallet is shown to its members.
const (
	Creating Stage = "creating" // its row is there; Core's wallet may not be
	Ready    Stage = "ready"
	Removing Stage = "removing" // Core's wallet may still be loaded, and its files be there
)

// Branch is the first step of a descriptor's last two: BIP-44's change level.
type Branch uint8

// The branches.
const (
	ReceiveBranch Branch = 0
	ChangeBranch  Branch = 1
)

// Tip is a block up to which something is known. Height is -1 before the first.
type Tip struct {
	Height int
	Hash   string
}

// Balances are as Core's getbalances has them, and Confirmed, which is what
// trusted coins with at least one confirmation sum up to.
type Balances struct {
	Trusted, UntrustedPending, Immature, Confirmed btc.Amount
	// Reserved and Frozen are what of Trusted waits for a proposal or was frozen
	// by somebody. A coin that is both counts as frozen.
	Reserved, Frozen btc.Amount
}

// Available is what a payment can be made of.
func (b Balances) Available() btc.Amount { return b.Trusted - b.Reserved - b.Frozen }

// Wallet is a wallet as its row has it.
type Wallet struct {
	ID    string
	Name  string
	Stage Stage
	// DeleteFiles is whether the files of Core's wallet go, too, while Stage is Removing.
	DeleteFiles bool
	CoreName    string // of Core's wallet; nothing that a user typed is in it, unless it was Adopted
	Script      btc.Script
	Required    int    // signatures
	Receive     string // the descriptors, with h for hardened and with checksums
	Change      string
	Keys        []Key // in the order of the descriptor
	Birth       int   // the height before which it has no transactions
	CreatedAt   time.Time

	RangeEnd                uint32 // addresses of lower indexes are known here and to Core, on both branches
	ReceiveNext, ChangeNext uint32 // the first indexes that were neither handed out nor used

	ScanFrom     int     // the height from which Core has to look through the chain again; -1 for not
	ScanProgress float64 // 0 to 1, while there is a ScanFrom
	ScanRange    uint32  // the RangeEnd that the scan needs, which begins once it is reached; 0 for any
	ScanUser     string  // the id of the user who requested the scan, or the last one
	ScanProblem  string  // why the last scan failed or has to wait; empty for nothing

	Synced      Tip    // the block up to which the index is equal to the node
	CoreTxCount int    // what Core's getwalletinfo had as txcount then; -1 before the first
	CoreInfo    string // what getwalletinfo said then, as JSON; empty before the first
	Balances    Balances
	MaxFeeRate  btc.FeeRate // of proposals; 0 for the server's
	Problem     string      // what keeps the index from following the node; empty for nothing
}

// Scanning reports whether the history may be incomplete, because Core has to
// look, or is looking, through the chain.
func (w *Wallet) Scanning() bool { return w.ScanFrom >= 0 }

// StartScan makes a scan due from a height on.
func (w *Wallet) StartScan(from int) {
	w.ScanFrom, w.ScanProgress, w.ScanProblem = from, 0, ""
}

// StopScan ends the scan that is due; problem says why it failed, and is empty where
// it did not.
func (w *Wallet) StopScan(problem string) {
	w.ScanFrom, w.ScanProgress, w.ScanRange, w.ScanProblem = -1, 0, 0, problem
}

// Key is a key of a wallet, and the device that signs with it.
type Key struct {
	btc.Key
	// Device is the alias of the device, as its user has it; empty where that was deleted.
	Device string
}

// View is a wallet as one of its members sees it.
type View struct {
	Wallet
	Alias string
	Role  auth.WalletRole
}

// Member is a user's part in a wallet.
type Member struct {
	UserID    string
	UserName  string
	Role      auth.WalletRole
	Alias     string
	CreatedAt time.Time
}
