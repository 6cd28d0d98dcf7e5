package httpapi

import (
	"net/http"
	"slices"

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

// table returns all routes. The arguments of line are: method and path; accepted
// credentials, required scope and required role; handler; summary in the API reference.
func table(health *health, alpha *v1alpha.API, one *v1.API) []route.Route {
	return slices.Concat(
		healthRoutes(health),
		v1alphaRoutes(alpha),
		tokenRoutes(one),
		userRoutes(one),
		nodeRoutes(one),
		walletRoutes(one),
		memberRoutes(one),
		historyRoutes(one),
		proposalRoutes(one),
		policyRoutes(one),
		eventRoutes(one),
		webhookRoutes(one),
	)
}

func healthRoutes(health *health) []route.Route {
	return []route.Route{
		line(get, livenessPath, route.Public, 0, route.AnyRole, route.OK(health.liveness), "Check liveness of the process"),
		line(get, "/api/healthz/readyness", route.Public, 0, route.AnyRole, route.OK(health.readiness), "Check readiness of database, node and clock"),
	}
}

func v1alphaRoutes(alpha *v1alpha.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1alpha/token", route.Basic, 0, route.AnyRole, route.OK(alpha.ListTokens), "List your tokens"),
		line(post, "/api/v1alpha/token", route.Basic, 0, route.AnyRole, route.Created(alpha.CreateToken), "Create a token"),
		line(get, "/api/v1alpha/token/{id}", route.Basic, 0, route.AnyRole, route.OK(alpha.GetToken), "Get a token"),
		line(remove, "/api/v1alpha/token/{id}", route.Basic, 0, route.AnyRole, route.OK(alpha.DeleteToken), "Delete a token, which revokes it immediately"),
		line(get, "/api/v1alpha/specter", route.Bearer, auth.NodeRead, route.Admin, route.OK(alpha.GetSpecter), "Get settings, node status and wallets"),
		line(get, "/api/v1alpha/specter/full_txlist", route.Bearer, auth.WalletsRead, route.AnyRole, route.Stream(alpha.GetTransactions, v1alpha.TransactionList), "List the transactions of all your wallets"),
		line(get, "/api/v1alpha/wallets/{alias}", route.Bearer, auth.WalletsRead, route.Viewer, route.Stream(alpha.GetWallet, v1alpha.WalletResponse).Heavy(), "Get a wallet with its addresses, UTXOs and transactions"),
		line(get, "/api/v1alpha/wallets/{alias}/psbt", route.Bearer, auth.ProposalsRead, route.Viewer, route.OK(alpha.ListPSBTs).Heavy(), "List the open proposals of a wallet"),
		line(post, "/api/v1alpha/wallets/{alias}/psbt", route.Bearer, auth.ProposalsCreate, route.Proposer, route.OK(alpha.CreatePSBT).NeedsNode().Heavy(), "Create a proposal"),
	}
}

func tokenRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/tokens", route.BasicOrBearer, auth.TokensRead, route.AnyRole, route.OK(one.ListTokens), "List your tokens"),
		line(post, "/api/v1/tokens", route.BasicOrBearer, auth.TokensWrite, route.AnyRole, route.Created(one.CreateToken), "Create a token"),
		line(get, "/api/v1/tokens/self", route.OwnToken, 0, route.AnyRole, route.OK(one.GetOwnToken), "Get the token that authenticates the request"),
		line(remove, "/api/v1/tokens/self", route.OwnToken, 0, route.AnyRole, route.OK(one.DeleteOwnToken), "Delete the token that authenticates the request"),
		line(get, "/api/v1/tokens/{id}", route.BasicOrBearer, auth.TokensRead, route.AnyRole, route.OK(one.GetToken), "Get a token"),
		line(remove, "/api/v1/tokens/{id}", route.BasicOrBearer, auth.TokensWrite, route.AnyRole, route.OK(one.DeleteToken), "Delete a token, tokens created with it, and its successors"),
		line(post, "/api/v1/tokens/{id}/rotate", route.BasicOrBearer, auth.TokensWrite, route.AnyRole, route.Created(one.RotateToken), "Rotate a token: replace it with one that has the same rights"),
	}
}

