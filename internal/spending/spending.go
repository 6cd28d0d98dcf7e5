// Package spending manages the spending policies of the server, of wallets and of members,
// and the lists of recipients that they name. It decides who may change them, and when a
// change takes effect. Package policy defines the documents, and package proposal applies
// them to payments. It contains no SQL or HTTP.
//
// Invariant: once a policy has conditions for changes, it permits more only after these
// conditions were met.
package spending

import (
	"context"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// Errors of policies.
var (
	ErrPolicyNotFound = fault.New(fault.NotFound, "policy_not_found", "there is no policy: all payments are permitted here")
	ErrListNotFound   = fault.New(fault.NotFound, "list_not_found", "list not found in this wallet")
	ErrChangeNotFound = fault.New(fault.NotFound, "policy_change_not_found", "no change with this id is pending")
	// ErrModified is returned if the policy has changed since the caller read it.
	ErrModified = fault.New(fault.PreconditionFailed, "policy_modified", "the policy has changed since you read it; read it again")
	// ErrListModified is returned if the list has changed since the caller read it.
	ErrListModified = fault.New(fault.PreconditionFailed, "policy_list_modified", "the list has changed since you read it; read it again")
	// ErrTooManyLists is returned if a wallet would have more than maxLists lists.
	ErrTooManyLists = fault.New(fault.Conflict, "too_many_lists", "a wallet can have at most %d lists; delete one first", maxLists)
)

const maxLists = 20

// Target is a policy, or a list if List is set.
type Target struct {
	Kind     policy.Kind // Server, Wallet or Member
	WalletID string      // empty for the server
	UserID   string      // of the member
	User     string      // name of the member
	List     string      // name of a list of the wallet
}

// Subject identifies the target.
func (t Target) Subject() string {
	switch {
	case t.List != "":
		return "list:" + t.WalletID + ":" + t.List
	case t.Kind == policy.Member:
		return proposal.MemberSubject(t.WalletID, t.UserID)
	case t.Kind == policy.Wallet:
		return proposal.WalletSubject(t.WalletID)
	}
	return proposal.ServerSubject
}

// TargetOf returns the target with a subject, without the name of a member.
func TargetOf(subject string) Target {
	kind, rest, _ := strings.Cut(subject, ":")
	id, name, _ := strings.Cut(rest, ":")
	switch kind {
	case "list":
		return Target{Kind: policy.Wallet, WalletID: id, List: name}
	case string(policy.Member):
		return Target{Kind: policy.Member, WalletID: id, UserID: name}
	}
	return Target{Kind: policy.Kind(kind), WalletID: id}
}

// Stored is a policy or a list as it is stored.
type Stored struct {
	Target

	Document string // canonical; empty for none
	SetBy    string // name of the user
	SetAt    time.Time
}

// Change is a change that loosens a policy and has not taken effect.
type Change struct {
	Target

	ID          string
	Document    string // canonical; empty to delete
	Maker       proposal.Actor
	RequestedAt time.Time
	EffectiveAt time.Time // not before this
	Approvals   []ChangeApproval
	// Missing is the number of approvals that it lacks. It is not stored.
	Missing int
}

// ChangeApproval is the approval of a change by a user.
type ChangeApproval struct {
	UserID   string    `json:"user_id"`
	UserName string    `json:"user"`
	At       time.Time `json:"at"`
}

// Store stores policies.
type Store interface {
	// StoredPolicy returns a policy or a list, with an empty Document for a missing one.
	StoredPolicy(ctx context.Context, t Target) (Stored, error)
	// UsersWithPolicy returns the ids of the users who have a policy in a wallet.
	UsersWithPolicy(ctx context.Context, walletID string) ([]string, error)
	// StoredLists returns the lists of a wallet, in the order of their names.
	StoredLists(ctx context.Context, walletID string) ([]Stored, error)
	// PolicyChanges returns the pending changes of a wallet and its members, or of the server
	// if walletID is empty, with Missing.
	PolicyChanges(ctx context.Context, walletID string) ([]Change, error)
	// EditPolicy confirms the caller, calls edit, and saves the policy or the list with the
	// pending change and the events, in one transaction. If a policy or list has changed, the
	// proposals that it may affect are evaluated again soon.
	EditPolicy(ctx context.Context, who *auth.Principal, t Target, edit func(*Edit) error) error
	// NextPolicyChange returns the earliest EffectiveAt after a time, or the zero time.
	NextPolicyChange(ctx context.Context, after time.Time) (time.Time, error)
	// DuePolicyChanges returns the changes whose EffectiveAt is not after now.
	DuePolicyChanges(ctx context.Context, now time.Time) ([]Change, error)
	// SpentSince returns what counts after a time, by rule.
	SpentSince(ctx context.Context, subject string, after time.Time) (map[string]policy.Spent, error)
	// TokenPolicies returns the policies of a token and its ancestors, nearest first, without
	// tokens that have none.
	TokenPolicies(ctx context.Context, tokenID string) ([]string, error)
	// Memberships returns the wallets of a user.
	Memberships(ctx context.Context, userID string) ([]auth.Membership, error)
	// Members returns the members of a wallet.
	Members(ctx context.Context, walletID string) ([]wallet.Member, error)
}

// Wallets is the part of wallet.Service that the service uses.
type Wallets interface {
	View(ctx context.Context, access wallet.Access, needed auth.WalletRole) (wallet.View, error)
}

// Proposals is the part of proposal.Service that the service uses.
type Proposals interface {
	Create(ctx context.Context, access wallet.Access, o proposal.CreateParams) (proposal.Proposal, error)
}

// Service implements the operations on policies.
type Service struct {
	store     Store
	wallets   Wallets
	proposals Proposals
	network   func() btc.Network
	now       func() time.Time
	watch     *clock.Watch
	wake      func() // makes the scheduler look for due work
}

// New returns a Service. Watch reports whether the clock can be trusted: while it cannot, no
// delay ends. Wake is called after a change that may make work due; it must not block.
func New(store Store, wallets Wallets, proposals Proposals, network func() btc.Network, now func() time.Time, watch *clock.Watch, wake func()) *Service {
	return &Service{store: store, wallets: wallets, proposals: proposals, network: network, now: clock.Microseconds(now), watch: watch, wake: wake}
}

// Policy is a policy for a reader.
type Policy struct {
	Stored
	policy.Policy

	Version string // see policy.Version; changes also with lists
	Lists   policy.Lists
	// WalletName returns the reader's alias of a wallet, or its id for other wallets.
	WalletName func(id string) string
	Pending    *Change
}

// JSON returns the document with the reader's aliases.
func (p Policy) JSON() []byte { return p.Policy.Document(p.WalletName) }

// Sentences returns the rules as sentences.
func (p Policy) Sentences() []policy.Paragraph {
	return p.Describe(p.Kind, policy.Names{Wallet: p.WalletName})
}
