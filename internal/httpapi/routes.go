package httpapi

import (
	"net/http"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/httpapi/v1alpha"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete

	livenessPath = "/api/healthz/liveness"
)

// The columns: method and path; who may come in, with which scope and role;
// what answers; what it is for.
func table(health *health, alpha *v1alpha.API, one *v1.API) []route.Route {
	return []route.Route{
		line(get, livenessPath, route.Nobody, 0, route.Anybody, route.Read(health.liveness), "Say that the process lives"),
		line(get, "/api/healthz/readyness", route.Nobody, 0, route.Anybody, route.Read(health.readiness), "Say whether database and node can be used, and the clock can be believed"),

		line(get, "/api/v1alpha/token", route.Basic, 0, route.Anybody, route.Read(alpha.ListTokens), "List your tokens"),
		line(post, "/api/v1alpha/token", route.Basic, 0, route.Anybody, route.Create(alpha.CreateToken), "Make a token"),
		line(get, "/api/v1alpha/token/{id}", route.Basic, 0, route.Anybody, route.Read(alpha.GetToken), "Show a token's details"),
		line(remove, "/api/v1alpha/token/{id}", route.Basic, 0, route.Anybody, route.Read(alpha.DeleteToken), "Delete a token, which ends it at once"),
		line(get, "/api/v1alpha/specter", route.Bearer, auth.NodeRead, route.Admin, route.Read(alpha.GetSpecter), "Show settings, node and wallets"),
		line(get, "/api/v1alpha/specter/full_txlist", route.Bearer, auth.WalletsRead, route.Anybody, route.Stream(alpha.GetTransactions, v1alpha.TransactionList), "List the transactions of all your wallets"),
		line(get, "/api/v1alpha/wallets/{alias}", route.Bearer, auth.WalletsRead, route.Viewer, route.Stream(alpha.GetWallet, v1alpha.WalletResponse).Heavy(), "Show a wallet with its addresses, coins and transactions"),
		line(get, "/api/v1alpha/wallets/{alias}/psbt", route.Bearer, auth.ProposalsRead, route.Viewer, route.Read(alpha.ListPSBTs).Heavy(), "List the open proposals of a wallet"),
		line(post, "/api/v1alpha/wallets/{alias}/psbt", route.Bearer, auth.ProposalsCreate, route.Proposer, route.Read(alpha.CreatePSBT).WithNode().Heavy(), "Propose a payment"),

		line(get, "/api/v1/tokens", route.Either, auth.TokensRead, route.Anybody, route.Read(one.ListTokens), "List your tokens"),
		line(post, "/api/v1/tokens", route.Either, auth.TokensWrite, route.Anybody, route.Create(one.CreateToken), "Make a token"),
		line(get, "/api/v1/tokens/self", route.OwnToken, 0, route.Anybody, route.Read(one.GetOwnToken), "Show the token that the request is made with"),
		line(remove, "/api/v1/tokens/self", route.OwnToken, 0, route.Anybody, route.Read(one.DeleteOwnToken), "Delete the token of the request"),
		line(get, "/api/v1/tokens/{id}", route.Either, auth.TokensRead, route.Anybody, route.Read(one.GetToken), "Show a token's details"),
		line(remove, "/api/v1/tokens/{id}", route.Either, auth.TokensWrite, route.Anybody, route.Read(one.DeleteToken), "Delete a token, those made with it and its successors"),
		line(post, "/api/v1/tokens/{id}/rotate", route.Either, auth.TokensWrite, route.Anybody, route.Create(one.RotateToken), "Replace a token by one with the same rights"),

		line(get, "/api/v1/users", route.Either, auth.UsersRead, route.Admin, route.Read(one.ListUsers), "List the users"),
		line(post, "/api/v1/users", route.Password, 0, route.Admin, route.Create(one.CreateUser), "Add a user"),
		line(get, "/api/v1/users/me", route.AnyToken, 0, route.Anybody, route.Read(one.GetSelf), "Show who you are"),
		line(patch, "/api/v1/users/me", route.Password, 0, route.Anybody, route.Read(one.ChangeSelf), "Change your password"),
		line(get, "/api/v1/users/{name}", route.Either, auth.UsersRead, route.Admin, route.Read(one.GetUser), "Show a user"),
		line(patch, "/api/v1/users/{name}", route.Either, auth.UsersWrite, route.Admin, route.Read(one.ChangeUser).ShownTo(auth.UsersRead), "Reset a password, change the role, disable or enable"),
		line(remove, "/api/v1/users/{name}", route.Either, auth.UsersWrite, route.Admin, route.Delete(one.DeleteUser), "Delete a user with all their tokens"),
		line(get, "/api/v1/users/{name}/tokens", route.Either, auth.UsersRead, route.Admin, route.Read(one.ListUserTokens), "List the tokens of a user"),
		line(remove, "/api/v1/users/{name}/tokens", route.Either, auth.UsersWrite, route.Admin, route.Delete(one.DeleteUserTokens), "Delete all tokens of a user"),
		line(remove, "/api/v1/users/{name}/tokens/{id}", route.Either, auth.UsersWrite, route.Admin, route.Read(one.DeleteUserToken), "Delete a token of a user and its successors"),

		line(get, "/api/v1/audit", route.Bearer, auth.AuditRead, route.Admin, route.Read(one.ListAudit), "List who did what, the latest first"),

		line(get, "/api/v1/node", route.Bearer, auth.NodeRead, route.Anybody, route.Read(one.GetNode), "Show the node's state"),
		line(get, "/api/v1/fees", route.Bearer, auth.NodeRead, route.Anybody, route.Read(one.GetFees), "Show what a payment should pay to be confirmed soon"),

		line(get, "/api/v1/wallets", route.Bearer, auth.WalletsRead, route.Anybody, route.Read(one.ListWallets).Tagged(), "List your wallets with their balances"),
		line(post, "/api/v1/wallets", route.Bearer, auth.WalletsWrite, route.Anybody, route.Create(one.CreateWallet).WithNode().WithKey().Heavy(), "Make a wallet of a descriptor or of keys"),
		line(get, "/api/v1/wallets/{alias}", route.Bearer, auth.WalletsRead, route.Viewer, route.Read(one.GetWallet).Tagged(), "Show a wallet with its balances"),
		line(patch, "/api/v1/wallets/{alias}", route.Bearer, auth.WalletsWrite, route.Viewer, route.Read(one.ChangeWallet).ShownTo(auth.WalletsRead), "Change a wallet's name, or your alias for it"),
		line(remove, "/api/v1/wallets/{alias}", route.Bearer, auth.WalletsWrite, route.Owner, route.Delete(one.DeleteWallet), "Delete a wallet for all its members; nothing in Bitcoin is lost by it"),
		line(get, "/api/v1/wallets/{alias}/members", route.Bearer, auth.WalletsRead, route.Viewer, route.Read(one.ListMembers).Tagged(), "List a wallet's members"),
		line(put, "/api/v1/wallets/{alias}/members/{user}", route.Bearer, auth.MembersWrite, route.Owner, route.Put(one.PutMember).ShownTo(auth.WalletsRead), "Update the role of a member"),
		line(remove, "/api/v1/wallets/{alias}/members/{user}", route.Bearer, auth.MembersWrite, route.Viewer, route.Delete(one.DeleteMember), "End a membership: your own, or as an owner anybody's"),
		line(get, "/api/v1/wallets/{alias}/invitations", route.Bearer, auth.WalletsRead, route.Owner, route.Read(one.ListInvitations), "List the pending invitations to a wallet"),
		line(post, "/api/v1/wallets/{alias}/invitations", route.Bearer, auth.MembersWrite, route.Owner, route.Create(one.CreateInvitation), "Invite a user to become a member of a wallet"),
		line(get, "/api/v1/invitations", route.Bearer, auth.WalletsRead, route.Anybody, route.Read(one.ListOwnInvitations), "List your invitations to wallets of others"),
		line(post, "/api/v1/invitations/{id}/accept", route.Bearer, auth.WalletsWrite, route.Anybody, route.Create(one.AcceptInvitation).ShownTo(auth.WalletsRead), "Accept an invitation and become a member of the wallet"),
		line(remove, "/api/v1/invitations/{id}", route.Bearer, auth.WalletsWrite, route.Anybody, route.Delete(one.DeleteInvitation), "Decline an invitation, or withdraw it as an owner"),
		line(post, "/api/v1/wallets/{alias}/rescan", route.Bearer, auth.WalletsWrite, route.Owner, route.JSON(http.StatusAccepted, one.StartScan).ShownTo(auth.WalletsRead).WithNode(), "Look through the chain again"),
		line(get, "/api/v1/wallets/{alias}/rescan", route.Bearer, auth.WalletsRead, route.Viewer, route.Read(one.GetScan).Tagged(), "Show how far the look through the chain has got"),
		line(remove, "/api/v1/wallets/{alias}/rescan", route.Bearer, auth.WalletsWrite, route.Owner, route.Delete(one.StopScan).WithNode(), "End the look through the chain; what it found stays"),
		line(get, "/api/v1/wallets/{alias}/addresses", route.Bearer, auth.WalletsRead, route.Viewer, route.Read(one.ListAddresses).Tagged(), "List a wallet's addresses"),
		line(post, "/api/v1/wallets/{alias}/addresses", route.Bearer, auth.AddressesWrite, route.Proposer, route.Create(one.CreateAddress).WithNode().WithKey(), "Hand out the next address that nobody has seen"),
		line(get, "/api/v1/wallets/{alias}/addresses/{address}", route.Bearer, auth.WalletsRead, route.Viewer, route.Read(one.GetAddress).Tagged(), "Get an address with the payments to it"),
		line(patch, "/api/v1/wallets/{alias}/addresses/{address}", route.Bearer, auth.WalletsWrite, route.Proposer, route.Read(one.LabelAddress).ShownTo(auth.WalletsRead), "Update the label of an address"),
		line(get, "/api/v1/addresses/{address}", route.Bearer, auth.WalletsRead, route.Anybody, route.Read(one.FindAddress).Tagged(), "Find out in which of your wallets an address is"),
		line(get, "/api/v1/wallets/{alias}/utxos", route.Bearer, auth.WalletsRead, route.Viewer, route.Read(one.ListCoins).Tagged(), "List a wallet's unspent outputs"),
		line(put, "/api/v1/wallets/{alias}/utxos/{outpoint}/freeze", route.Bearer, auth.WalletsWrite, route.Signer, route.Delete(one.FreezeCoin).WithNode(), "Have an output not spent until it is unfrozen"),
		line(remove, "/api/v1/wallets/{alias}/utxos/{outpoint}/freeze", route.Bearer, auth.WalletsWrite, route.Signer, route.Delete(one.UnfreezeCoin).WithNode(), "Let a frozen output be spent again"),
		line(get, "/api/v1/wallets/{alias}/transactions", route.Bearer, auth.WalletsRead, route.Viewer, route.Stream(one.ListTransactions, v1.HistoryMedia...).Tagged(), "List a wallet's transactions, or stream all of them as CSV or JSON Lines"),
		line(get, "/api/v1/wallets/{alias}/transactions/{txid}", route.Bearer, auth.WalletsRead, route.Viewer, route.Read(one.GetTransaction).Tagged(), "Show a transaction"),
		line(patch, "/api/v1/wallets/{alias}/transactions/{txid}", route.Bearer, auth.WalletsWrite, route.Proposer, route.Read(one.LabelTransaction).ShownTo(auth.WalletsRead), "Update the label of a transaction"),
		line(patch, "/api/v1/wallets/{alias}/outputs/{outpoint}", route.Bearer, auth.WalletsWrite, route.Proposer, route.Read(one.LabelOutput).ShownTo(auth.WalletsRead), "Update the label of an output"),
		line(get, "/api/v1/transactions", route.Bearer, auth.WalletsRead, route.Anybody, route.Stream(one.ListAllTransactions, v1.HistoryMedia...).Tagged(), "List the transactions of all your wallets, or stream all of them as CSV or JSON Lines"),
		line(get, "/api/v1/wallets/{alias}/labels", route.Bearer, auth.WalletsRead, route.Viewer, route.Stream(one.ExportLabels, v1.LabelMedia...), "Export a wallet's labels (BIP-329)"),
		line(post, "/api/v1/wallets/{alias}/labels", route.Bearer, auth.WalletsWrite, route.Proposer, route.Read(one.ImportLabels).WithNode().Heavy(), "Import labels (BIP-329)"),
		line(get, "/api/v1/wallets/{alias}/proposals", route.Bearer, auth.ProposalsRead, route.Viewer, route.Read(one.ListProposals).Tagged().Heavy(), "List a wallet's proposals, the newest first"),
		line(post, "/api/v1/wallets/{alias}/proposals", route.Bearer, auth.ProposalsCreate, route.Proposer, route.CreateOrTry(one.CreateProposal).WithNode().WithKey().Heavy(), "Propose a payment"),
		line(get, "/api/v1/wallets/{alias}/proposals/{id}", route.Bearer, auth.ProposalsRead, route.Viewer, route.Read(one.GetProposal).Tagged().Heavy(), "Show a proposal with its PSBT"),
		line(remove, "/api/v1/wallets/{alias}/proposals/{id}", route.Bearer, auth.ProposalsCreate, route.Proposer, route.Read(one.CancelProposal).ShownTo(auth.ProposalsRead), "Cancel a proposal: your own, or as a signer anybody's"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/signatures", route.Bearer, auth.ProposalsSign, route.Signer, route.Read(one.AddSignatures).ShownTo(auth.ProposalsRead).Heavy(), "Add the signatures of a PSBT"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/broadcast", route.Bearer, auth.ProposalsBroadcast, route.Signer, route.Read(one.BroadcastProposal).ShownTo(auth.ProposalsRead).WithNode().WithKey().Heavy(), "Send a proposal that is complete to the Bitcoin network"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/bump", route.Bearer, auth.ProposalsCreate, route.Proposer, route.CreateOrTry(one.BumpProposal).WithNode().WithKey().Heavy(), "Propose the same payment with a higher fee rate"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/abandon", route.Bearer, auth.ProposalsBroadcast, route.Signer, route.Read(one.AbandonProposal).ShownTo(auth.ProposalsRead).WithNode(), "Abandon a payment that has left the mempool"),
	}
}

// line is one line of the table.
func line(method, path string, who route.Credentials, scope auth.Scopes, role route.Role, h route.Handler, summary string) route.Route {
	return route.Route{Method: method, Path: path, Credentials: who, Scope: scope, Role: role, Handler: h, Summary: summary}
}
