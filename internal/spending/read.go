package spending

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// Get returns the policy of a wallet, or ErrPolicyNotFound. Every member may read it.
func (s *Service) Get(ctx context.Context, access wallet.Access) (Policy, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return Policy{}, err
	}
	return s.read(ctx, access.Caller(), Target{Kind: policy.Wallet, WalletID: v.ID})
}

// GetMember returns the policy of a member, or ErrPolicyNotFound. Every member may read it.
// It returns wallet.ErrMemberMissing if the user is not a member.
func (s *Service) GetMember(ctx context.Context, access wallet.Access, user string) (Policy, error) {
	t, err := s.memberTarget(ctx, access, user, auth.RoleViewer)
	if err != nil {
		return Policy{}, err
	}
	return s.read(ctx, access.Caller(), t)
}

// MembersWithPolicy returns the ids of the users who have a policy in a wallet. They need not be
// members any more. Every member may read it.
func (s *Service) MembersWithPolicy(ctx context.Context, access wallet.Access) ([]string, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return s.store.UsersWithPolicy(ctx, v.ID)
}

// GetServer returns the policy of the server, or ErrPolicyNotFound. The caller must be an
// admin.
func (s *Service) GetServer(ctx context.Context, who *auth.Principal) (Policy, error) {
	if err := requireAdmin(who); err != nil {
		return Policy{}, err
	}
	return s.read(ctx, who, Target{Kind: policy.Server})
}

func requireAdmin(who *auth.Principal) error {
	if who.Admin {
		return nil
	}
	return fault.New(fault.Forbidden, "insufficient_role", "only admins can read and change the policy of the server").WithDetail("required_role", "admin")
}

func (s *Service) memberTarget(ctx context.Context, access wallet.Access, user string, needed auth.WalletRole) (Target, error) {
	v, err := s.wallets.View(ctx, access, needed)
	if err != nil {
		return Target{}, err
	}
	members, err := s.store.Members(ctx, v.ID)
	if err != nil {
		return Target{}, err
	}
	i := slices.IndexFunc(members, func(m wallet.Member) bool { return auth.FoldName(m.UserName) == auth.FoldName(user) })
	if i < 0 {
		return Target{}, wallet.ErrMemberMissing
	}
	return Target{Kind: policy.Member, WalletID: v.ID, UserID: members[i].UserID, User: members[i].UserName}, nil
}

// read returns a policy, or ErrPolicyNotFound.
func (s *Service) read(ctx context.Context, who *auth.Principal, t Target) (Policy, error) {
	p := Policy{}
	var err error
	if p.Stored, err = s.store.StoredPolicy(ctx, t); err != nil {
		return p, err
	}
	if p.Stored.Document == "" {
		return p, ErrPolicyNotFound
	}
	if p.Policy, err = policy.ParseStored(t.Kind, []byte(p.Stored.Document)); err != nil {
		return p, notCallers(err)
	}
	if p.Lists, err = s.lists(ctx, t); err != nil {
		return p, err
	}
	p.Version = policy.Version(p.Policy, p.Lists)
	if p.WalletName, err = s.walletName(ctx, who); err != nil {
		return p, err
	}
	changes, err := s.store.PolicyChanges(ctx, t.WalletID)
	for i, c := range changes {
		if c.Subject() == t.Subject() {
			p.Pending = &changes[i]
		}
	}
	return p, err
}

// notCallers hides a fault about a stored document, which is not a mistake of the caller.
func notCallers(err error) error { return fmt.Errorf("read a policy: %w", errors.New(err.Error())) }

func (s *Service) lists(ctx context.Context, t Target) (policy.Lists, error) {
	if t.Kind == policy.Server {
		return nil, nil
	}
	stored, err := s.store.StoredLists(ctx, t.WalletID)
	if err != nil {
		return nil, err
	}
	lists := policy.Lists{}
	for _, l := range stored {
		if lists[l.List], err = policy.ParseStoredList([]byte(l.Document)); err != nil {
			return nil, notCallers(err)
		}
	}
	return lists, nil
}

