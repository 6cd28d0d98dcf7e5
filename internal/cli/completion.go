package cli

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletexport"
)

// completer returns the values that a shell can complete, each with an optional description
// after a tab. The command has been parsed, and a is an open database.
type completer func(ctx context.Context, cmd *cobra.Command, a *app.App) ([]string, error)

// fixed returns a completer of values that do not depend on the database.
func fixed(values ...string) completer {
	return func(context.Context, *cobra.Command, *app.App) ([]string, error) { return values, nil }
}

// texts converts values of a string type.
func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// argumentValues are the completers of the arguments of commands. The last one also applies
// to further arguments, if the command takes any number.
var argumentValues = map[string][]completer{
	"user show": {userNames}, "user set": {userNames}, "user rm": {userNames}, "user quota": {userNames, quotaNames},
	"token show": {tokenIDs}, "token revoke": {tokenIDs}, "token rotate": {tokenIDs}, "session delete": {sessionIDs},
	"wallet show": {aliases}, "wallet rescan": {aliases}, "wallet rm": {aliases}, "wallet address": {aliases}, "wallet balance": {aliases}, "wallet utxos": {aliases}, "wallet transactions": {aliases},
	"wallet member list": {aliases}, "wallet member add": {aliases, userNames}, "wallet member set": {aliases, userNames}, "wallet member rm": {aliases, userNames},
	"wallet device rename": {deviceAliases},
	"label list":           {aliases}, "label set": {aliases}, "label rm": {aliases}, "label import": {aliases}, "label export": {aliases},
	"proposal list": {aliases}, "proposal create": {aliases}, "proposal show": {proposalIDs()}, "proposal broadcast": {proposalIDs(proposal.Complete, proposal.Broadcast)},
	"proposal bump":    {proposalIDs(proposal.AwaitingApproval, proposal.Created, proposal.PartiallySigned, proposal.Complete, proposal.Broadcast)},
	"proposal cancel":  {proposalIDs(proposal.AwaitingApproval, proposal.Created, proposal.PartiallySigned, proposal.Complete)},
	"proposal approve": {proposalIDs(proposal.AwaitingApproval)}, "proposal reject": {proposalIDs(proposal.AwaitingApproval)},
	"policy show": {aliases}, "policy set": {aliases}, "policy delete": {aliases}, "policy simulate": {aliases}, "policy usage": {aliases},
	"policy changes": {aliases}, "policy approve": {aliases}, "policy cancel": {aliases},
	"webhook create": {userNames}, "webhook show": {webhookIDs}, "webhook test": {webhookIDs}, "webhook deliveries": {webhookIDs}, "webhook redeliver": {webhookIDs},
	"webhook recover": {webhookIDs}, "webhook rotate": {webhookIDs}, "webhook enable": {webhookIDs}, "webhook disable": {webhookIDs}, "webhook delete": {webhookIDs},
}

// flagValues are the completers of the flags with these names, in all commands.
var flagValues = map[string]completer{
	"user": userNames, "member": userNames, "wallet": aliases, "wallets": aliases, "id": proposalIDs(proposal.AwaitingApproval, proposal.Created, proposal.PartiallySigned, proposal.Complete),
	"scopes": fixed(scopeValues()...), "role": fixed("viewer", "proposer", "signer", "owner"), "kinds": fixed(kindValues()...),
	"category": fixed(texts(wallet.Categories)...), "branch": fixed("receive", "change"), "outcome": fixed("ok", "refused"), "order": fixed("wallet", "none"),
	"files": fixed("keep", "delete"), "format": fixed(texts(walletexport.Formats)...), "status": fixed(texts(proposal.Statuses)...),
	"script": fixed("wpkh", "sh-wpkh", "pkh", "tr", "wsh", "sh-wsh", "sh"),
}

// otherFlagValues are the completers of flags whose values depend on the command.
var otherFlagValues = map[string]completer{
	"webhook deliveries --status": fixed("pending", "delivered", "failed", "skipped"),
	"policy show --format":        fixed("coldcard-hsm"),
}

// addCompletions adds the completion of values to all commands.
func (p *program) addCompletions(root *cobra.Command) {
	eachCommand(root, func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), "specterd ")
		if values, known := argumentValues[path]; known {
			cmd.ValidArgsFunction = p.completeArguments(values)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) { p.completeFlag(cmd, path, f) })
		cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { p.completeFlag(cmd, path, f) })
	})
}

func (p *program) completeFlag(cmd *cobra.Command, path string, f *pflag.Flag) {
	values := flagValues[f.Name]
	if other, known := otherFlagValues[path+" --"+f.Name]; known {
		values = other
	}
	if values == nil {
		return
	}
	isList := strings.HasSuffix(f.Value.Type(), "Slice")
	_ = cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		if !isList {
			return p.complete(cmd, values), cobra.ShellCompDirectiveNoFileComp
		}
		done := begun[:strings.LastIndex(begun, ",")+1]
		var found []string
		for _, value := range p.complete(cmd, values) {
			found = append(found, done+value)
		}
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
}

