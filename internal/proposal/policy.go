package proposal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
)

// ServerSubject is the subject of the policy of the server: what its rules are charged for.
const ServerSubject = "server"

// WalletSubject returns the subject of the policy of a wallet.
func WalletSubject(walletID string) string { return "wallet:" + walletID }

// MemberSubject returns the subject of the policy of a member.
func MemberSubject(walletID, userID string) string { return "member:" + walletID + ":" + userID }

// TokenSubject returns the subject of the policy of a token.
func TokenSubject(policyID string) string { return "token:" + policyID }

// Moment is the time at which policies are evaluated.
type Moment struct {
	Network btc.Network
	Now     time.Time
	// Trusted is the last time at which the clock could be trusted: Now unless it is in doubt.
	Trusted time.Time
	// AtOnce refuses payments that require approvals or a delay.
	AtOnce bool
}

// charged returns the time at which a payment counts in windows. While the clock is in doubt,
// it is the later one, so that the payment does not leave its windows earlier.
func (m Moment) charged() time.Time {
	if m.Trusted.After(m.Now) {
		return m.Trusted
	}
	return m.Now
}

// reached reports whether a time has come. While the clock is in doubt, this requires that it had
// come before.
func (m Moment) reached(t time.Time) bool {
	return !t.After(m.Now) && (m.Trusted.IsZero() || !t.After(m.Trusted))
}

// Rules gives access to the policies that apply to a proposal, in the transaction that stores
// it.
type Rules interface {
	// Layers returns the layers that apply to a payment of p.
	Layers(p *Proposal) ([]policy.Layer, error)
	// Evaluate evaluates p under layers. What p itself and the payments that it replaces
	// count for in windows is ignored as far as p takes it over.
	Evaluate(p *Proposal, layers []policy.Layer, m Moment) (policy.Decision, error)
	// Recheck compares p only with what depends on the moment in the rules that it was
	// charged to; see policy.Evaluator.
	Recheck(p *Proposal, layers []policy.Layer, m Moment) (policy.Decision, error)
	// Approvers returns the active members of the wallet of p.
	Approvers(p *Proposal) ([]Approver, error)
}

// Approver is a member of a wallet who is not disabled.
type Approver struct {
	UserID, UserName string
	Role             auth.WalletRole
	Admin            bool
}

// Review contains what policies require of a proposal before its release, as of the last
// evaluation.
type Review struct {
	// Hash is the SHA-256 of the transaction and of the versions of the policies, in
	// hexadecimal. Approvals count only for the hash that they were given for.
	Hash      string               `json:"hash"`
	Required  []policy.Requirement `json:"required,omitempty"`
	Missing   []int                `json:"missing,omitempty"`   // how many approvals each requirement lacks
	ReleaseAt time.Time            `json:"release_at,omitzero"` // not before this; zero without a delay
	Released  bool                 `json:"released,omitempty"`
	Charges   []policy.Charge      `json:"charges,omitempty"`
	// ChargedAt is the time at which it counts in windows.
	ChargedAt time.Time `json:"charged_at,omitzero"`
	// Tokens are the policies of the creator's token and of its ancestors, which apply even
	// if the tokens are deleted. They never change.
	Tokens []TokenPolicy `json:"tokens,omitempty"`
}

// TokenPolicy is the policy of a token, with the subject of its charges.
type TokenPolicy struct {
	Subject  string `json:"subject"`
	Document string `json:"document"`
}

// Approval is the decision of an approver about a proposal.
type Approval struct {
	At      time.Time
	By      Actor
	Rejects bool
	Reason  string // of a rejection
	Hash    string // see Review
}

// Held reports whether the proposal awaits approval or the end of a delay, or was closed
// before its release. Its PSBT must not be shown.
func (p *Proposal) Held() bool {
	return p.Review != nil && !p.Review.Released && p.Status != Broadcast && p.Status != Confirmed
}