// walletName returns a function from the id of a wallet to the caller's alias, or to the id
// for wallets that the caller cannot see.
func (s *Service) walletName(ctx context.Context, who *auth.Principal) (func(id string) string, error) {
	members, err := s.memberships(ctx, who)
	if err != nil {
		return nil, err
	}
	return func(id string) string {
		if i := slices.IndexFunc(members, func(m auth.Membership) bool { return m.WalletID == id }); i >= 0 {
			return members[i].Alias
		}
		return id
	}, nil
}

func (s *Service) memberships(ctx context.Context, who *auth.Principal) ([]auth.Membership, error) {
	all, err := s.store.Memberships(ctx, who.UserID)
	return slices.DeleteFunc(all, func(m auth.Membership) bool { return !who.MaySeeWallet(m.WalletID) }), err
}

// List is a list of recipients for a reader.
type List struct {
	Stored

	Version    string // see policy.ListVersion
	Entries    []policy.Target
	WalletName func(id string) string // see Policy
}

// JSON returns the entries with the reader's aliases.
func (l List) JSON() []byte { return policy.ListDocument(l.Entries, l.WalletName) }

// Lists returns the lists of a wallet, in the order of their names.
func (s *Service) Lists(ctx context.Context, access wallet.Access) ([]List, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	stored, err := s.store.StoredLists(ctx, v.ID)
	if err != nil {
		return nil, err
	}
	name, err := s.walletName(ctx, access.Caller())
	if err != nil {
		return nil, err
	}
	lists := make([]List, len(stored))
	for i, l := range stored {
		lists[i] = List{Stored: l, WalletName: name}
		if lists[i].Entries, err = policy.ParseStoredList([]byte(l.Document)); err != nil {
			return nil, notCallers(err)
		}
		lists[i].Version = policy.ListVersion(lists[i].Entries)
	}
	return lists, nil
}

// GetList returns a list of a wallet, or ErrListNotFound.
func (s *Service) GetList(ctx context.Context, access wallet.Access, name string) (List, error) {
	lists, err := s.Lists(ctx, access)
	if err != nil {
		return List{}, err
	}
	i := slices.IndexFunc(lists, func(l List) bool { return l.List == name })
	if i < 0 {
		return List{}, ErrListNotFound
	}
	return lists[i], nil
}

// Changes returns the pending changes of the policies and lists of a wallet. Every member may
// read them.
func (s *Service) Changes(ctx context.Context, access wallet.Access) ([]Change, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return s.store.PolicyChanges(ctx, v.ID)
}

// ServerChanges returns the pending change of the policy of the server. The caller must be an
// admin.
func (s *Service) ServerChanges(ctx context.Context, who *auth.Principal) ([]Change, error) {
	if err := requireAdmin(who); err != nil {
		return nil, err
	}
	return s.store.PolicyChanges(ctx, "")
}

// Budget is a window of a rule and what counts in it.
type Budget struct {
	Kind   policy.Kind
	User   string // name of the member
	Rule   string
	Window policy.Window
	Spent  policy.Spent
}

