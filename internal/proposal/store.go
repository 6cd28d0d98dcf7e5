package proposal

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// Store stores proposals.
type Store interface {
	// AddProposal adds a proposal with its first step, reserves its inputs and sets
	// labels, in one transaction. If ReplacesID names an open proposal, the new proposal
	// takes over its reservations, and the other one becomes Replaced. It returns
	// ErrUTXOReserved and ErrUTXOFrozen with the affected UTXOs, and ErrChangeTaken if
	// another open proposal now has the change address. It calls Admit in this
	// transaction, and returns the proposal with its results.
	AddProposal(ctx context.Context, p Proposal, m Moment, labels []btc.Label, e auth.Event) (Proposal, error)
	// TryProposal returns the results of AddProposal, and changes nothing.
	TryProposal(ctx context.Context, p Proposal, m Moment, labels []btc.Label) (Proposal, error)
	// Proposal returns a proposal of a wallet, or ErrNotFound.
	Proposal(ctx context.Context, walletID, id string) (Proposal, error)
	// Proposals returns at most limit proposals, newest first, starting after the cursor.
	Proposals(ctx context.Context, walletID string, f Filter, after Cursor, limit int) ([]Proposal, error)
	// OpenProposals returns the open proposals of a wallet that are released, newest first,
	// without Steps, Approvals and PoliciesChanged. The caller may modify the list, but not what
	// the proposals refer to.
	OpenProposals(ctx context.Context, walletID string) ([]Proposal, error)
	// UpdateProposal loads a proposal, calls update, saves Status, StatusAt, Reason,
	// FinalTxid, ReplacedBy, PSBT, Raw, VSize, Review, TryAt and the entries appended to
	// Signatures, Steps and Approvals, in one transaction, and increments Version. If the proposal has ended, its
	// inputs are released. Nothing is saved unless update sets Changed. An Event without an
	// Action is not recorded. UpdateProposal returns the error of update, or ErrNotFound.
	UpdateProposal(ctx context.Context, walletID, id string, update func(*Update) error) (Proposal, error)
	// SettleProposals updates all open and sent proposals to match the index; see
	// Proposal.Settle. WriteIndex does so for the proposals that a change affects.
	SettleProposals(ctx context.Context) error
	// DropSignatures removes the signatures of proposals that had ended when the database
	// was migrated; see Proposal.DropSignatures. It does so only once.
	DropSignatures(ctx context.Context) error
	// UnconfirmedInputs returns the number of inputs of an open proposal that are outputs of
	// unconfirmed transactions in the index; 0 for any other proposal.
	UnconfirmedInputs(ctx context.Context, walletID, id string) (int, error)
	// NextExpiry returns the earliest ExpiresAt of the open proposals, or the zero time if
	// there are none.
	NextExpiry(ctx context.Context) (time.Time, error)
	// Overdue returns the open proposals whose ExpiresAt is not after now.
	Overdue(ctx context.Context, now time.Time) ([]Proposal, error)
	// NextRelease returns the earliest TryAt of proposals that await approval, or the zero
	// time if there is none. DueReleases returns those whose TryAt is not after now.
	NextRelease(ctx context.Context) (time.Time, error)
	DueReleases(ctx context.Context, now time.Time) ([]Proposal, error)

	// FreeChange returns the lowest index of the change branch whose address has received no
	// payment, is not the change address of an open or broadcast proposal, and is not the
	// address of a recipient. It returns wallet.ErrAddressNotFound if no index qualifies.
	FreeChange(ctx context.Context, walletID string, recipients []string) (uint32, error)
	// AddressAt returns an address of a wallet, or wallet.ErrAddressNotFound.
	AddressAt(ctx context.Context, walletID string, at wallet.Place) (wallet.Address, error)
	// OwnPlaces returns which of the addresses belong to the wallet, with their
	// positions.
	OwnPlaces(ctx context.Context, walletID string, addresses []string) (map[string]wallet.Place, error)
	// LastPaid returns which of the addresses have received payments that are in a block or in the
	// mempool and in the index, except the replaced transaction, each with the time of the latest.
	LastPaid(ctx context.Context, walletID string, addresses []string, replaced string) (map[string]time.Time, error)
	// LabelsAmong returns the labels of a type, for each of the references that has one.
	LabelsAmong(ctx context.Context, walletID, kind string, refs []string) (map[string]string, error)
	// UTXOs returns unspent outputs in the order of their outpoints, starting after the
	// cursor.
	UTXOs(ctx context.Context, walletID string, after btc.Outpoint, limit int) ([]wallet.UTXO, error)
	// UTXO returns one unspent output, or wallet.ErrUTXONotFound.
	UTXO(ctx context.Context, walletID string, at btc.Outpoint) (wallet.UTXO, error)
	// OwnUTXOs returns which of the outpoints are indexed outputs of the wallet, spent or
	// not, with their amounts, addresses and positions.
	OwnUTXOs(ctx context.Context, walletID string, at []btc.Outpoint) (map[btc.Outpoint]Input, error)
	// TransactionByID returns a transaction of a wallet, or wallet.ErrTransactionNotFound.
	TransactionByID(ctx context.Context, walletID, txid string) (wallet.Record, error)

	// Reservations returns the outputs that proposals reserve in a wallet, and the
	// released outputs that Core may still have locked.
	Reservations(ctx context.Context, walletID string) ([]Reservation, error)
	// ForgetReleased deletes released reservations.
	ForgetReleased(ctx context.Context, walletID string, at []btc.Outpoint) error
}

// Update is a proposal that is being changed.
type Update struct {
	Proposal
	Rules   Rules // set by the store
	Changed bool  // whether anything must be saved
	// Abandoned is set if Core has just abandoned the proposal's transaction. The store then
	// also marks the transaction as abandoned in the index, which still has its previous
	// state.
	Abandoned bool
	Event     auth.Event
}

// Filter limits a list of proposals. The zero value selects all.
type Filter struct {
	Statuses []Status // nil for any
	Txid     string   // txid of the unsigned or of the signed transaction; empty for any
	Creator  string   // id of the user who created it; empty for any
	Parents  []string // txids; the proposal spends an output of one of them; nil for any
}

var openStatuses = []Status{AwaitingApproval, Created, PartiallySigned, Complete}

// Cursor is a position in the list of a wallet's proposals: after the proposal with this
// time and id. The zero value is the beginning.
type Cursor struct {
	CreatedAt time.Time
	ID        string
}

// Reservation is an output that Core must not select automatically because a proposal
// reserves it, or that has been released.
type Reservation struct {
	btc.Outpoint

	ProposalID string // empty once it was released
	// Unspent reports whether the output is unspent in the index. A replacement also
	// reserves outputs that a transaction in the mempool has spent.
	Unspent bool
}