// userRoutes are the routes of users and of the audit log, which shows their actions.
func userRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/users", route.BasicOrBearer, auth.UsersRead, route.Admin, route.OK(one.ListUsers), "List users"),
		line(post, "/api/v1/users", route.Password, 0, route.Admin, route.Created(one.CreateUser), "Create a user"),
		line(get, "/api/v1/users/me", route.AnyToken, 0, route.AnyRole, route.OK(one.GetSelf), "Get your own user account"),
		line(patch, "/api/v1/users/me", route.Password, 0, route.AnyRole, route.OK(one.ChangeSelf), "Update your password"),
		line(get, "/api/v1/users/{name}", route.BasicOrBearer, auth.UsersRead, route.Admin, route.OK(one.GetUser), "Get a user"),
		line(patch, "/api/v1/users/{name}", route.BasicOrBearer, auth.UsersWrite, route.Admin, route.OK(one.ChangeUser).ShownTo(auth.UsersRead), "Update a user's password, role, status or quotas"),
		line(remove, "/api/v1/users/{name}", route.BasicOrBearer, auth.UsersWrite, route.Admin, route.NoContent(one.DeleteUser), "Delete a user with all their tokens"),
		line(get, "/api/v1/users/{name}/tokens", route.BasicOrBearer, auth.UsersRead, route.Admin, route.OK(one.ListUserTokens), "List the tokens of a user"),
		line(remove, "/api/v1/users/{name}/tokens", route.BasicOrBearer, auth.UsersWrite, route.Admin, route.NoContent(one.DeleteUserTokens), "Delete all tokens of a user"),
		line(remove, "/api/v1/users/{name}/tokens/{id}", route.BasicOrBearer, auth.UsersWrite, route.Admin, route.OK(one.DeleteUserToken), "Delete a token of a user and its successors"),
		line(get, "/api/v1/audit", route.Bearer, auth.AuditRead, route.Admin, route.OK(one.ListAudit), "List the events of the audit log, the latest first"),
	}
}

func nodeRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/node", route.Bearer, auth.NodeRead, route.AnyRole, route.OK(one.GetNode), "Get the status of the Bitcoin node"),
		line(get, "/api/v1/fees", route.Bearer, auth.NodeRead, route.AnyRole, route.OK(one.GetFees), "Get fee rate estimates"),
	}
}

// walletRoutes are the routes of wallets, their rescans and their addresses.
func walletRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/wallets", route.Bearer, auth.WalletsRead, route.AnyRole, route.OK(one.ListWallets).WithETag(), "List your wallets with their balances"),
		line(post, "/api/v1/wallets", route.Bearer, auth.WalletsWrite, route.AnyRole, route.Created(one.CreateWallet).NeedsNode().WithIdempotencyKey().Heavy(), "Create a watch-only wallet from a descriptor, keys or a file"),
		line(post, "/api/v1/wallets/inspect", route.Bearer, auth.WalletsWrite, route.AnyRole, route.OK(one.InspectWallet).Heavy(), "Inspect a wallet file, a descriptor or keys"),
		line(get, "/api/v1/wallets/{alias}", route.Bearer, auth.WalletsRead, route.Viewer, route.OK(one.GetWallet).WithETag(), "Get a wallet with its balances"),
		line(get, "/api/v1/wallets/{alias}/export", route.Bearer, auth.WalletsRead, route.Viewer, route.Stream(one.ExportWallet, v1.WalletMedia...), "Export a wallet for other software"),
		line(patch, "/api/v1/wallets/{alias}", route.Bearer, auth.WalletsWrite, route.Viewer, route.OK(one.ChangeWallet).ShownTo(auth.WalletsRead), "Update a wallet's name, fee rate limit or your alias"),
		line(remove, "/api/v1/wallets/{alias}", route.Bearer, auth.WalletsWrite, route.Owner, route.NoContent(one.DeleteWallet), "Delete a wallet for all members (funds are not affected)"),
		line(post, "/api/v1/wallets/{alias}/rescan", route.Bearer, auth.WalletsWrite, route.Owner, route.JSON(http.StatusAccepted, one.StartRescan).ShownTo(auth.WalletsRead).NeedsNode(), "Start a rescan of the blockchain"),
		line(get, "/api/v1/wallets/{alias}/rescan", route.Bearer, auth.WalletsRead, route.Viewer, route.OK(one.GetRescan).WithETag(), "Get the progress of the rescan"),
		line(remove, "/api/v1/wallets/{alias}/rescan", route.Bearer, auth.WalletsWrite, route.Owner, route.NoContent(one.StopRescan).NeedsNode(), "Abort the rescan (transactions already found are kept)"),
		line(get, "/api/v1/wallets/{alias}/addresses", route.Bearer, auth.WalletsRead, route.Viewer, route.OK(one.ListAddresses).WithETag(), "List a wallet's addresses"),
		line(post, "/api/v1/wallets/{alias}/addresses", route.Bearer, auth.AddressesWrite, route.Proposer, route.Created(one.CreateAddress).NeedsNode().WithIdempotencyKey(), "Reveal the next receive address"),
		line(get, "/api/v1/wallets/{alias}/addresses/{address}", route.Bearer, auth.WalletsRead, route.Viewer, route.OK(one.GetAddress).WithETag(), "Get an address with the payments to it"),
		line(patch, "/api/v1/wallets/{alias}/addresses/{address}", route.Bearer, auth.WalletsWrite, route.Proposer, route.OK(one.LabelAddress).ShownTo(auth.WalletsRead), "Update the label of an address"),
		line(get, "/api/v1/devices", route.Bearer, auth.WalletsRead, route.AnyRole, route.OK(one.ListDevices), "List your signing devices"),
		line(patch, "/api/v1/devices/{device}", route.Bearer, auth.WalletsWrite, route.AnyRole, route.OK(one.ChangeDevice).ShownTo(auth.WalletsRead), "Rename a signing device"),
		line(get, "/api/v1/addresses/{address}", route.Bearer, auth.WalletsRead, route.AnyRole, route.OK(one.FindAddress).WithETag(), "Find the wallets that contain an address"),
	}
}