// Usage returns the windows of the policies of a wallet and of the caller in it, with what
// counts in them now. Every member may read it.
func (s *Service) Usage(ctx context.Context, access wallet.Access) ([]Budget, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	who := access.Caller()
	var budgets []Budget
	for _, t := range targetsIn(v.ID, who) {
		p, err := s.read(ctx, who, t)
		if errors.Is(err, ErrPolicyNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if budgets, err = s.addBudgets(ctx, budgets, p); err != nil {
			return nil, err
		}
	}
	return budgets, nil
}

func (s *Service) addBudgets(ctx context.Context, budgets []Budget, p Policy) ([]Budget, error) {
	end := s.trusted(s.now())
	within := map[time.Duration]map[string]policy.Spent{}
	for _, r := range p.Allow {
		for _, w := range r.Windows {
			if _, ok := within[w.Per]; !ok {
				spent, err := s.store.SpentSince(ctx, p.Subject(), end.Add(-w.Per))
				if err != nil {
					return nil, err
				}
				within[w.Per] = spent
			}
			budgets = append(budgets, Budget{Kind: p.Kind, User: p.User, Rule: r.Name, Window: w, Spent: within[w.Per][r.Name]})
		}
	}
	return budgets, nil
}

// trusted returns the time until which delays have ended, and from which windows extend back:
// while the clock is in doubt, the last time at which it was trusted, if that is before now.
func (s *Service) trusted(now time.Time) time.Time {
	if trusted := s.watch.Trusted(now); trusted.Before(now) {
		return trusted
	}
	return now
}

// requestedAt returns the time at which a delay begins. While the clock is in doubt, it is the
// later one, so that the delay does not end early when the clock is corrected.
func (s *Service) requestedAt(now time.Time) time.Time {
	if trusted := s.watch.Trusted(now); trusted.After(now) {
		return trusted
	}
	return now
}

// Simulation is the result of Simulate.
type Simulation struct {
	Limits []fault.Limit // that the payment exceeds; empty if it is permitted
	// PermittedAt is the first time at which all policies permit a refused payment; zero if none
	// can be named. See policy.Decision.
	PermittedAt time.Time
	Review      *proposal.Review // what it requires; nil if no policy applies or it is refused
	Amount      btc.Amount       // of the recipients
	Fee         btc.Amount       // in a payment that is permitted
	// Warnings are about the policies of the wallet and of the caller in it.
	Warnings []policy.Warning
}

// Simulate reports what the policies say about a payment, by a dry run of its creation. The
// caller must be a proposer. It returns the errors of proposal.Service.Create for other reasons.
func (s *Service) Simulate(ctx context.Context, access wallet.Access, o proposal.CreateParams) (Simulation, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleProposer)
	if err != nil {
		return Simulation{}, err
	}
	o.DryRun = true
	p, err := s.proposals.Create(ctx, access, o)
	result := Simulation{Review: p.Review, Amount: p.Sent(), Fee: p.Fee}
	if f, ok := errors.AsType[*fault.Error](err); ok && errors.Is(f, proposal.ErrPolicyRefused) {
		result = Simulation{Limits: f.Limits, PermittedAt: f.PermittedAt}
	} else if err != nil {
		return Simulation{}, err
	}
	for _, t := range targetsIn(v.ID, access.Caller()) {
		stored, err := s.store.StoredPolicy(ctx, t)
		if err != nil {
			return Simulation{}, err
		}
		p, err := parseOrAll(t.Kind, stored.Document)
		if err != nil {
			return Simulation{}, err
		}
		result.Warnings = append(result.Warnings, p.Warnings()...)
	}
	return result, nil
}

// targetsIn returns the policies of a wallet that apply to a user.
func targetsIn(walletID string, who *auth.Principal) []Target {
	return []Target{{Kind: policy.Wallet, WalletID: walletID}, {Kind: policy.Member, WalletID: walletID, UserID: who.UserID, User: who.UserName}}
}

// ColdcardHSM returns the policy of a wallet for the HSM mode of a Coldcard, and the gaps
// between both.
func (s *Service) ColdcardHSM(ctx context.Context, access wallet.Access) ([]byte, []policy.Gap, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.read(ctx, access.Caller(), Target{Kind: policy.Wallet, WalletID: v.ID})
	if err != nil {
		return nil, nil, err
	}
	o := policy.ColdcardOptions{Network: s.network(), Lists: p.Lists}
	if len(v.Keys) > 1 {
		o.Multisig = v.Name
	}
	return policy.ColdcardHSM(p.Policy, o)
}
