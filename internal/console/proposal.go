package console

import (
	"net/url"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// proposalRoutes are the pages of payments: send, proposals, QR codes.
var proposalRoutes = slices.Concat([]route{
	{method: get, path: sharedProposalPath, audience: users, handle: (*call).findProposal},
	{method: get, path: "/wallets/{alias}/proposals", audience: users, role: auth.RoleViewer, handle: (*call).listProposals},
	{method: get, path: "/wallets/{alias}/proposals/{id}", audience: users, role: auth.RoleViewer, handle: (*call).showProposal},
	{method: get, path: "/wallets/{alias}/proposals/{id}/psbt", audience: users, role: auth.RoleViewer, handle: (*call).downloadPSBT},
	{method: get, path: "/wallets/{alias}/proposals/{id}/qr", audience: users, role: auth.RoleViewer, handle: (*call).showCodes},
	{method: post, path: "/wallets/{alias}/proposals/{id}/signatures", audience: users, role: auth.RoleSigner, heavy: true, handle: (*call).addSignatures},
	{method: post, path: "/wallets/{alias}/proposals/{id}/broadcast", audience: users, role: auth.RoleSigner, proof: true, purpose: "To broadcast a payment of %[1]s, enter your password again.", heavy: true, handle: (*call).broadcast},
	{method: post, path: "/wallets/{alias}/proposals/{id}/cancel", audience: users, role: auth.RoleProposer, handle: (*call).cancelProposal},
	{method: post, path: "/wallets/{alias}/proposals/{id}/abandon", audience: users, role: auth.RoleSigner, handle: (*call).abandonProposal},
	{method: get, path: "/wallets/{alias}/proposals/{id}/bump", audience: users, role: auth.RoleProposer, handle: (*call).showBump},
	{method: post, path: "/wallets/{alias}/proposals/{id}/bump", audience: users, role: auth.RoleProposer, heavy: true, handle: (*call).bump},
}, reviewRoutes, sendRoutes, scanRoutes)

// proposalNotices are the notices of these pages.
var proposalNotices = merged(reviewNotices, map[string]string{
	"proposal-created":   "The proposal is created and its UTXOs are reserved. Nothing is broadcast before it has enough signatures.",
	"signatures-known":   "The proposal already has these signatures. Nothing was changed.",
	"broadcast":          "The payment was broadcast.",
	"proposal-cancelled": "The proposal is cancelled, and its UTXOs are available again.",
	"proposal-abandoned": "The payment is abandoned, and its UTXOs are available again.",
})

// signaturesAdded is the notice code after which the page of a proposal reports the latest
// signatures.
const signaturesAdded = "signatures-added"

// proposalPage is the page of a proposal.
type proposalPage struct {
	payment

	Base     string // path of the page
	Link     string // address of the proposal that is the same for all members
	Form     form   // the form that was refused, if any
	Refused  string // which form was refused: signatures, or the name of another action
	Required int    // signatures
	Keys     []keyRow
	Added    []keyRow // the keys of the signatures that were just added
	People   []string // names of the other members who can sign and broadcast
	CanSign  bool     // whether the user's role covers signing
	MayEnd   bool     // whether the user may cancel it
	MayBump  bool
	Overdue  bool   // whether it has expired, even if that was not recorded yet
	Codes    *codes // how to show the PSBT to a device; nil if it need not be signed
	PSBTText string // in base64; empty if it is too long for the page
	RawHex   string
	Approval *approvals // what policies require; nil if no policy applied
	script   btc.Script
	Remedy   string // path of the form for a payment that invalidates the cancelled transaction
}

// keyRow is a key of the wallet and its signatures.
type keyRow struct {
	wallet.Key

	Number int // starting at 1
	Inputs int // number of inputs that it has signed
	Signed bool
	Last   *proposal.Signature
}

// Missing returns the number of signatures that are missing.
func (p proposalPage) Missing() int { return max(0, p.Required-p.Signatures()) }

// state implements stateful.
func (p *proposalPage) state() string {
	state := stateOf(p.Version, p.Status, p.Overdue, p.MayEnd, p.MayBump, p.CanSign)
	if p.Approval != nil {
		state = stateOf(state, p.Approval.Needs, p.Approval.Delayed, p.Approval.MayDecide, p.Approval.MayReject)
	}
	return state
}

// ChangesTxid reports whether signatures change the txid: they do in inputs with a scriptSig, which
// only native segwit scripts lack.
func (p proposalPage) ChangesTxid() bool {
	return !slices.Contains([]btc.Script{btc.WPKH, btc.WSh, btc.TR}, p.script)
}

// Local reports whether Link works only on the computer of the user.
func (p proposalPage) Local() bool {
	u, err := url.Parse(p.Link)
	return err == nil && (u.Hostname() == "localhost" || isLoopback(u.Hostname()))
}

// Stage returns the next action: sign, broadcast, wait for a block, or one of the ends.
func (p proposalPage) Stage() string {
	switch {
	case p.Status.Open() && p.Overdue:
		return "overdue"
	case p.Status == proposal.AwaitingApproval:
		return "approve"
	case p.Status == proposal.Created || p.Status == proposal.PartiallySigned:
		return "sign"
	case p.Status == proposal.Complete:
		return "broadcast"
	case p.Status == proposal.Broadcast:
		return "wait"
	case p.Status == proposal.Confirmed:
		return "done"
	}
	return "ended"
}

// sharedProposalPath is the path of a proposal that is the same for all members.
const sharedProposalPath = "/p/{id}"

// findProposal redirects from the address of a proposal that is the same for all members to
// its page in the caller's wallet.
func (c *call) findProposal() error {
	found, err := c.findProposals(c.param("id"))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errNoPage
	}
	return c.redirect(found[0].Path, "")
}

