package wallet

import (
	"context"
	"iter"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
)

// Store keeps wallets. Every method that takes a userID sees only wallets that
// the user is a member of and that are Ready; ErrNotFound is for all others.
type Store interface {
	Registry
	Book
	History
	Ledgers
}

// Registry keeps wallets and their members.
type Registry interface {
	// AddWallet adds a wallet in the stage Creating, with its owner and their
	// alias for it, and the addresses up to RangeEnd. For each key, the owner's
	// device that has a key of this fingerprint becomes its device; where there
	// is none, one is made, named by the fingerprint, of the type "other".
	// ErrAliasTaken. It returns auth.ErrQuotaExceeded, as do all methods that add
	// what a quota limits.
	AddWallet(ctx context.Context, w Wallet, ownerID, alias string, addresses []Address, e auth.Event) error
	// WalletByID returns a wallet in any stage. It is not for requests.
	WalletByID(ctx context.Context, id string) (Wallet, error)
	// AllWallets returns all wallets, in any stage, for the follower.
	AllWallets(ctx context.Context) ([]Wallet, error)
	// EditWallet loads a wallet in any stage, applies edit and saves Name,
	// Stage, DeleteFiles, Birth, those that begin with Scan, ReceiveNext,
	// ChangeNext and Problem, in one transaction. An Event without an Action is not recorded.
	EditWallet(ctx context.Context, id string, edit func(*Edit) error) (Wallet, error)
	// ExtendRange adds addresses and raises RangeEnd, unless it is as high already.
	ExtendRange(ctx context.Context, id string, rangeEnd uint32, addresses []Address) error
	// DeleteWallet deletes the row and all that hangs on it.
	DeleteWallet(ctx context.Context, id string, e auth.Event) error

	// FillHeldBack fills in what is reserved and frozen, which the other methods
	// leave out: it takes a look at every such coin.
	FillHeldBack(ctx context.Context, views []View) error
	// ViewByAlias returns the wallet that the user calls so.
	ViewByAlias(ctx context.Context, userID, alias string) (View, error)
	// ViewsOfUser returns the user's wallets in the order of their aliases, from
	// the one that follows after; all where limit is 0.
	ViewsOfUser(ctx context.Context, userID, after string, limit int) ([]View, error)

	// DevicesOfUser returns the user's devices in the order of their names.
	DevicesOfUser(ctx context.Context, userID string) ([]Device, error)

	// Members returns the members in the order of their names.
	Members(ctx context.Context, walletID string) ([]Member, error)
	// EditMembers loads a wallet's members and invitations, applies edit and saves
	// who is a member in which role and under which alias, and who is invited, in one
	// transaction, in which the rights of who are checked again: see
	// auth.Principal.Confirm. A new invitation is bound to the user of its UserName, if there is
	// one; expired ones of any wallet are deleted then. ErrAliasTaken,
	// ErrInvitationExists, and ErrExists if a new member has another wallet with the
	// same addresses.
	EditMembers(ctx context.Context, who *auth.Principal, walletID string, edit func(*MemberEdit) error) error
	// AliasUse returns the id of the wallet that the user used an alias for last; ""
	// if they never used it.
	AliasUse(ctx context.Context, userID, alias string) (walletID string, err error)

	// InvitationsOfWallet returns a wallet's invitations, expired ones included,
	// in the order in which they were created.
	InvitationsOfWallet(ctx context.Context, walletID string) ([]Invitation, error)
	// InvitationsOfUser returns those that are bound to a user, likewise.
	InvitationsOfUser(ctx context.Context, userID string) ([]Invitation, error)
	// WalletOfInvitation returns the id of the wallet, or ErrInvitationNotFound.
	WalletOfInvitation(ctx context.Context, id string) (walletID string, err error)
}

// Edit is a wallet in the middle of a change.
type Edit struct {
	Wallet
	Event auth.Event

	// By is the id of the user who pays for the change with their quotas: for the
	// addresses up to the index Reached, and for a scan that was Queued.
	By      string
	Reached uint32
	Queued  bool
}

// MemberEdit is a wallet's membership in the middle of a change.
type MemberEdit struct {
	Members     []Member     // those left out afterwards are members no more
	Invitations []Invitation // those left out afterwards are deleted
	// KeepAliases refuses, with ErrAliasTaken, an alias of a new member that they
	// used for another wallet before: it was not they who chose it.
	KeepAliases bool
	Event       auth.Event
}

