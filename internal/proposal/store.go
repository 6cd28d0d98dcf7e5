package proposal

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// Store keeps proposals.
type Store interface {
	// AddProposal adds a proposal with its first step, reserves its inputs and sets
	// labels, in one transaction. One that replaces an open one, by ReplacesID, takes
	// over what that has reserved, and that becomes Replaced. It returns
	// ErrCoinReserved, and ErrCoinFrozen, with the coins in question, and
	// ErrChangeTaken where another open proposal has the change address by now.
	AddProposal(ctx context.Context, p Proposal, labels []btc.Label, e auth.Event) error
	// Proposal returns a proposal of a wallet, or ErrNotFound.
	Proposal(ctx context.Context, walletID, id string) (Proposal, error)
	// Proposals returns the newest first, from the one that follows after.
	Proposals(ctx context.Context, walletID string, f Filter, after Cursor, limit int) ([]Proposal, error)
	// UpdateProposal loads a proposal, applies update and saves Status, StatusAt,
	// Reason, FinalTxid, ReplacedBy, PSBT, Raw, VSize and what was appended to
	// Signatures and Steps, in one transaction, and raises Version. One that is open
	// no more lets its coins go. Nothing is saved unless
	// update sets Changed. An Event without an Action is not recorded.
	UpdateProposal(ctx context.Context, walletID, id string, update func(*Update) error) (Proposal, error)
	// SettleProposals brings all proposals that are open or sent to where the index
	// says that they are; see Proposal.Settle. WriteIndex does so for those that a
	// change concerns.
	SettleProposals(ctx context.Context) error
	// DropSignatures removes the signatures of proposals that had ended when the database
	// was migrated; see Proposal.DropSignatures. It does so once.
	DropSignatures(ctx context.Context) error
	// Overdue returns the open proposals that have expired by then.
	Overdue(ctx context.Context, now time.Time) ([]Proposal, error)

	// FreeChange returns the lowest index of the change branch that has received no
	// payment, is not the change of an open or broadcast proposal, and is not the
	// address of one of the recipients. It returns wallet.ErrAddressNotFound if there
	// is none.
	FreeChange(ctx context.Context, walletID string, recipients []string) (uint32, error)
	// AddressAt returns an address of a wallet, or wallet.ErrAddressNotFound.
	AddressAt(ctx context.Context, walletID string, at wallet.Place) (wallet.Address, error)
	// OwnPlaces returns which of the addresses are the wallet's, and where.
	OwnPlaces(ctx context.Context, walletID string, addresses []string) (map[string]wallet.Place, error)
	// Coins returns unspent outputs in the order of their outpoints, from the one
	// that follows after.
	Coins(ctx context.Context, walletID string, after btc.Outpoint, limit int) ([]wallet.Coin, error)
	// Coin returns one unspent output, or wallet.ErrCoinNotFound.
	Coin(ctx context.Context, walletID string, at btc.Outpoint) (wallet.Coin, error)
	// OwnCoins returns which of the outpoints are outputs of the wallet, spent or
	// not, and where its addresses are.
	OwnCoins(ctx context.Context, walletID string, at []btc.Outpoint) (map[btc.Outpoint]Input, error)
	// TransactionByID returns a transaction of a wallet, or wallet.ErrTransactionNotFound.
	TransactionByID(ctx context.Context, walletID, txid string) (wallet.Record, error)

	// Reservations returns what proposals reserve in a wallet, and what they did
	// and Core is to be told of.
	Reservations(ctx context.Context, walletID string) ([]Reservation, error)
	// ForgetReleased deletes reservations that were released.
	ForgetReleased(ctx context.Context, walletID string, at []btc.Outpoint) error
}

// Update is a proposal in the middle of a change.
type Update struct {
	Proposal
	Changed bool // whether there is anything to save
	Event   auth.Event
}

// Filter says which proposals of a list are wanted. The zero value is for all.
type Filter struct {
	Statuses []Status // nil for any
	Txid     string   // that of the unsigned or of the signed transaction; empty for any
	Parents  []string // transactions of which an output is spent; nil for any
}

var openStatuses = []Status{Created, PartiallySigned, Complete}

// Cursor is a place in the list of a wallet's proposals: behind the one of this
// time and id. The zero value is the beginning.
type Cursor struct {
	CreatedAt time.Time
	ID        string
}

// Reservation is a coin that Core must not spend by itself for the sake of a
// proposal, or may again.
type Reservation struct {
	btc.Outpoint

	ProposalID string // empty once it was released
	// Unspent is whether the index has it as a coin. What a transaction in the
	// mempool has spent, a proposal that replaces that reserves all the same.
	Unspent bool
}
