package wallet

import (
	"context"
	"iter"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
)

// Store stores wallets. Methods with a userID see only wallets that the user is a
// member of and that are Ready; they return ErrNotFound for all others.
type Store interface {
	Registry
	Book
	History
	Ledgers
}

// Registry stores wallets and their members.
type Registry interface {
	// AddWallet adds a wallet in the stage Creating, with its owner, the owner's
	// alias for it, and the addresses up to RangeEnd. Each key is linked to the
	// owner's device that has a key with this fingerprint; if there is none, a
	// device of the type "other" is created, named DeviceName or after the fingerprint. It returns
	// ErrAliasTaken, ErrExists if the owner has another wallet with the same
	// addresses, ErrHeld and, like all methods that add objects with a quota,
	// auth.ErrQuotaExceeded.
	AddWallet(ctx context.Context, w Wallet, ownerID, alias string, addresses []Address, e auth.Event) error
	// WalletByID returns a wallet in any stage. It checks no membership, so
	// requests must not use it.
	WalletByID(ctx context.Context, id string) (Wallet, error)
	// AllWallets returns all wallets, in any stage, for the indexer.
	AllWallets(ctx context.Context) ([]Wallet, error)
	// EditWallet loads a wallet in any stage, applies edit and saves Name, Stage,
	// DeleteFiles, Birthday, the fields that begin with Rescan, ReceiveNext,
	// ChangeNext, MaxFeeRate, FinalAfter and Problem, in one transaction. An Event without an
	// Action is not recorded.
	EditWallet(ctx context.Context, id string, edit func(*Edit) error) (Wallet, error)
	// ExtendRange adds addresses and sets RangeEnd to rangeEnd. It does nothing if
	// RangeEnd is already at least as high.
	ExtendRange(ctx context.Context, id string, rangeEnd uint32, addresses []Address) error
	// DeleteWallet deletes the row of a wallet in any stage and all rows that depend
	// on it, or returns ErrNotFound.
	DeleteWallet(ctx context.Context, id string, e auth.Event) error

	// FillHeldBack fills in the reserved and frozen amounts, which the other methods
	// omit, because computing them reads all reserved and frozen UTXOs.
	FillHeldBack(ctx context.Context, views []View) error
	// Memberships returns the user's memberships in the order of their aliases.
	Memberships(ctx context.Context, userID string) ([]auth.Membership, error)
	// View returns one of the user's wallets.
	View(ctx context.Context, userID, walletID string) (View, error)
	// ViewsOfUser returns the user's wallets in the order of their aliases,
	// beginning after the given one; all of them if limit is 0.
	ViewsOfUser(ctx context.Context, userID, after string, limit int) ([]View, error)

	// DeviceName returns the name of the user's device to which AddWallet links a key with this
	// fingerprint; empty if it creates one.
	DeviceName(ctx context.Context, userID, fingerprint string) (string, error)
	// DevicesOfUser returns the user's devices in the order of their names.
	DevicesOfUser(ctx context.Context, userID string) ([]Device, error)
	// RenameDevice changes the name of the caller's device with this alias, and its alias to
	// newAlias, to which it appends a number if another device of the user has it. Without the
	// device, it returns ErrDeviceNotFound. If nothing changes, it does not record the event, whose
	// Target it sets.
	RenameDevice(ctx context.Context, who *auth.Principal, alias, newAlias, name string, e auth.Event) (Device, error)

	// Members returns the members in the order of their names.
	Members(ctx context.Context, walletID string) ([]Member, error)
	// EditMembers loads a wallet's members and invitations, applies edit and saves
	// the members with their roles and aliases and the invitations, in one
	// transaction that checks the rights of who again: see auth.Principal.Confirm.
	// A new invitation is bound to the user of its UserName, if there is one;
	// expired invitations of all wallets are deleted at the same time. It returns
	// ErrAliasTaken, ErrInvitationExists, and ErrExists if a new member has another
	// wallet with the same addresses.
	EditMembers(ctx context.Context, who *auth.Principal, walletID string, edit func(*MemberEdit) error) error
	// AliasUse returns the id of the wallet that the user last used an alias for;
	// "" if the user never used it.
	AliasUse(ctx context.Context, userID, alias string) (walletID string, err error)

	// InvitationsOfWallet returns a wallet's invitations, expired ones included,
	// in the order in which they were created.
	InvitationsOfWallet(ctx context.Context, walletID string) ([]Invitation, error)
	// InvitationsOfUser returns the invitations that are bound to a user, expired
	// ones included, in the order in which they were created.
	InvitationsOfUser(ctx context.Context, userID string) ([]Invitation, error)
	// WalletOfInvitation returns the id of an invitation's wallet, or
	// ErrInvitationNotFound.
	WalletOfInvitation(ctx context.Context, id string) (walletID string, err error)
}

