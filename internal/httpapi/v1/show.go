package v1

import (
	"context"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	wallets "github.com/specterd/specterd/internal/wallet"
	webhooks "github.com/specterd/specterd/internal/webhook"
)

// The functions Show… return objects as responses of v1 contain them. The command line
// prints them as JSON.

// ShowList returns a list of objects that other functions of this package returned.
func ShowList(items []any) any {
	return struct {
		Items []any `json:"items"`
	}{items}
}

// ShowListAsOf returns a list that is current to a block.
func ShowListAsOf(items []any, tip wallets.Tip) any {
	return struct {
		Items []any     `json:"items"`
		AsOf  *api.AsOf `json:"as_of"`
	}{items, asOfTip(tip)}
}

// ShowProposal returns a proposal with its PSBT, as GetProposal does.
func ShowProposal(p proposal.Proposal, w wallets.View) any { return detailsOf(p, w) }

// ShowProposalSummary returns a proposal as ListProposals does.
func ShowProposalSummary(p proposal.Proposal, w wallets.View) any { return proposalOf(p, w) }

// ShowNewToken returns a token with its text, as CreateToken does.
func ShowNewToken(tokens *auth.Tokens, t auth.Token, secret string) any {
	return api.TokenWithSecret{Token: (&API{Options{Tokens: tokens}}).tokenOf(t), Secret: secret}
}

// ShowTokenOf returns a token, as GetToken does, with the name of its user.
func ShowTokenOf(tokens *auth.Tokens, t auth.Token, user string) any {
	return tokenOfUser{user, (&API{Options{Tokens: tokens}}).tokenOf(t)}
}

type tokenOfUser struct {
	User string `json:"user"`
	api.Token
}

// TokenFamily is the origin of a token, and what resulted from it.
type TokenFamily struct {
	CreatedBy auth.Entry // audit event of the creation; the zero value if it is unknown
	Successor string     // id of the token that replaced it, or empty
	Children  []string   // ids of the tokens that were created with it
}

// ShowTokenWithFamily is like ShowTokenOf, with related tokens.
func ShowTokenWithFamily(tokens *auth.Tokens, t auth.Token, user string, family TokenFamily) any {
	type creator struct {
		User    *string `json:"user"`
		Address *string `json:"address"`
	}
	out := struct {
		tokenOfUser
		RotatedTo *string  `json:"rotated_to"`
		ChildIDs  []string `json:"child_ids"`
		CreatedBy *creator `json:"created_by"`
	}{tokenOfUser{user, (&API{Options{Tokens: tokens}}).tokenOf(t)}, optionalText(family.Successor), append([]string{}, family.Children...), nil}
	if by := family.CreatedBy; by.Action != "" {
		out.CreatedBy = &creator{optionalText(by.UserName), optionalText(by.Address)}
	}
	return out
}

// ShowDeletedTokens returns the revoked and the kept tokens, as DeleteToken does.
func ShowDeletedTokens(d auth.Deleted) any { return tokensDeletedOf(d) }

// ShowWallet returns a wallet, as GetWallet does.
func ShowWallet(v wallets.View) any { return walletOf(v) }

// ShowNewWallet returns a wallet with its warnings, as CreateWallet does.
func ShowNewWallet(v wallets.View, p wallets.Plan, about wallets.Inspection) any {
	return newWalletOf(v, p, about)
}

// ShowInspection returns the wallet in a file, as InspectWallet does.
func ShowInspection(about wallets.Inspection) any { return inspectionOf(about) }

// ShowBalances returns the balances of a wallet, as in GetWallet, and their block.
func ShowBalances(v wallets.View) any {
	return struct {
		Wallet string `json:"wallet"`
		api.Balances
		AsOf *api.AsOf `json:"as_of"`
	}{v.Alias, walletOf(v).Balances, asOfTip(v.Synced)}
}

// ShowMember returns a member of a wallet.
func ShowMember(m wallets.Member) any { return memberOf(m) }

// ShowAddress returns an address of a list.
func ShowAddress(a wallets.Address) any { return addressOf(a) }

// ShowNewAddress returns a revealed address, as CreateAddress does.
func ShowNewAddress(a wallets.NewAddress) any { return newAddressOf(a) }

// ShowUTXO returns an unspent output.
func ShowUTXO(c wallets.UTXO) any { return utxoOf(c) }

// ShowTransaction returns a transaction of a history.
func ShowTransaction(r wallets.Record) any { return transactionOf(r) }