// memberRoutes are the routes of members and invitations.
func memberRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/wallets/{alias}/members", route.Bearer, auth.WalletsRead, route.Viewer, route.OK(one.ListMembers).WithETag(), "List a wallet's members"),
		line(put, "/api/v1/wallets/{alias}/members/{user}", route.Bearer, auth.MembersWrite, route.Owner, route.CreatedOrOK(one.PutMember).ShownTo(auth.WalletsRead), "Update the role of a member"),
		line(remove, "/api/v1/wallets/{alias}/members/{user}", route.Bearer, auth.MembersWrite, route.Viewer, route.NoContent(one.DeleteMember), "Delete a membership: your own, or any as an owner"),
		line(get, "/api/v1/wallets/{alias}/invitations", route.Bearer, auth.WalletsRead, route.Owner, route.OK(one.ListInvitations), "List the pending invitations to a wallet"),
		line(post, "/api/v1/wallets/{alias}/invitations", route.Bearer, auth.MembersWrite, route.Owner, route.Created(one.CreateInvitation), "Invite a user to become a member of a wallet"),
		line(get, "/api/v1/invitations", route.Bearer, auth.WalletsRead, route.AnyRole, route.OK(one.ListOwnInvitations), "List your invitations to wallets of others"),
		line(post, "/api/v1/invitations/{id}/accept", route.Bearer, auth.WalletsWrite, route.AnyRole, route.Created(one.AcceptInvitation).ShownTo(auth.WalletsRead), "Accept an invitation and become a member of the wallet"),
		line(remove, "/api/v1/invitations/{id}", route.Bearer, auth.WalletsWrite, route.AnyRole, route.NoContent(one.DeleteInvitation), "Decline an invitation, or withdraw it as an owner"),
	}
}

