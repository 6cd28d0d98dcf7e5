package v1

import (
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/text"
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

// TokenOf returns a token, as GetToken does.
func TokenOf(tokens *auth.Tokens, t auth.Token) api.Token {
	return (&API{Options{Tokens: tokens}}).tokenOf(t)
}

// TokensDeletedOf returns the revoked and the kept tokens, as DeleteToken does.
func TokensDeletedOf(d auth.Deleted) api.TokensDeleted { return tokensDeletedOf(d) }

// NewWalletOf returns a wallet with its warnings, as CreateWallet does.
func NewWalletOf(v wallets.View, p wallets.Plan, about wallets.Inspection) api.NewWallet {
	return newWalletOf(v, p, about)
}

// ShowInspection returns the wallet in a file, as InspectWallet does.
func ShowInspection(about wallets.Inspection) api.WalletInspection { return inspectionOf(about) }

// ShowLedgerEntry returns an entry of a ledger, with the columns of its CSV as fields.
func ShowLedgerEntry(e wallets.Entry) any {
	out := ledgerEntry{
		Time: e.Time.UTC(), Wallet: e.Alias, Kind: string(e.Kind), Amount: e.Amount, Fee: e.Fee, Balance: e.Balance,
		Address: text.Optional(e.Address), Label: e.Label, Counterparty: text.Optional(e.Counterparty),
		Txid: text.Optional(e.Txid), Vout: e.Vout, Status: text.Optional(string(e.Status)), TransactionLabel: e.TxLabel,
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

// WebhookOf returns a webhook, as GetWebhook does.
func WebhookOf(w webhooks.Webhook) api.Webhook { return webhookOf(w) }
