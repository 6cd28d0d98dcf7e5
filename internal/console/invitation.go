package console

import (
	"errors"
	"slices"

	"github.com/specterd/specterd/internal/wallet"
)

var invitationRoutes = []route{
	{method: get, path: "/invitations/{id}", audience: users, handle: (*call).showInvitation},
	{method: post, path: "/invitations/{id}/accept", audience: users, handle: (*call).acceptInvitation},
	{method: post, path: "/invitations/{id}/decline", audience: users, handle: (*call).declineInvitation},
}

var invitationNotices = map[string]string{
	"invitation-accepted": "You are a member of this wallet now.",
	"invitation-declined": "You have declined the invitation.",
}

// invitationPage shows an invitation to the invited user, who can choose an alias.
type invitationPage struct {
	Invitation wallet.Invitation
	Means      string // what the role may do
	Form       form
}

// state implements stateful.
func (p invitationPage) state() string { return stateOf(p.Invitation.ID, p.Invitation.Role) }

// roleMeanings state what a member with a role can do.
var roleMeanings = map[string]string{
	"viewer":   "You will see its balances, addresses, history and proposals.",
	"proposer": "You will see everything in it, reveal addresses, edit labels and propose payments.",
	"signer":   "You will also add signatures to its payments, and broadcast them.",
	"owner":    "You will also manage its members and settings, and can delete it.",
}

func (c *call) showInvitation() error { return c.renderInvitation(c.newForm(nil)) }

func (c *call) renderInvitation(f form) error {
	all, err := c.Wallets.OwnInvitations(c.r.Context(), c.who)
	if err != nil {
		return err
	}
	id := c.param("id")
	at := slices.IndexFunc(all, func(i wallet.Invitation) bool { return i.ID == id })
	if at < 0 {
		return errNoInvitation
	}
	p := invitationPage{Invitation: all[at], Means: c.look.T(roleMeanings[string(all[at].Role)]), Form: f}
	return c.renderForm(f, "invitation", c.look.T("Invitation"), p)
}

var errNoInvitation = errNoPage.WithMessage("This invitation does not exist any more: it was accepted, withdrawn or has expired.")

// acceptInvitation makes the user a member of the wallet. If the alias of the wallet is taken, it
// asks for another one.
func (c *call) acceptInvitation() error {
	v, err := c.Wallets.Accept(c.r.Context(), c.who, c.param("id"), c.form.Get("alias"))
	if err != nil {
		f, err := again(err)
		if err != nil {
			return invitationError(err)
		}
		return c.renderInvitation(c.newForm(f))
	}
	return c.redirect(walletPath(v.Alias), "invitation-accepted")
}

func (c *call) declineInvitation() error {
	if err := c.Wallets.EndInvitation(c.r.Context(), c.who, c.param("id")); err != nil {
		return invitationError(err)
	}
	return c.redirect("/", "invitation-declined")
}

func invitationError(err error) error {
	if errors.Is(err, wallet.ErrInvitationNotFound) {
		return errNoInvitation
	}
	return err
}