// Edit is a wallet that EditWallet changes, with the audit event of the change.
type Edit struct {
	Wallet
	Event auth.Event
	// Aborted is set if the edit stops a rescan because a user requested it.
	Aborted bool

	// Caller requested the change; nil if specterd makes it on its own. Their quotas are
	// charged: for the addresses below the index Reached unless it is 0, and for a rescan
	// if Queued is set.
	Caller  *auth.Principal
	Reached uint32
	Queued  bool
}

// MemberEdit has the members and invitations of a wallet that EditMembers changes.
type MemberEdit struct {
	Members     []Member     // members that are omitted afterwards are removed
	Invitations []Invitation // invitations that are omitted afterwards are deleted
	// KeepAliases rejects, with ErrAliasTaken, an alias of a new member that they
	// used for another wallet before. It is set if the new member did not choose
	// the alias.
	KeepAliases bool
	// Limited reports whether the caller's token or an ancestor of it has a spending policy.
	Limited bool
	Event   auth.Event
}

// Book stores labels and frozen outputs, and lists addresses and UTXOs.
type Book interface {
	// AddressesOf returns addresses in the order of branch and index, beginning
	// after the given place; nil means from the beginning.
	AddressesOf(ctx context.Context, walletID string, f AddressFilter, after *Place, limit int) ([]Address, error)
	// AddressAt returns one address, or ErrAddressNotFound.
	AddressAt(ctx context.Context, walletID string, at Place) (Address, error)
	// FindAddress returns the places of an address in the user's wallets.
	FindAddress(ctx context.Context, userID, address string) ([]OwnedAddress, error)
	// AddressOf returns one address of a wallet, or ErrAddressNotFound.
	AddressOf(ctx context.Context, walletID, address string) (Address, error)
	// ReceivedBy returns the amounts that addresses of a wallet received, without Txids.
	// Addresses that received nothing are omitted.
	ReceivedBy(ctx context.Context, walletID string, addresses []string) (map[string]Received, error)
	// Details completes the details of a wallet, except for the History, from one
	// consistent snapshot, with the addresses of each branch up to end, exclusive.
	Details(ctx context.Context, v View, end [2]uint32) (Details, error)
	// UnusedInARow returns the number of addresses of the receive branch that were
	// revealed after the last used one, or ErrNotFound if the wallet does not exist.
	UnusedInARow(ctx context.Context, walletID string) (int, error)

	// FilteredUTXOs returns unspent outputs in the order of their outpoints,
	// beginning after the given one.
	FilteredUTXOs(ctx context.Context, walletID string, f UTXOFilter, after btc.Outpoint, limit int) ([]UTXO, error)
	// SortedUTXOs returns the unspent outputs of a selection in its order, beginning after the
	// given one; nil means from the beginning.
	SortedUTXOs(ctx context.Context, walletID string, sel UTXOSelection, after *UTXO, limit int) ([]UTXO, error)
	// UTXOTotal returns the number and the total amount of the unspent outputs of a selection.
	UTXOTotal(ctx context.Context, walletID string, sel UTXOSelection) (int, btc.Amount, error)
	// UTXO returns one unspent output, or ErrUTXONotFound.
	UTXO(ctx context.Context, walletID string, at btc.Outpoint) (UTXO, error)
	// OwnOutputs returns those of the outpoints that belong to the wallet, spent or
	// not, with their amounts.
	OwnOutputs(ctx context.Context, walletID string, at []btc.Outpoint) (map[btc.Outpoint]btc.Amount, error)
	// NoteLock records that Bitcoin Core may have locked outputs, so that a later
	// sync round unlocks them unless they are frozen or reserved by then. Until
	// that round they are not reported as locked.
	NoteLock(ctx context.Context, walletID string, at []btc.Outpoint) error
	// SetFrozen freezes outputs, or unfreezes them and records their locks as NoteLock does,
	// in one transaction. The outputs need not be known.
	SetFrozen(ctx context.Context, walletID string, at []btc.Outpoint, frozen bool, now time.Time, e auth.Event) error
	// FrozenUTXOs returns the unspent outputs that are frozen.
	FrozenUTXOs(ctx context.Context, walletID string) ([]btc.Outpoint, error)
	// HeldUTXOs returns the outputs, spent or not, that specterd may have locked in Bitcoin
	// Core: frozen and reserved ones, and ones recorded by NoteLock.
	HeldUTXOs(ctx context.Context, walletID string) ([]btc.Outpoint, error)

	// SetLabels sets labels, and deletes empty ones, in one transaction.
	SetLabels(ctx context.Context, walletID string, labels []btc.Label, e auth.Event) error
	// Labels yields all labels in the order of type and reference.
	Labels(ctx context.Context, walletID string) iter.Seq2[btc.Label, error]
	// LabelsAmong returns the labels of those objects of a type that have one, by reference.
	LabelsAmong(ctx context.Context, walletID, kind string, refs []string) (map[string]string, error)
}