// historyRoutes are the routes of a wallet's transactions, outputs and labels.
func historyRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/wallets/{alias}/utxos", route.Bearer, auth.WalletsRead, route.Viewer, route.OK(one.ListUTXOs).WithETag(), "List a wallet's unspent outputs"),
		line(put, "/api/v1/wallets/{alias}/utxos/{outpoint}/freeze", route.Bearer, auth.WalletsWrite, route.Signer, route.NoContent(one.FreezeUTXO).NeedsNode(), "Freeze an unspent output"),
		line(remove, "/api/v1/wallets/{alias}/utxos/{outpoint}/freeze", route.Bearer, auth.WalletsWrite, route.Signer, route.NoContent(one.UnfreezeUTXO).NeedsNode(), "Unfreeze an unspent output"),
		line(get, "/api/v1/wallets/{alias}/transactions", route.Bearer, auth.WalletsRead, route.Viewer, route.Stream(one.ListTransactions, v1.HistoryMedia...).WithETag(), "List a wallet's transactions, or export CSV or JSON Lines"),
		line(get, "/api/v1/wallets/{alias}/transactions/{txid}", route.Bearer, auth.WalletsRead, route.Viewer, route.OK(one.GetTransaction).WithETag(), "Get a transaction"),
		line(patch, "/api/v1/wallets/{alias}/transactions/{txid}", route.Bearer, auth.WalletsWrite, route.Proposer, route.OK(one.LabelTransaction).ShownTo(auth.WalletsRead), "Update the label of a transaction"),
		line(patch, "/api/v1/wallets/{alias}/outputs/{outpoint}", route.Bearer, auth.WalletsWrite, route.Proposer, route.OK(one.LabelOutput).ShownTo(auth.WalletsRead), "Update the label of an output"),
		line(get, "/api/v1/transactions", route.Bearer, auth.WalletsRead, route.AnyRole, route.Stream(one.ListAllTransactions, v1.HistoryMedia...).WithETag(), "List transactions of all your wallets, or export them"),
		line(get, "/api/v1/wallets/{alias}/labels", route.Bearer, auth.WalletsRead, route.Viewer, route.Stream(one.ExportLabels, v1.LabelMedia...), "Export a wallet's labels (BIP-329)"),
		line(post, "/api/v1/wallets/{alias}/labels", route.Bearer, auth.WalletsWrite, route.Proposer, route.OK(one.ImportLabels).NeedsNode().Heavy(), "Import labels (BIP-329)"),
	}
}

func proposalRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/wallets/{alias}/proposals", route.Bearer, auth.ProposalsRead, route.Viewer, route.OK(one.ListProposals).WithETag().Heavy(), "List a wallet's proposals, the newest first"),
		line(post, "/api/v1/wallets/{alias}/proposals", route.Bearer, auth.ProposalsCreate, route.Proposer, route.CreatedOrDryRun(one.CreateProposal).NeedsNode().WithIdempotencyKey().Heavy(), "Create a proposal"),
		line(get, "/api/v1/wallets/{alias}/proposals/{id}", route.Bearer, auth.ProposalsRead, route.Viewer, route.OK(one.GetProposal).WithETag().Heavy(), "Get a proposal with its PSBT"),
		line(get, "/api/v1/wallets/{alias}/proposals/{id}/qr", route.Bearer, auth.ProposalsRead, route.Viewer, route.OK(one.GetProposalQR).WithETag().Heavy(), "Get the texts of QR codes for a proposal's PSBT"),
		line(remove, "/api/v1/wallets/{alias}/proposals/{id}", route.Bearer, auth.ProposalsCreate, route.Proposer, route.OK(one.CancelProposal).ShownTo(auth.ProposalsRead), "Cancel a proposal: your own, or any as a signer"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/approve", route.Bearer, auth.ProposalsApprove, route.Viewer, route.OK(one.ApproveProposal).ShownTo(auth.ProposalsRead).Heavy(), "Approve a proposal that awaits approval"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/reject", route.Bearer, auth.ProposalsApprove, route.Viewer, route.OK(one.RejectProposal).ShownTo(auth.ProposalsRead).Heavy(), "Reject a proposal that awaits approval, which closes it"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/signatures", route.Bearer, auth.ProposalsSign, route.Signer, route.OK(one.AddSignatures).ShownTo(auth.ProposalsRead).Heavy(), "Add signatures to a proposal"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/broadcast", route.Bearer, auth.ProposalsBroadcast, route.Signer, route.OK(one.BroadcastProposal).ShownTo(auth.ProposalsRead).NeedsNode().WithIdempotencyKey().Heavy(), "Broadcast a complete proposal to the Bitcoin network"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/bump", route.Bearer, auth.ProposalsCreate, route.Proposer, route.CreatedOrDryRun(one.BumpProposal).NeedsNode().WithIdempotencyKey().Heavy(), "Create a replacement with a higher fee rate"),
		line(post, "/api/v1/wallets/{alias}/proposals/{id}/abandon", route.Bearer, auth.ProposalsBroadcast, route.Signer, route.OK(one.AbandonProposal).ShownTo(auth.ProposalsRead).NeedsNode(), "Abandon a payment that has left the mempool"),
	}
}