// proposal returns the proposal that the path names.
func (c *call) proposal() (proposal.Proposal, error) {
	p, err := c.Proposals.Get(c.r.Context(), c.access, c.param("id"))
	return p, missing(err, proposal.ErrNotFound)
}

func (c *call) proposalPath(id string, parts ...string) string {
	return c.walletPath(append([]string{"proposals", id}, parts...)...)
}

// stepTitles are the actions in the history of a proposal.
var stepTitles = map[string]string{
	"created": "Proposed", "signed": "Signature added", "partially_signed": "Signatures added, more required", "complete": "Signatures completed",
	"broadcast": "Broadcast to the network", "confirmed": "Confirmed in a block", "cancelled": "Cancelled", "expired": "Expired", "awaiting_approval": "Awaits approval", "approved": "Approved", "rejected": "Rejected", "conflicted": "Conflicted", "replaced": "Replaced",
	released: "Released for signing",
}

// released is the detail of the step in which a proposal that awaited approval can be signed.
const released = "released"

// Title returns the name of a step, which is the key of its translation.
func (s proposalStep) Title() string {
	if s.Detail == released {
		return stepTitles[released]
	}
	return stepTitles[s.Action]
}

// Note returns the detail of a step that neither its name nor its keys contain.
func (s proposalStep) Note() string {
	if s.Detail == released || len(s.Keys) > 0 {
		return ""
	}
	return s.Detail
}

// proposalStep is an entry in the history of a proposal.
type proposalStep struct {
	proposal.Step

	Keys []keyRow // whose signatures were added
}

// History returns the entries of the history. The status that signatures lead to has no entry of
// its own.
func (p proposalPage) History() []proposalStep {
	var entries []proposalStep
	for i, s := range p.Steps {
		if s.Action == stepSigned {
			entries = append(entries, proposalStep{s, p.keysSignedAt(s.At)})
			continue
		}
		isResult := i > 0 && p.Steps[i-1].Action == stepSigned && s.At.Equal(p.Steps[i-1].At)
		switch status := proposal.Status(s.Action); {
		case isResult && status == proposal.PartiallySigned:
		case isResult && status == proposal.Complete:
			entries[len(entries)-1].Action = s.Action
		default:
			entries = append(entries, proposalStep{Step: s})
		}
	}
	return entries
}

// stepSigned is the action of a step that adds signatures.
const stepSigned = "signed"

// keysSignedAt returns the keys whose signatures were added at a time.
func (p proposalPage) keysSignedAt(at time.Time) []keyRow {
	return slices.DeleteFunc(slices.Clone(p.Keys), func(k keyRow) bool {
		return !slices.ContainsFunc(p.Proposal.Signatures, func(s proposal.Signature) bool { return s.Key == k.Number-1 && s.At.Equal(at) })
	})
}