// Book keeps what people decided about addresses, coins and transactions, and
// lists addresses and coins.
type Book interface {
	// AddressesOf returns addresses in the order of branch and index, from the
	// one that follows after; nil is the beginning.
	AddressesOf(ctx context.Context, walletID string, f AddressFilter, after *Place, limit int) ([]Address, error)
	// AddressAt returns one address, or ErrAddressNotFound.
	AddressAt(ctx context.Context, walletID string, at Place) (Address, error)
	// FindAddress returns where an address is in the user's wallets.
	FindAddress(ctx context.Context, userID, address string) ([]OwnedAddress, error)
	// AddressOf returns one address of a wallet, or ErrAddressNotFound.
	AddressOf(ctx context.Context, walletID, address string) (Address, error)
	// ReceivedBy returns what was paid to an address of a wallet.
	ReceivedBy(ctx context.Context, walletID, address string) (Received, error)
	// Portrait adds to a wallet what the index and people have about it, as it is
	// at one moment, with addresses of each branch up to, and without, end; but
	// for the History.
	Portrait(ctx context.Context, v View, end [2]uint32) (Portrait, error)
	// UnusedInARow returns how many addresses of the receive branch were handed
	// out after the last one that is used.
	UnusedInARow(ctx context.Context, walletID string) (int, error)

	// FilteredCoins returns unspent outputs in the order of their outpoints, from
	// the one that follows after.
	FilteredCoins(ctx context.Context, walletID string, f CoinFilter, after btc.Outpoint, limit int) ([]Coin, error)
	// Coin returns one unspent output, or ErrCoinNotFound.
	Coin(ctx context.Context, walletID string, at btc.Outpoint) (Coin, error)
	// OwnOutputs returns which of the outpoints are the wallet's, spent or not,
	// and their amounts.
	OwnOutputs(ctx context.Context, walletID string, at []btc.Outpoint) (map[btc.Outpoint]btc.Amount, error)
	// NoteLock notes that Core may have outputs locked, so that they are unlocked at a
	// later look unless they are frozen or reserved by then. Until that look they are not
	// told of as locked.
	NoteLock(ctx context.Context, walletID string, at []btc.Outpoint) error
	// SetFrozen freezes outputs, or lets them go and notes the locks, in one transaction.
	// They need not be known.
	SetFrozen(ctx context.Context, walletID string, at []btc.Outpoint, frozen bool, now time.Time, e auth.Event) error
	// FrozenCoins returns the unspent outputs that are frozen.
	FrozenCoins(ctx context.Context, walletID string) ([]btc.Outpoint, error)
	// HeldCoins returns the outputs, spent or not, that Core may have locked because
	// of us: those that are frozen, reserved or noted by NoteLock.
	HeldCoins(ctx context.Context, walletID string) ([]btc.Outpoint, error)

	// SetLabels sets labels, or deletes those that are empty, in one transaction.
	SetLabels(ctx context.Context, walletID string, labels []btc.Label, e auth.Event) error
	// Labels yields all labels in the order of type and reference.
	Labels(ctx context.Context, walletID string) iter.Seq2[btc.Label, error]
}

// History reads transactions from the index.
type History interface {
	// Transactions returns a part of a wallet's history, from the one that
	// follows after. Records have neither WalletID and Alias nor Confirmations.
	Transactions(ctx context.Context, walletID string, f Filter, after HistoryCursor, limit int) ([]Record, error)
	// TransactionByID returns one such record, with all else that there is about
	// it, or ErrTransactionNotFound.
	TransactionByID(ctx context.Context, walletID, txid string) (Record, error)
	// CountTransactions returns how many there are, dead ones included.
	CountTransactions(ctx context.Context, walletID string) (int, error)
}

// Index is what the follower writes. Only one process does so at a time.
type Index interface {
	// OwnPlaces returns which of the addresses are the wallet's, and where.
	OwnPlaces(ctx context.Context, walletID string, addresses []string) (map[string]Place, error)
	// OwnOutputs returns which of the outpoints are the wallet's, spent or not,
	// and their amounts.
	OwnOutputs(ctx context.Context, walletID string, at []btc.Outpoint) (map[btc.Outpoint]btc.Amount, error)
	// States returns what the index has about transactions, of those it has.
	States(ctx context.Context, walletID string, txids []string) (map[string]State, error)
	// Unsettled returns the transactions whose state may change without a word
	// from listsinceblock: those unconfirmed, and those conflicted by a block
	// at or above the height.
	Unsettled(ctx context.Context, walletID string, height int) (map[string]State, error)
	// WalletsWith returns the ids of wallets that any of the addresses is in, or
	// that have any of the outpoints.
	WalletsWith(ctx context.Context, addresses []string, at []btc.Outpoint) ([]string, error)
	// WriteIndex writes changes in one transaction. Those of a wallet that is
	// gone meanwhile are passed over.
	WriteIndex(ctx context.Context, changes []Change) error
}

// Change is what became of one wallet.
type Change struct {
	WalletID string
	// Added are transactions that are new to the index, or to be written anew
	// as a whole.
	Added []Transaction
	// Changed are the states of transactions that the index has.
	Changed map[string]State
	// Locked are all outputs that Core has locked; nil leaves what there is.
	Locked []btc.Outpoint
	// Synced is up to where the index is equal to the node once this is
	// written; nil for a part, after which more follows.
	Synced *Tip
	// CoreTxCount and CoreInfo go with Synced.
	CoreTxCount int
	CoreInfo    string
}