// policyRoutes are the routes of spending policies and of the lists that they name.
func policyRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/wallets/{alias}/policy", route.Bearer, auth.PoliciesRead, route.Viewer, route.OK(one.GetPolicy).WithETag(), "Get the spending policy of a wallet"),
		line(get, "/api/v1/wallets/{alias}/policy/usage", route.Bearer, auth.PoliciesRead, route.Viewer, route.OK(one.GetPolicyUsage), "Get what counts in the windows of the spending policies"),
		line(post, "/api/v1/wallets/{alias}/policy/simulate", route.Bearer, auth.ProposalsCreate, route.Proposer, route.OK(one.SimulatePolicy).NeedsNode().Heavy(), "Simulate a payment under the spending policies"),
		line(get, "/api/v1/wallets/{alias}/policy/changes", route.Bearer, auth.PoliciesRead, route.Viewer, route.OK(one.ListPolicyChanges), "List the pending changes of policies and lists"),
		line(post, "/api/v1/wallets/{alias}/policy/changes/{id}/approve", route.Bearer, auth.PoliciesWrite, route.Viewer, route.OK(one.ApprovePolicyChange).ShownTo(auth.PoliciesRead), "Approve a pending change of a policy"),
		line(remove, "/api/v1/wallets/{alias}/policy/changes/{id}", route.Bearer, auth.PoliciesWrite, route.Owner, route.NoContent(one.CancelPolicyChange), "Cancel a pending change of a policy"),
		line(get, "/api/v1/wallets/{alias}/lists", route.Bearer, auth.PoliciesRead, route.Viewer, route.OK(one.ListPolicyLists), "List the lists of recipients of a wallet"),
		line(get, "/api/v1/wallets/{alias}/lists/{name}", route.Bearer, auth.PoliciesRead, route.Viewer, route.OK(one.GetPolicyList).WithETag(), "Get a list of recipients"),
		line(put, "/api/v1/wallets/{alias}/lists/{name}", route.Bearer, auth.PoliciesWrite, route.Owner, route.OK(one.PutPolicyList).ShownTo(auth.PoliciesRead), "Set a list of recipients"),
		line(remove, "/api/v1/wallets/{alias}/lists/{name}", route.Bearer, auth.PoliciesWrite, route.Owner, route.OK(one.DeletePolicyList).ShownTo(auth.PoliciesRead), "Delete a list of recipients"),
		line(get, "/api/v1/wallets/{alias}/members/{user}/policy", route.Bearer, auth.PoliciesRead, route.Viewer, route.OK(one.GetMemberPolicy).WithETag(), "Get the spending policy of a member"),
		line(put, "/api/v1/wallets/{alias}/members/{user}/policy", route.Bearer, auth.PoliciesWrite, route.Owner, route.OK(one.PutMemberPolicy).ShownTo(auth.PoliciesRead), "Set the spending policy of a member"),
		line(remove, "/api/v1/wallets/{alias}/members/{user}/policy", route.Bearer, auth.PoliciesWrite, route.Owner, route.OK(one.DeleteMemberPolicy).ShownTo(auth.PoliciesRead), "Delete the spending policy of a member"),
		line(put, "/api/v1/wallets/{alias}/policy", route.Bearer, auth.PoliciesWrite, route.Owner, route.OK(one.PutPolicy).ShownTo(auth.PoliciesRead), "Set the spending policy of a wallet"),
		line(remove, "/api/v1/wallets/{alias}/policy", route.Bearer, auth.PoliciesWrite, route.Owner, route.OK(one.DeletePolicy).ShownTo(auth.PoliciesRead), "Delete the spending policy of a wallet"),
		line(get, "/api/v1/policy", route.BasicOrBearer, auth.PoliciesRead, route.Admin, route.OK(one.GetServerPolicy).WithETag(), "Get the spending policy of the server"),
		line(get, "/api/v1/policy/changes", route.BasicOrBearer, auth.PoliciesRead, route.Admin, route.OK(one.ListServerPolicyChanges), "List the pending change of the server's policy"),
		line(post, "/api/v1/policy/changes/{id}/approve", route.Password, 0, route.Admin, route.OK(one.ApproveServerPolicyChange), "Approve a pending change of the server's policy"),
		line(remove, "/api/v1/policy/changes/{id}", route.Password, 0, route.Admin, route.NoContent(one.CancelServerPolicyChange), "Cancel a pending change of the server's policy"),
		line(put, "/api/v1/policy", route.Password, 0, route.Admin, route.OK(one.PutServerPolicy), "Set the spending policy of the server"),
		line(remove, "/api/v1/policy", route.Password, 0, route.Admin, route.OK(one.DeleteServerPolicy), "Delete the spending policy of the server"),
	}
}

func eventRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/wallets/{alias}/events", route.Bearer, auth.EventsRead, route.Viewer, route.Stream(one.ListEvents, v1.EventMedia...).WithOpenEnd(), "List a wallet's events, or stream them"),
		line(get, "/api/v1/events", route.Bearer, auth.EventsRead, route.AnyRole, route.Stream(one.ListAllEvents, v1.EventMedia...).WithOpenEnd(), "List events of all your wallets and tokens, or stream them"),
	}
}

func webhookRoutes(one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/v1/webhooks", route.BasicOrBearer, auth.WebhooksRead, route.AnyRole, route.OK(one.ListWebhooks), "List your webhooks"),
		line(post, "/api/v1/webhooks", route.BasicOrBearer, auth.WebhooksWrite, route.AnyRole, route.Created(one.CreateWebhook), "Create a webhook"),
		line(get, "/api/v1/webhooks/{id}", route.BasicOrBearer, auth.WebhooksRead, route.AnyRole, route.OK(one.GetWebhook), "Get a webhook"),
		line(patch, "/api/v1/webhooks/{id}", route.BasicOrBearer, auth.WebhooksWrite, route.AnyRole, route.OK(one.ChangeWebhook).ShownTo(auth.WebhooksRead), "Update, enable or disable a webhook"),
		line(remove, "/api/v1/webhooks/{id}", route.BasicOrBearer, auth.WebhooksWrite, route.AnyRole, route.NoContent(one.DeleteWebhook), "Delete a webhook and its deliveries"),
		line(post, "/api/v1/webhooks/{id}/test", route.BasicOrBearer, auth.WebhooksWrite, route.AnyRole, route.OK(one.TestWebhook).ShownTo(auth.WebhooksRead).Heavy(), "Send a test message and return the response"),
		line(post, "/api/v1/webhooks/{id}/rotate-secret", route.BasicOrBearer, auth.WebhooksWrite, route.AnyRole, route.Created(one.RotateWebhookSecret), "Rotate the secret of a webhook"),
		line(post, "/api/v1/webhooks/{id}/recover", route.BasicOrBearer, auth.WebhooksWrite, route.AnyRole, route.JSON(http.StatusAccepted, one.RecoverWebhook).ShownTo(auth.WebhooksRead), "Send all undelivered events since a time again"),
		line(get, "/api/v1/webhooks/{id}/deliveries", route.BasicOrBearer, auth.WebhooksRead, route.AnyRole, route.OK(one.ListDeliveries), "List the deliveries of a webhook, the latest event first"),
		line(get, "/api/v1/webhooks/{id}/deliveries/{delivery}", route.BasicOrBearer, auth.WebhooksRead, route.AnyRole, route.OK(one.GetDelivery), "Get a delivery with its attempts"),
		line(post, "/api/v1/webhooks/{id}/deliveries/{delivery}/redeliver", route.BasicOrBearer, auth.WebhooksWrite, route.AnyRole, route.JSON(http.StatusAccepted, one.Redeliver).ShownTo(auth.WebhooksRead), "Send the event of a delivery again"),
	}
}

// line returns one route; see table.
func line(method, path string, who route.Credentials, scope auth.Scopes, role route.Role, h route.Handler, summary string) route.Route {
	return route.Route{Method: method, Path: path, Credentials: who, Scope: scope, Role: role, Handler: h, Summary: summary}
}