// History reads transactions from the index.
type History interface {
	// Transactions returns a page of a wallet's history, beginning after the given position.
	// The records have no WalletID, Alias and Confirmations.
	Transactions(ctx context.Context, walletID string, f Filter, after HistoryCursor, limit int) ([]Record, error)
	// TransactionByID returns one record of a wallet with all details, or
	// ErrTransactionNotFound. As in Transactions, the record lacks WalletID, Alias and
	// Confirmations.
	TransactionByID(ctx context.Context, walletID, txid string) (Record, error)
	// CountTransactions returns the number of transactions, including dead ones.
	CountTransactions(ctx context.Context, walletID string) (int, error)
}

// Index stores the index of each wallet. Only one process at a time writes it.
type Index interface {
	// OwnPlaces returns those of the addresses that belong to the wallet, with their
	// places.
	OwnPlaces(ctx context.Context, walletID string, addresses []string) (map[string]Place, error)
	// OwnOutputs returns those of the outpoints that belong to the wallet, spent or
	// not, with their amounts.
	OwnOutputs(ctx context.Context, walletID string, at []btc.Outpoint) (map[btc.Outpoint]btc.Amount, error)
	// States returns the indexed states of transactions. Transactions that are not
	// in the index are omitted.
	States(ctx context.Context, walletID string, txids []string) (map[string]State, error)
	// Unsettled returns the transactions whose state may change without being
	// reported by listsinceblock: unconfirmed transactions, and transactions that
	// conflict with a block at the height or above it.
	Unsettled(ctx context.Context, walletID string, height int) (map[string]State, error)
	// WalletsWith returns the ids of wallets that contain any of the addresses or
	// outpoints.
	WalletsWith(ctx context.Context, addresses []string, at []btc.Outpoint) ([]string, error)
	// WriteIndex writes changes in one transaction. It skips changes to wallets that
	// do not exist or are not ready.
	WriteIndex(ctx context.Context, changes []Change) error
}

// Change is an update of one wallet's index.
type Change struct {
	WalletID string
	// Added are transactions that are new to the index or that replace the indexed
	// ones completely.
	Added []Transaction
	// Changed are new states of transactions that are in the index.
	Changed map[string]State
	// Rescanned is set if Added may contain transactions of old blocks that a rescan
	// found. They are reported by one event, not by one each.
	Rescanned bool
	// Locked are all outputs that Bitcoin Core has locked; nil leaves the stored
	// ones unchanged.
	Locked []btc.Outpoint
	// Synced is the block up to which the index equals the node once the change is
	// written; nil leaves the stored one unchanged, because further changes follow.
	Synced *Tip
	// CoreTxCount and CoreInfo are set together with Synced.
	CoreTxCount int
	CoreInfo    string
}
