package v1

import (
	"context"
	"slices"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
	wallets "github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletfile"
)

// sourceOf returns the file of a request; zero if it has none. Problems of the file are
// returned by its method Read, together with others.
func sourceOf(w api.WalletSource) walletfile.Source {
	var files []walletfile.Source
	switch {
	case len(w.Parts) > 0 && len(w.FileNames) == 0:
		return walletfile.FromParts(w.Parts)
	case w.File != "":
		files = append(files, walletfile.FromText(w.File))
	case w.FileBase64 != "":
		files = append(files, walletfile.FromBase64(w.FileBase64))
	}
	for _, text := range w.Files {
		files = append(files, walletfile.FromText(text))
	}
	if w.FileNames == nil {
		return walletfile.FromFiles(files)
	}
	if len(w.FileNames) != len(files) {
		return walletfile.Unreadable(fault.InvalidField("file_names", "must have one name for each file"))
	}
	for i, name := range w.FileNames {
		files[i] = files[i].WithName(name)
	}
	return walletfile.FromFiles(files)
}

// countSources returns how many of the fields are given.
func countSources(w api.WalletSource) int {
	n := 0
	for _, given := range []bool{w.File != "", w.FileBase64 != "", len(w.Files) > 0, len(w.Parts) > 0} {
		if given {
			n++
		}
	}
	return n
}

func warningsOf(all []walletfile.Warning) []api.WalletWarning {
	out := make([]api.WalletWarning, len(all))
	for i, w := range all {
		out[i] = api.WalletWarning(w)
	}
	return out
}

// planOf returns the plan of a request, without its birthday.
func planOf(in api.CreateWalletRequest) wallets.Plan {
	given := countSources(in.WalletSource)
	if in.Descriptor != "" {
		given++
	}
	if len(in.Keys) > 0 {
		given++
	}
	if given != 1 {
		problem := fault.InvalidField("descriptor", "exactly one of descriptor, keys, file, file_base64, files and parts is required")
		return wallets.Plan{Name: in.Name, Alias: in.Alias, File: walletfile.Unreadable(problem)}
	}
	return wallets.Plan{
		Name: in.Name, Alias: in.Alias, Descriptor: in.Descriptor, Change: in.ChangeDescriptor, File: sourceOf(in.WalletSource),
		Keys: in.Keys, SignaturesRequired: in.SignaturesRequired, Script: in.Script,
	}
}

// CreateWallet serves POST /api/v1/wallets.
func (a *API) CreateWallet(ctx context.Context, in api.CreateWalletRequest) (api.NewWallet, error) {
	plan := planOf(in)
	if in.Birthday != nil || plan.File.IsZero() {
		var err error
		if plan.Birthday, err = parseBirthday("birthday", in.Birthday); err != nil {
			return api.NewWallet{}, a.o.Wallets.Problems(ctx, caller(ctx), plan, err)
		}
	}
	about, err := a.o.Wallets.Inspect(ctx, caller(ctx), plan)
	if err != nil && fault.KindOf(err) != fault.Invalid { // Create returns an Invalid fault together with other problems
		return api.NewWallet{}, err
	}
	v, err := a.o.Wallets.Create(ctx, caller(ctx), plan)
	return newWalletOf(v, plan, about), err
}

func newWalletOf(v wallets.View, plan wallets.Plan, about wallets.Inspection) api.NewWallet {
	implied := plan.ImpliesChange() || slices.ContainsFunc(about.Warnings, func(w walletfile.Warning) bool { return w.Code == "change_implied" })
	return api.NewWallet{Wallet: walletOf(v), ChangeImplied: implied, Warnings: warningsOf(about.Warnings)}
}

// InspectWallet serves POST /api/v1/wallets/inspect.
func (a *API) InspectWallet(ctx context.Context, in api.InspectWalletRequest) (api.WalletInspection, error) {
	about, err := a.o.Wallets.Inspect(ctx, caller(ctx), planOf(api.CreateWalletRequest{
		Descriptor: in.Descriptor, ChangeDescriptor: in.ChangeDescriptor, Keys: in.Keys, WalletSource: in.WalletSource,
		SignaturesRequired: in.SignaturesRequired, Script: in.Script,
	}))
	if err != nil {
		return api.WalletInspection{}, err
	}
	return inspectionOf(about), nil
}

func inspectionOf(about wallets.Inspection) api.WalletInspection {
	out := api.WalletInspection{
		Format: string(about.Format), Name: text.Optional(wallets.FitName(about.Name)), Script: string(about.Script),
		Keys: make([]api.InspectedKey, len(about.Keys)), Accounts: make([]api.AccountKey, len(about.Accounts)), Warnings: warningsOf(about.Warnings),
	}
	if about.BirthdayHeight >= 0 {
		out.BirthdayHeight = &about.BirthdayHeight
	}
	if !about.Birthday.IsZero() {
		out.Birthday = &about.Birthday
	}
	for _, s := range about.Scripts {
		out.Scripts = append(out.Scripts, string(s))
	}
	for i, a := range about.Accounts {
		out.Accounts[i] = api.AccountKey{Script: string(a.Script), Key: a.Key.WithOrigin()}
	}
	for i, k := range about.Keys {
		out.Keys[i] = api.InspectedKey{Fingerprint: k.Fingerprint, Derivation: k.Derivation, XPub: k.XPub, Name: text.Optional(wallets.FitName(k.Name))}
	}
	if p := about.Policy; about.IsWallet() {
		receive, change := p.Receive.String(), p.Change.String()
		out.SignaturesRequired, out.Descriptor, out.ChangeDescriptor = &p.SignaturesRequired, &receive, &change
		out.Addresses = &api.FirstAddress{Receive: about.Receive, Change: about.Change}
	}
	return out
}
