package console

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/wallet"
)

// policyRoutes are the pages of the policies of wallets, their members, and the server.
var policyRoutes = slices.Concat(
	policyRoutesAt("/wallets/{alias}/policy", users, auth.RoleViewer, auth.RoleOwner, policyPurposes{
		"To change the spending policy of %s, enter your password again.",
		"To approve a change of the spending policy of %[1]s, enter your password again.",
		"To cancel a change of the spending policy of %[1]s, enter your password again.",
	}),
	policyRoutesAt("/wallets/{alias}/members/{user}/policy", users, auth.RoleViewer, auth.RoleOwner, policyPurposes{
		"To change the spending policy of %[2]s in %[1]s, enter your password again.",
		"To approve a change of the spending policy of %[2]s in %[1]s, enter your password again.",
		"To cancel a change of the spending policy of %[2]s in %[1]s, enter your password again.",
	}),
	policyRoutesAt("/policy", admins, "", "", policyPurposes{
		"To change the policy of the server, enter your password again.",
		"To approve a change of the server's policy, enter your password again.",
		"To cancel a change of the server's policy, enter your password again.",
	}),
	[]route{
		{method: get, path: "/wallets/{alias}/policy/coldcard", audience: users, role: auth.RoleViewer, handle: (*call).exportColdcard},
	},
)

// policyPurposes are the purposes of the routes of a policy.
type policyPurposes struct{ change, approve, cancel string }

// policyRoutesAt returns the pages of the policy at a path, which members with the role view can
// read and those with the role edit can change.
func policyRoutesAt(path string, who audience, view, edit auth.WalletRole, purposes policyPurposes) []route {
	return []route{
		{method: get, path: path, audience: who, role: view, handle: (*call).showPolicy},
		{method: post, path: path, audience: who, role: edit, proof: true, purpose: purposes.change, handle: (*call).savePolicy},
		{method: get, path: path + "/edit", audience: who, role: edit, handle: (*call).editPolicy},
		{method: post, path: path + "/edit", audience: who, role: edit, handle: (*call).reviewPolicy},
		{method: get, path: path + "/delete", audience: who, role: edit, handle: (*call).reviewDeletion},
		{method: post, path: path + "/changes/{id}/approve", audience: who, role: view, proof: true, purpose: purposes.approve, handle: (*call).approveChange},
		{method: post, path: path + "/changes/{id}/cancel", audience: who, role: edit, proof: true, purpose: purposes.cancel, handle: (*call).cancelChange},
	}
}

var policyNotices = map[string]string{
	"policy-saved":     "The policy was changed. It applies from now on, also to proposals that are not broadcast yet.",
	"policy-unchanged": "The policy is the same as before. Nothing was changed.",
	"policy-deleted":   "The policy was deleted.",
	"policy-requested": "The change permits more than before. It takes effect when its conditions are met; until then, the current policy applies.",
	"change-approved":  "Your approval is recorded.",
	"change-cancelled": "The change was cancelled. The current policy stays.",
	"list-saved":       "The list was changed.",
	"list-unchanged":   "The list is the same as before. Nothing was changed.",
	"list-deleted":     "The list was deleted.",
}

// policyAt is the policy that the pages of a call are about.
type policyAt struct {
	Kind policy.Kind
	User string // name of the member
	Base string // path of the page
}

func (c *call) policyAt() policyAt {
	switch {
	case strings.HasPrefix(c.to.path, "/policy"):
		return policyAt{Kind: policy.Server, Base: "/policy"}
	case strings.Contains(c.to.path, "/members/{user}/"):
		return policyAt{policy.Member, c.param("user"), c.walletPath("members", c.param("user"), "policy")}
	}
	return policyAt{Kind: policy.Wallet, Base: c.walletPath("policy")}
}

// readPolicy returns a policy, or nil if there is none.
func (c *call) readPolicy(at policyAt) (*spending.Policy, error) {
	ctx := c.r.Context()
	var p spending.Policy
	var err error
	switch at.Kind {
	case policy.Server:
		p, err = c.Spending.GetServer(ctx, c.who)
	case policy.Member:
		p, err = c.Spending.GetMember(ctx, c.access, at.User)
	default:
		p, err = c.Spending.Get(ctx, c.access)
	}
	if errors.Is(err, spending.ErrPolicyNotFound) {
		return nil, nil
	}
	return &p, missing(err, wallet.ErrMemberMissing)
}

// policyPage is the page of a policy.
type policyPage struct {
	policyAt

	Form    form
	Rules   []ruleText
	SetBy   string
	SetAt   time.Time
	Exists  bool
	MayEdit bool
	Changes []pendingChange
	Budgets []budgetRow
	Lists   []listRow
	Members []memberPolicy // first those with a policy
	More    int            // number of members that the page does not list
	Presets []policyPreset
	// Warnings are about the policy.
	Warnings []string
}