// completeArguments returns the completion of arguments. Commands that have a file as a
// further argument complete file names.
func (p *program) completeArguments(values []completer) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		takesAny := strings.Contains(cmd.Use, "…")
		switch i := len(args); {
		case i < len(values):
			return p.complete(cmd, values[i]), cobra.ShellCompDirectiveNoFileComp
		case takesAny:
			return p.complete(cmd, values[len(values)-1]), cobra.ShellCompDirectiveNoFileComp
		case strings.Contains(cmd.Use, "FILE"):
			return nil, cobra.ShellCompDirectiveDefault
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// complete returns the values of a completer. It never creates or migrates a database and
// prints nothing: without a usable database, there are only the values that need none.
func (p *program) complete(cmd *cobra.Command, values completer) []string {
	quiet := *p
	quiet.stdout, quiet.stderr = io.Discard, io.Discard
	a, err := quiet.newApp(cmd.Flags(), false)
	if err == nil {
		err = a.OpenUnchanged(cmd.Context())
	}
	if err != nil {
		a = nil
	} else {
		defer a.Close() //nolint:errcheck // nothing was changed
	}
	return suggestions(cmd, values, a)
}

// suggestions returns the values, or none after an error. A is nil without a database.
func suggestions(cmd *cobra.Command, values completer, a *app.App) []string {
	found, err := values(cmd.Context(), cmd, a)
	if err != nil {
		return nil
	}
	return found
}

func userNames(ctx context.Context, _ *cobra.Command, a *app.App) ([]string, error) {
	if a == nil {
		return nil, nil
	}
	users, err := a.Store.ListUsers(ctx, "", rowsAtATime)
	names := make([]string, len(users))
	for i, u := range users {
		names[i] = u.Name
	}
	return names, err
}

func quotaNames(context.Context, *cobra.Command, *app.App) ([]string, error) {
	var names []string
	for _, info := range auth.Quotas() {
		names = append(names, string(info.Quota)+"=")
	}
	return names, nil
}

func tokenIDs(ctx context.Context, _ *cobra.Command, a *app.App) ([]string, error) {
	if a == nil {
		return nil, nil
	}
	tokens, owners, err := a.Store.AllTokens(ctx, "")
	ids := make([]string, len(tokens))
	for i, t := range tokens {
		ids[i] = t.ID + "\t" + t.Description + " of " + owners[i]
	}
	return ids, err
}

func sessionIDs(ctx context.Context, cmd *cobra.Command, a *app.App) ([]string, error) {
	if a == nil || cmd.Flag("all").Changed {
		return nil, nil
	}
	all, err := a.Store.AllSessions(ctx)
	var ids []string
	for _, s := range auth.ValidSessions(all, a.Now()) {
		ids = append(ids, s.ID+"\tof "+s.UserName+" from "+s.Address)
	}
	return ids, err
}

func webhookIDs(ctx context.Context, _ *cobra.Command, a *app.App) ([]string, error) {
	if a == nil {
		return nil, nil
	}
	webhooks, owners, err := a.Store.AllWebhooks(ctx, "")
	ids := make([]string, len(webhooks))
	for i, w := range webhooks {
		ids[i] = w.ID + "\t" + w.Description + " of " + owners[i]
	}
	return ids, err
}

// memberships returns the wallets of the user that --user names, by default the first
// admin.
func memberships(ctx context.Context, cmd *cobra.Command, a *app.App) ([]auth.Membership, error) {
	if a == nil {
		return nil, nil
	}
	u, err := actingUser(ctx, cmd, a)
	if err != nil {
		return nil, err
	}
	return a.Store.Memberships(ctx, u.ID)
}

func deviceAliases(ctx context.Context, cmd *cobra.Command, a *app.App) ([]string, error) {
	if a == nil {
		return nil, nil
	}
	u, err := actingUser(ctx, cmd, a)
	if err != nil {
		return nil, err
	}
	devices, err := a.Store.DevicesOfUser(ctx, u.ID)
	aliases := make([]string, len(devices))
	for i, d := range devices {
		aliases[i] = d.Alias + "\t" + d.Name
	}
	return aliases, err
}

// actingUser returns the user on whose behalf a command acts.
func actingUser(ctx context.Context, cmd *cobra.Command, a *app.App) (auth.User, error) {
	name := auth.FirstAdmin
	if f := cmd.Flag("user"); f != nil && f.Value.String() != "" {
		name = f.Value.String()
	} else if cmd.Name() == "create" && cmd.Parent().Name() == "webhook" && cmd.Flags().NArg() > 0 {
		name = cmd.Flags().Arg(0)
	}
	return a.Store.UserByName(ctx, name)
}

func aliases(ctx context.Context, cmd *cobra.Command, a *app.App) ([]string, error) {
	all, err := memberships(ctx, cmd, a)
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Alias
	}
	return names, err
}

// proposalIDs completes the latest proposals in these statuses, or in any.
func proposalIDs(statuses ...proposal.Status) completer {
	const most = 50
	return func(ctx context.Context, cmd *cobra.Command, a *app.App) ([]string, error) {
		all, err := memberships(ctx, cmd, a)
		var ids []string
		for _, m := range all {
			found, err := a.Store.Proposals(ctx, m.WalletID, proposal.Filter{Statuses: statuses}, proposal.Cursor{}, most)
			if err != nil {
				return nil, err
			}
			for _, one := range found {
				ids = append(ids, one.ID+"\t"+bitcoins(one.Sent())+" BTC from "+m.Alias+", "+string(one.Status))
			}
		}
		return ids, err
	}
}

// scopeValues returns the scopes and their groups.
func scopeValues() []string { return withGroups(auth.AllScopes.Names(), ":", ":*") }

// kindValues returns the kinds of events and their groups.
func kindValues() []string { return withGroups(texts(event.Kinds()), ".", "") }

// withGroups adds the groups of names, which end at the separator, with a suffix.
func withGroups(names []string, separator, suffix string) []string {
	all := slices.Clone(names)
	for _, name := range names {
		group, _, _ := strings.Cut(name, separator)
		if !slices.Contains(all, group+suffix) {
			all = append(all, group+suffix)
		}
	}
	return all
}