func (c *call) showProposal() error { return c.renderProposal(c.newForm(nil), "") }

// renderProposal shows the page of a proposal. Refused names the action whose form was refused,
// if any.
func (c *call) renderProposal(f form, refused string) error {
	p, err := c.proposal()
	if err != nil {
		return err
	}
	page, err := c.proposalPage(p)
	if err != nil {
		return err
	}
	page.Form, page.Refused = f, refused
	if c.query("done") == signaturesAdded {
		page.Added = page.latest()
	}
	return c.renderForm(f, "proposal", c.look.T("Proposal"), &page)
}

// refused handles an error of a form on the page of a proposal: it shows the page again with
// the problem, if there is one to show.
func (c *call) refused(action string, err error) error {
	f, err := again(missing(err, proposal.ErrNotFound))
	if err != nil {
		return err
	}
	return c.renderProposal(c.newForm(f), action)
}

// proposalPage returns the content of the page of a proposal.
func (c *call) proposalPage(p proposal.Proposal) (proposalPage, error) {
	ctx := c.r.Context()
	page := proposalPage{
		Base: c.proposalPath(p.ID), Link: c.origin() + "/p/" + p.ID, Required: c.view.SignaturesRequired, CanSign: c.view.Role.Covers(auth.RoleSigner), script: c.view.Script,
		Overdue: !c.Now().Before(p.ExpiresAt), Keys: keysOf(c.view, p),
	}
	members, err := c.Wallets.Members(ctx, c.access)
	if err != nil {
		return page, err
	}
	page.People, page.Approval = c.otherSigners(members), c.approvalsOf(p, members)
	page.MayEnd = c.view.Role.Covers(auth.RoleSigner) || p.Creator.UserID == c.who.UserID && c.view.Role.Covers(auth.RoleProposer)
	page.MayBump = c.view.Role.Covers(auth.RoleProposer) && (p.Status == proposal.Broadcast || p.Status.Open() && !page.Overdue && page.MayEnd)
	if page.payment, err = c.paymentOf(p); err != nil {
		return page, err
	}
	if err = c.noteWallets(&page.payment); err != nil {
		return page, err
	}
	if page.Unconfirmed, err = c.Proposals.UnconfirmedInputs(ctx, c.access, p.ID); err != nil {
		return page, err
	}
	if stage := page.Stage(); stage == "sign" || stage == "broadcast" {
		page.addCodes(c, p)
	}
	if o := c.Proposals.Remedy(ctx, p); o != nil && c.view.Role.Covers(auth.RoleProposer) {
		page.Remedy = c.sendPath("recipients[0].address", o.Recipients[0].Address, "utxos", o.UTXOs[0].String(), "send_max", "1")
	}
	return page, nil
}

// otherSigners returns the names of the other members who can sign and broadcast.
func (c *call) otherSigners(members []wallet.Member) (names []string) {
	for _, m := range members {
		if m.UserID != c.who.UserID && m.Role.Covers(auth.RoleSigner) {
			names = append(names, m.UserName)
		}
	}
	return names
}

// keysOf returns the keys of a wallet, with what each has signed.
func keysOf(v wallet.View, p proposal.Proposal) []keyRow {
	rows := make([]keyRow, len(v.Keys))
	for i, k := range v.Keys {
		n := p.Signed(i)
		rows[i] = keyRow{Key: k, Number: i + 1, Inputs: n, Signed: n == len(p.Inputs), Last: p.LastSignature(i)}
	}
	return rows
}

// latest returns the keys whose signatures were added last, together.
func (p proposalPage) latest() []keyRow {
	var last []keyRow
	for _, k := range p.Keys {
		switch {
		case k.Last == nil:
		case len(last) == 0 || k.Last.At.After(last[0].Last.At):
			last = []keyRow{k}
		case k.Last.At.Equal(last[0].Last.At):
			last = append(last, k)
		}
	}
	return last
}

// expectedVersion returns the version of a proposal that a form was shown for.
func (c *call) expectedVersion() (proposal.Versions, error) {
	text := c.form.Get("version")
	if text == "" {
		return nil, nil
	}
	n, err := parseCount(text)
	if err != nil {
		return nil, fault.InvalidField("version", "must be a number")
	}
	return proposal.Versions{n}, nil
}