// state implements stateful.
func (p *policyPage) state() string {
	states := []any{p.Exists, p.SetAt, p.MayEdit, len(p.Lists)}
	for _, made := range p.Changes {
		states = append(states, made.ID, made.Missing, made.MayDecide, made.MayCancel, made.Delayed)
	}
	return stateOf(states...)
}

// memberPolicy is a member in the list of policies of members.
type memberPolicy struct {
	User, Path string
	Exists     bool
}

// budgetRow is the used and the remaining part of a window of a rule.
type budgetRow struct {
	Rule, Period       string
	Max, Used          btc.Amount // of a limit of the amount
	Count, UsedCount   int        // of a limit of the number of payments
	ByAmount, ByNumber bool
}

// Left returns the remaining amount.
func (b budgetRow) Left() btc.Amount { return max(0, b.Max-b.Used) }

// LeftCount returns the remaining number of payments.
func (b budgetRow) LeftCount() int { return max(0, b.Count-b.UsedCount) }

func (c *call) showPolicy() error { return c.renderPolicy(c.newForm(nil)) }

// renderPolicy shows the policy; f is a form that may have been refused.
func (c *call) renderPolicy(f form) error {
	at := c.policyAt()
	page := policyPage{policyAt: at, Form: f, Presets: policyPresets}
	p, err := c.readPolicy(at)
	if err != nil {
		return err
	}
	page.MayEdit = at.Kind == policy.Server || c.view.Role.Covers(auth.RoleOwner)
	if p != nil {
		page.Exists, page.SetBy, page.SetAt = true, p.SetBy, p.SetAt
		page.Warnings = c.policyWarnings(p.Warnings())
		page.Rules = c.look.paragraphs(p.Describe(at.Kind, c.policyNames()))
	}
	if page.Changes, err = c.pendingChanges(at, p); err != nil {
		return err
	}
	if at.Kind != policy.Server {
		err = c.addBudgets(&page)
	}
	if err == nil && at.Kind == policy.Wallet {
		err = c.addLists(&page)
	}
	if err != nil {
		return err
	}
	return c.renderForm(f, "policy", c.look.T("Spending policy"), &page)
}

// policyNames returns the names of the user's wallets for sentences.
func (c *call) policyNames() policy.Names {
	names := sync.OnceValue(func() map[string]string {
		found, err := c.walletNames()
		if err != nil {
			return nil
		}
		return found
	})
	return policy.Names{Wallet: func(id string) string { return names()[id] }}
}

func (c *call) addBudgets(page *policyPage) error {
	budgets, err := c.Spending.Usage(c.r.Context(), c.access)
	if err != nil {
		return err
	}
	for _, b := range budgets {
		if b.Kind != page.Kind || page.Kind == policy.Member && auth.FoldName(b.User) != auth.FoldName(page.User) {
			continue
		}
		row := budgetRow{Rule: b.Rule, Period: c.look.sentence(policy.Period(b.Window.Per)), Used: b.Spent.Amount, UsedCount: b.Spent.Count}
		if b.Window.MaxSat != nil {
			row.ByAmount, row.Max = true, *b.Window.MaxSat
		}
		if b.Window.MaxCount != nil {
			row.ByNumber, row.Count = true, *b.Window.MaxCount
		}
		page.Budgets = append(page.Budgets, row)
	}
	return nil
}

// maxMemberPolicies is the maximum number of members whose policies the page of a wallet lists.
const maxMemberPolicies = 20

// addLists adds the lists of the wallet, and the policies of its members.
func (c *call) addLists(page *policyPage) error {
	lists, err := c.Spending.Lists(c.r.Context(), c.access)
	if err != nil {
		return err
	}
	for _, l := range lists {
		page.Lists = append(page.Lists, c.listRow(l))
	}
	members, err := c.Wallets.Members(c.r.Context(), c.access)
	if err != nil {
		return err
	}
	limited, err := c.Spending.MembersWithPolicy(c.r.Context(), c.access)
	if err != nil {
		return err
	}
	for _, m := range members {
		page.Members = append(page.Members, memberPolicy{m.UserName, c.walletPath("members", m.UserName, "policy"), slices.Contains(limited, m.UserID)})
	}
	slices.SortStableFunc(page.Members, func(a, b memberPolicy) int {
		switch {
		case a.Exists == b.Exists:
			return 0
		case a.Exists:
			return -1
		}
		return 1
	})
	page.More = max(0, len(members)-maxMemberPolicies)
	page.Members = page.Members[:len(members)-page.More]
	return nil
}

// exportColdcard returns the policy of a wallet for the HSM mode of a Coldcard as a file.
func (c *call) exportColdcard() error {
	text, _, err := c.Spending.ColdcardHSM(c.r.Context(), c.access)
	if errors.Is(err, spending.ErrPolicyNotFound) {
		return c.redirect(c.walletPath("policy"), "")
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	maps.Copy(h, httpcall.Attachment("policy.json"))
	_, _ = c.w.Write(text) // fails only if the client disconnected
	return nil
}