// Withheld returns ErrAwaiting, or ErrWrongState if the proposal was closed before its release,
// while its PSBT must not be shown.
func (p *Proposal) Withheld() error {
	switch {
	case !p.Held():
		return nil
	case p.Status == AwaitingApproval:
		return p.awaiting()
	}
	return ErrWrongState.WithMessage("the proposal was closed before it was released for signing").WithDetail("status", string(p.Status))
}

// reviewHash returns the hash that approvals are bound to.
func reviewHash(p *Proposal, layers []policy.Layer) string { return hashOf(p, versionsOf(layers)) }

func hashOf(p *Proposal, versions string) string {
	sum := sha256.Sum256([]byte(p.Txid + "\n" + versions)) // the txid is a hash of the transaction without signatures
	return hex.EncodeToString(sum[:])
}

// versionsOf returns the versions of layers as text; empty for none.
func versionsOf(layers []policy.Layer) string {
	var b strings.Builder
	for _, l := range layers {
		fmt.Fprintf(&b, "%s %s\n", l.Subject, policy.Version(l.Policy, l.Lists))
	}
	return b.String()
}

// NotePolicies sets PoliciesChanged. It keeps the versions of the policies in known for the other
// proposals of a wallet, because long lists take time to read; known may be nil.
func (p *Proposal) NotePolicies(rules Rules, known map[string]string) error {
	p.PoliciesChanged = false
	if !p.Status.Open() || p.Status == AwaitingApproval { // which the policies determine again when they change
		return nil
	}
	key := p.Creator.UserID
	if p.Review != nil {
		for _, t := range p.Review.Tokens {
			key += " " + t.Subject
		}
	}
	versions, ok := known[key]
	if !ok {
		layers, err := rules.Layers(p)
		if err != nil {
			return err
		}
		versions = versionsOf(layers)
		if known != nil {
			known[key] = versions
		}
	}
	if p.Review == nil {
		p.PoliciesChanged = versions != ""
	} else {
		p.PoliciesChanged = p.Review.Hash != hashOf(p, versions)
	}
	return nil
}

// Admit evaluates the policies that apply to a new proposal. It returns ErrPolicyRefused if
// they do not permit it; otherwise it sets Review and, if the proposal must be approved or
// delayed, its status.
func (p *Proposal) Admit(rules Rules, m Moment) error {
	layers, err := rules.Layers(p)
	if err != nil || len(layers) == 0 {
		return err
	}
	d, err := rules.Evaluate(p, layers, m)
	if err != nil {
		return err
	}
	if len(d.Refusals) > 0 {
		return refusedBy(d)
	}
	p.assess(layers, d, m)
	if p.Review.Released {
		return nil
	}
	if m.AtOnce {
		return p.awaiting()
	}
	if !p.Review.ReleaseAt.Before(p.ExpiresAt) {
		return fault.InvalidField("expires_at", "must be more than %s in the future: a spending policy delays the payment until then, and it could never be signed", policy.Period(d.Delay))
	}
	p.TryAt = p.Review.ReleaseAt
	p.moveTo(AwaitingApproval, Actor{}, "", p.CreatedAt)
	return nil
}

// assess sets Review according to a decision. It is released if nothing is required.
func (p *Proposal) assess(layers []policy.Layer, d policy.Decision, m Moment) {
	r := Review{Hash: reviewHash(p, layers), Required: d.Required, Charges: d.Charges, ChargedAt: m.charged()}
	if was := p.Review; was != nil {
		r.ChargedAt, r.Tokens = was.ChargedAt, was.Tokens
	} else {
		for _, l := range layers {
			if l.Kind == policy.Token {
				r.Tokens = append(r.Tokens, TokenPolicy{Subject: l.Subject, Document: string(l.Policy.Canonical())})
			}
		}
	}
	for _, required := range d.Required {
		r.Missing = append(r.Missing, required.Count)
	}
	if d.Delay > 0 {
		r.ReleaseAt = r.ChargedAt.Add(d.Delay)
	}
	p.Review = &r
	r.Released = len(r.Required) == 0 && m.reached(r.ReleaseAt)
}