// ShowLedgerEntry returns an entry of a ledger, with the columns of its CSV as fields.
func ShowLedgerEntry(e wallets.Entry) any {
	out := ledgerEntry{
		Time: e.Time.UTC(), Wallet: e.Alias, Kind: string(e.Kind), Amount: e.Amount, Fee: e.Fee, Balance: e.Balance,
		Address: optionalText(e.Address), Label: e.Label, Counterparty: optionalText(e.Counterparty),
		Txid: optionalText(e.Txid), Vout: e.Vout, Status: optionalText(string(e.Status)), TransactionLabel: e.TxLabel,
	}
	if e.Block != nil {
		out.BlockHeight = &e.Block.Height
	}
	if e.Proposal != nil {
		out.ProposalID, out.ProposedBy = &e.Proposal.ID, &e.Proposal.UserName
	}
	return out
}

type ledgerEntry struct {
	Time             time.Time   `json:"time"`
	Wallet           string      `json:"wallet"`
	Kind             string      `json:"kind"`
	Amount           btc.Amount  `json:"amount_sat"`
	Fee              *btc.Amount `json:"fee_sat"`
	Balance          btc.Amount  `json:"balance_sat"`
	Address          *string     `json:"address"`
	Label            string      `json:"label"`
	Counterparty     *string     `json:"counterparty_wallet"`
	Txid             *string     `json:"txid"`
	Vout             *uint32     `json:"vout"`
	Status           *string     `json:"status"`
	BlockHeight      *int        `json:"block_height"`
	TransactionLabel string      `json:"transaction_label"`
	ProposalID       *string     `json:"proposal_id"`
	ProposedBy       *string     `json:"proposed_by"`
}

// ParsePeriod parses a period as the parameters since, until and tz of a history.
func ParsePeriod(since, until, zone string) (from, to time.Time, err error) {
	return period{since, until, zone}.times()
}

// ShowUser returns a user of a list.
func ShowUser(u auth.User) any { return userOf(u) }

// ShowUserDetails returns a user with quotas, as GetUser does.
func ShowUserDetails(u auth.User, uses []auth.QuotaUse) any { return userDetailsOf(u, uses) }

// ShowAuditEntry returns an entry of the audit log.
func ShowAuditEntry(e auth.Entry) any { return auditEntryOf(e) }

// ShowWebhook returns a webhook, as GetWebhook does.
func ShowWebhook(w webhooks.Webhook) any { return webhookOf(w) }

// ShowWebhookOf returns a webhook with the name of its user.
func ShowWebhookOf(w webhooks.Webhook, user string) any {
	return struct {
		User string `json:"user"`
		api.Webhook
	}{user, webhookOf(w)}
}

// ShowNewWebhook returns a webhook with its secret, as CreateWebhook does.
func ShowNewWebhook(w webhooks.Webhook, secret string) any {
	return api.WebhookWithSecret{Webhook: webhookOf(w), Secret: secret}
}

// ShowAttempt returns the result of a test message, as TestWebhook does.
func ShowAttempt(r egress.Result) any { return attemptResultOf(r) }

// ShowDelivery returns a delivery of a list.
func ShowDelivery(d webhooks.Delivery) any { return listedDeliveryOf(d) }

// ShowLabel returns a label in the format of BIP-329.
func ShowLabel(l btc.Label) any { return api.Label(l) }

// LabelImport is the result of ImportLabels.
type LabelImport struct {
	Shown    any      // as the response of the API
	Imported int      // number of lines whose label or spendable was set
	Problems []string // one for each line that was ignored or is invalid
	Failed   bool     // whether a line is invalid
}

// ImportLabels sets the labels of lines in the format of BIP-329, as the API does.
func ImportLabels(ctx context.Context, s *wallets.Service, access wallets.Access, lines []byte) (LabelImport, error) {
	out, err := importLabels(ctx, s, access, lines)
	return LabelImport{out, out.Imported, reportOf(out), len(out.Failed) > 0}, err
}

// ShowPolicy returns a policy.
func ShowPolicy(p spending.Policy) any { return policyOf(p) }

// ShowPolicyList returns a list of recipients that policies can name.
func ShowPolicyList(l spending.List) any { return policyListOf(l) }

// ShowPolicyChange returns a pending change of a policy.
func ShowPolicyChange(c spending.Change) any { return changeOf(c) }

// ShowPolicyResult returns the result of a request to change a policy.
func ShowPolicyResult(r spending.Result) any {
	out, _ := policyResultOf(r, nil)
	return out
}

// ShowBudget returns a window of a policy and what counts in it.
func ShowBudget(b spending.Budget) any { return budgetOf(b) }

// ShowSimulation returns what policies say about a payment.
func ShowSimulation(s spending.Simulation) any { return simulationOf(s) }
