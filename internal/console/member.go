package console

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

var memberRoutes = []route{
	{method: get, path: "/wallets/{alias}/members", audience: users, role: auth.RoleViewer, handle: (*call).members},
	{method: post, path: "/wallets/{alias}/members", audience: users, role: auth.RoleOwner, proof: true, purpose: "To invite a member to %s, enter your password again.", handle: (*call).inviteMember},
	{method: post, path: "/wallets/{alias}/members/{user}", audience: users, role: auth.RoleOwner, proof: true, purpose: "To change the role of %[2]s in %[1]s, enter your password again.", handle: (*call).changeMember},
	{method: post, path: "/wallets/{alias}/members/{user}/remove", audience: users, role: auth.RoleViewer, proof: true, purpose: "To remove %[2]s from %[1]s, enter your password again.", handle: (*call).removeMember},
	{method: post, path: "/wallets/{alias}/invitations/{id}/withdraw", audience: users, role: auth.RoleOwner, proof: true, purpose: "To withdraw an invitation to %[1]s, enter your password again.", handle: (*call).withdrawInvitation},
}

var memberNotices = map[string]string{
	"member-invited":      "The invitation was created. It can be accepted for 14 days.",
	"invitation-gone":     "The invitation was withdrawn.",
	"member-changed":      "The role was changed.",
	"member-removed":      "The member was removed.",
	"wallet-left":         "You left the wallet.",
	"role-was-the-same":   "The member had this role already. Nothing was changed.",
	"invitation-was-gone": "The invitation was accepted, declined or withdrawn before. Nothing was changed.",
}

// memberPage is the page of a wallet's members.
type memberPage struct {
	Form        form
	Members     []wallet.Member
	Invitations []wallet.Invitation // only for owners
	Roles       []roleText
	Rights      []rightText
	LastOwner   bool // whether there is one owner
	Required    int  // signatures
	Keys        int
	Now         time.Time
}

// state implements stateful.
func (p memberPage) state() string {
	states := []any{p.LastOwner}
	for _, m := range p.Members {
		states = append(states, m.UserID, m.Role)
	}
	for _, i := range p.Invitations {
		states = append(states, i.ID)
	}
	return stateOf(states...)
}

// roleText is a role in words.
type roleText struct {
	Role auth.WalletRole
	Text string
}

var roleTexts = []roleText{
	{auth.RoleViewer, "sees everything, and changes nothing"},
	{auth.RoleProposer, "also requests addresses and proposes payments"},
	{auth.RoleSigner, "also adds signatures and broadcasts"},
	{auth.RoleOwner, "also manages the wallet and its members"},
}

// rightText is something that members may do from a role on.
type rightText struct {
	Text  string
	Since auth.WalletRole
}

// May reports whether a role includes the right.
func (r rightText) May(role auth.WalletRole) bool { return role.Covers(r.Since) }

var rightTexts = []rightText{
	{"See balances, addresses, history, labels, proposals and members", auth.RoleViewer},
	{"Export the public keys and the descriptor", auth.RoleViewer},
	{"Reveal receive addresses, and edit labels", auth.RoleProposer},
	{"Propose payments, and cancel their own proposals", auth.RoleProposer},
	{"Add signatures to proposals", auth.RoleSigner},
	{"Broadcast payments that have all signatures", auth.RoleSigner},
	{"Freeze UTXOs, and cancel the proposals of others", auth.RoleSigner},
	{"Invite and remove members, and change their roles", auth.RoleOwner},
	{"Rename, rescan and delete the wallet", auth.RoleOwner},
}

func (c *call) memberPage(f *fault.Error) (memberPage, error) {
	ctx := c.r.Context()
	p := memberPage{Form: c.newForm(f), Roles: roleTexts, Rights: rightTexts, Required: c.view.SignaturesRequired, Keys: len(c.view.Keys), Now: c.Now()}
	var err error
	if p.Members, err = c.Wallets.Members(ctx, c.access); err != nil {
		return p, err
	}
	owners := 0
	for _, m := range p.Members {
		if m.Role.Covers(auth.RoleOwner) {
			owners++
		}
	}
	p.LastOwner = owners == 1
	if c.view.Role.Covers(auth.RoleOwner) {
		p.Invitations, err = c.Wallets.Invitations(ctx, c.access)
	}
	return p, err
}

func (c *call) members() error {
	p, err := c.memberPage(nil)
	if err != nil {
		return err
	}
	return c.render("members", c.look.T("Members"), p)
}

// refuseMembers shows the page with the problem of a form.
func (c *call) refuseMembers(err error) error {
	f, err := again(err)
	if err != nil {
		return err
	}
	p, err := c.memberPage(f)
	if err != nil {
		return err
	}
	return c.renderAs(f, "members", c.look.T("Members"), p)
}

func (c *call) inviteMember() error {
	user, role := strings.TrimSpace(c.form.Get("user")), auth.WalletRole(c.form.Get("role"))
	if _, err := c.Wallets.Invite(c.r.Context(), c.access, user, role); err != nil {
		if errors.Is(err, wallet.ErrMemberExists) || errors.Is(err, wallet.ErrInvitationExists) {
			found, _ := errors.AsType[*fault.Error](err)
			err = found.WithField("user", "%s", found.Message)
		}
		return c.refuseMembers(unwrapFault(err))
	}
	return c.redirect(c.walletPath("members"), "member-invited")
}

func (c *call) changeMember() error {
	role := auth.WalletRole(c.form.Get("role"))
	members, err := c.Wallets.Members(c.r.Context(), c.access)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(members, func(m wallet.Member) bool { return auth.FoldName(m.UserName) == auth.FoldName(c.param("user")) })
	switch {
	case at < 0:
		return errNoPage // PutMember would add a user, if that is enabled
	case members[at].Role == role:
		return c.redirect(c.walletPath("members"), "role-was-the-same")
	}
	if _, _, err := c.Wallets.PutMember(c.r.Context(), c.access, c.param("user"), role); err != nil {
		return c.refuseMembers(unwrapFault(err))
	}
	return c.redirect(c.walletPath("members"), "member-changed")
}

func (c *call) removeMember() error {
	user := c.param("user")
	err := c.Wallets.RemoveMember(c.r.Context(), c.access, user)
	switch {
	case errors.Is(err, wallet.ErrMemberMissing):
		return errNoPage
	case err != nil:
		return c.refuseMembers(unwrapFault(err))
	case auth.FoldName(user) == auth.FoldName(c.who.UserName):
		return c.redirect("/", "wallet-left")
	}
	return c.redirect(c.walletPath("members"), "member-removed")
}

func (c *call) withdrawInvitation() error {
	found, err := c.Wallets.Invitations(c.r.Context(), c.access)
	if err != nil {
		return err
	}
	id := c.param("id")
	if !slices.ContainsFunc(found, func(i wallet.Invitation) bool { return i.ID == id }) {
		return c.redirect(c.walletPath("members"), "invitation-was-gone")
	}
	if err := c.Wallets.EndInvitation(c.r.Context(), c.who, id); err != nil {
		return err
	}
	return c.redirect(c.walletPath("members"), "invitation-gone")
}

// unwrapFault returns the fault in a chain of errors for again, and other errors unchanged.
func unwrapFault(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return err
}

// IsLast reports whether a member is the last owner, who cannot be removed or demoted.
func (p memberPage) IsLast(m wallet.Member) bool { return p.LastOwner && m.Role.Covers(auth.RoleOwner) }
