package v1

import (
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/proposal"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// The functions Show… return objects as responses of v1 contain them. The command line
// prints them as JSON.

// ShowList returns a list of objects that other functions of this package returned.
func ShowList(items []any) any {
	return struct {
		Items []any `json:"items"`
	}{items}
}

// ShowProposal returns a proposal with its PSBT, as GetProposal does.
func ShowProposal(p proposal.Proposal, w wallets.View) any { return detailsOf(p, w) }

// ShowProposalSummary returns a proposal as ListProposals does.
func ShowProposalSummary(p proposal.Proposal, w wallets.View) any { return proposalOf(p, w) }

// ShowToken returns a token, as GetToken does.
func ShowToken(tokens *auth.Tokens, t auth.Token) any {
	return (&API{Options{Tokens: tokens}}).tokenOf(t)
}

// ShowNewToken returns a token with its text, as CreateToken does.
func ShowNewToken(tokens *auth.Tokens, t auth.Token, secret string) any {
	return tokenWithSecret{(&API{Options{Tokens: tokens}}).tokenOf(t), secret}
}

// ShowTokenOf returns a token, as ListUserTokens does, with the name of its user.
func ShowTokenOf(tokens *auth.Tokens, t auth.Token, user string) any {
	return struct {
		User string `json:"user"`
		userToken
	}{user, (&API{Options{Tokens: tokens}}).userTokenOf(t)}
}
