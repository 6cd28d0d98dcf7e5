package v1

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/fault"
	wallets "github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletfile"
)

// walletSource contains the fields with a file of another program.
type walletSource struct {
	File       string   `json:"file" description:"Text of a wallet file, a device file or a descriptor of another program; see docs/wallet-files.md for the formats. Files with private keys or seed words are refused."`
	FileBase64 string   `json:"file_base64" description:"The same in base64."`
	Files      []string `json:"files" maxItems:"20" description:"The same for several files, such as one from each device, which each have the key of one signer of a multisig wallet. Requires signatures_required."`
	Parts      []string `json:"parts" description:"The same as the texts of QR codes, in any order: UR (crypto-account, crypto-output, crypto-hdkey, bytes), BBQr, or one plain text."`
}

// source returns the file of a request; zero if it has none. Problems of the file are
// returned by its method Read, together with others.
func (w walletSource) source() walletfile.Source {
	switch {
	case w.File != "":
		return walletfile.FromText(w.File)
	case w.FileBase64 != "":
		return walletfile.FromBase64(w.FileBase64)
	case len(w.Files) > 0:
		files := make([]walletfile.Source, len(w.Files))
		for i, text := range w.Files {
			files[i] = walletfile.FromText(text)
		}
		return walletfile.FromFiles(files)
	case len(w.Parts) > 0:
		return walletfile.FromParts(w.Parts)
	}
	return walletfile.Source{}
}

// count returns how many of the fields are given.
func (w walletSource) count() int {
	n := 0
	for _, given := range []bool{w.File != "", w.FileBase64 != "", len(w.Files) > 0, len(w.Parts) > 0} {
		if given {
			n++
		}
	}
	return n
}

type createWalletRequest struct {
	Name             string   `json:"name" minLength:"1" maxLength:"64" example:"Savings" description:"Name of the wallet for all members. Required unless a file contains it."`
	Alias            string   `json:"alias" maxLength:"64" description:"Your own name for the wallet in paths. Default: the name in lower case, with _ for spaces."`
	Descriptor       string   `json:"descriptor" example:"wpkh([d34db33f/84h/0h/0h]xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL/<0;1>/*)" description:"Descriptor of both branches, with <0;1>, or of the receive branch; if it ends in /0/*, change addresses are on /1/*. Public keys only. Specify exactly one of descriptor, keys, file, file_base64, files and parts."`
	ChangeDescriptor string   `json:"change_descriptor" description:"Descriptor of the change addresses. Required if descriptor is for the receive branch only and does not end in /0/*."`
	Keys             []string `json:"keys" description:"Extended public keys, such as [fingerprint/84h/0h/0h]xpub…; the formats of SLIP-132, such as zpub, are also accepted. Several keys create a multisig wallet with sorted keys."`
	walletSource
	SignaturesRequired int            `json:"signatures_required" minimum:"1" maximum:"15" description:"With keys or files: number of signatures that a payment requires. Default for one key: 1."`
	Script             string         `json:"script" enum:"wpkh,sh-wpkh,pkh,tr,wsh,sh-wsh,sh" description:"With keys: script type of the addresses. With a file that contains several wallets, or files with several keys: script type of the one to create; default wpkh or wsh if it has one, or else the first."`
	Birthday           jsontext.Value `json:"birthday" oneof:"string,integer" example:"\"now\"" description:"Birthday of the wallet, before which it has no transactions: \"now\" for a new wallet, a block height, a date, or a time (RFC 3339). The rescan starts there. Required unless a file contains it."`
}

// newWallet is a wallet that was just created.
type newWallet struct {
	wallet
	ChangeImplied bool            `json:"change_descriptor_implied" required:"true" description:"Whether change_descriptor was derived from a descriptor that ends in /0/*, with /1/* instead."`
	Warnings      []walletWarning `json:"warnings" required:"true" description:"Properties of the wallet that are probably unintended."`
}

// walletWarning is a property of a wallet that is probably unintended.
type walletWarning struct {
	Code    string `json:"code" required:"true" example:"origin_mismatch" description:"Stable code that identifies the kind of warning."`
	Message string `json:"message" required:"true" description:"Description for humans; the wording may change."`
}

func warningsOf(all []walletfile.Warning) []walletWarning {
	out := make([]walletWarning, len(all))
	for i, w := range all {
		out[i] = walletWarning{w.Code, w.Message}
	}
	return out
}

// plan returns the plan of a request, without its birthday.
func (in createWalletRequest) plan() wallets.Plan {
	given := in.count()
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
		Name: in.Name, Alias: in.Alias, Descriptor: in.Descriptor, Change: in.ChangeDescriptor, File: in.source(),
		Keys: in.Keys, SignaturesRequired: in.SignaturesRequired, Script: in.Script,
	}
}

// CreateWallet serves POST /api/v1/wallets.
func (a *API) CreateWallet(ctx context.Context, in createWalletRequest) (newWallet, error) {
	plan := in.plan()
	if in.Birthday != nil || plan.File.IsZero() {
		var err error
		if plan.Birthday, err = parseBirthday("birthday", in.Birthday); err != nil {
			return newWallet{}, a.o.Wallets.Problems(ctx, caller(ctx), plan, err)
		}
	}
	about, err := a.o.Wallets.Inspect(ctx, caller(ctx), plan)
	if err != nil && fault.KindOf(err) != fault.Invalid { // Create returns an Invalid fault together with other problems
		return newWallet{}, err
	}
	v, err := a.o.Wallets.Create(ctx, caller(ctx), plan)
	return newWalletOf(v, plan, about), err
}

func newWalletOf(v wallets.View, plan wallets.Plan, about wallets.Inspection) newWallet {
	implied := plan.ImpliesChange() || slices.ContainsFunc(about.Warnings, func(w walletfile.Warning) bool { return w.Code == "change_implied" })
	return newWallet{walletOf(v), implied, warningsOf(about.Warnings)}
}

type inspectWalletRequest struct {
	walletSource

	SignaturesRequired int `json:"signatures_required" minimum:"1" maximum:"15" description:"With files: number of signatures that a payment requires."`

	Script string `json:"script" enum:"wpkh,sh-wpkh,pkh,tr,wsh,sh-wsh,sh" description:"Script type of the wallet to show, if the file contains several; default wpkh or wsh if it has one, or else the first."`
}

// walletInspection is a wallet in a file.
type walletInspection struct {
	Format             string          `json:"format" required:"true" example:"coldcard" description:"Format of the file."`
	Name               *string         `json:"name" required:"true" description:"Name of the wallet or the device; null if the file has none."`
	BirthdayHeight     *int            `json:"birthday_height" required:"true" description:"Height of the block before which the wallet has no transactions; null if the file does not contain it."`
	Birthday           *time.Time      `json:"birthday" required:"true" description:"Time before which the wallet has no transactions; null if the file does not contain it."`
	Script             string          `json:"script" required:"true" enum:"pkh,wpkh,sh-wpkh,tr,sh,wsh,sh-wsh"`
	Scripts            []string        `json:"scripts" required:"true" description:"Script types of all wallets and keys in the file, one of which the parameter script chooses."`
	SignaturesRequired *int            `json:"signatures_required" required:"true" description:"Number of signatures that a payment requires; null for the key of one signer of a multisig wallet."`
	Keys               []inspectedKey  `json:"keys" required:"true" description:"Keys of the wallet, in the order of the descriptor."`
	Accounts           []accountKey    `json:"accounts" required:"true" description:"Accounts of one key in the file, such as the accounts of a device for several script types. To create a multisig wallet, send the files of all signers in files, or one such key of each signer in keys."`
	Descriptor         *string         `json:"descriptor" required:"true" description:"Descriptor of the receive addresses, with its checksum; null for the key of one signer of a multisig wallet."`
	ChangeDescriptor   *string         `json:"change_descriptor" required:"true"`
	Addresses          *firstAddress   `json:"addresses" required:"true" description:"The first addresses, to compare with the device or program that wrote the file; null for the key of one signer of a multisig wallet."`
	Warnings           []walletWarning `json:"warnings" required:"true" description:"Properties of the wallet that are probably unintended."`
}

type inspectedKey struct {
	Fingerprint string  `json:"fingerprint" required:"true" description:"Fingerprint of the master key, eight hexadecimal digits."`
	Derivation  string  `json:"derivation" required:"true" example:"m/84h/0h/0h"`
	XPub        string  `json:"xpub" required:"true"`
	Name        *string `json:"name" required:"true" description:"Name of the signer or device; null if the file has none."`
}

// accountKey is a key of a device.
type accountKey struct {
	Script string `json:"script" required:"true" enum:"pkh,wpkh,sh-wpkh,tr,sh,wsh,sh-wsh" description:"Script type that the key is for."`
	Key    string `json:"key" required:"true" example:"[d34db33f/48h/0h/0h/2h]xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL" description:"The key with its origin, as keys of POST /api/v1/wallets takes it."`
}

// firstAddress contains the first addresses of both branches.
type firstAddress struct {
	Receive []string `json:"receive" required:"true" description:"The first three receive addresses."`
	Change  []string `json:"change" required:"true" description:"The first three change addresses."`
}

// InspectWallet serves POST /api/v1/wallets/inspect.
func (a *API) InspectWallet(ctx context.Context, in inspectWalletRequest) (walletInspection, error) {
	if in.count() != 1 {
		return walletInspection{}, fault.InvalidField("file", "exactly one of file, file_base64, files and parts is required")
	}
	about, err := a.o.Wallets.Inspect(ctx, caller(ctx), wallets.Plan{File: in.source(), Script: in.Script, SignaturesRequired: in.SignaturesRequired})
	if err != nil {
		return walletInspection{}, err
	}
	return inspectionOf(about), nil
}

func inspectionOf(about wallets.Inspection) walletInspection {
	out := walletInspection{
		Format: string(about.Format), Name: optionalText(wallets.FitName(about.Name)), Script: string(about.Script),
		Keys: make([]inspectedKey, len(about.Keys)), Accounts: make([]accountKey, len(about.Accounts)), Warnings: warningsOf(about.Warnings),
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
		out.Accounts[i] = accountKey{string(a.Script), a.Key.WithOrigin()}
	}
	for i, k := range about.Keys {
		out.Keys[i] = inspectedKey{k.Fingerprint, k.Derivation, k.XPub, optionalText(wallets.FitName(k.Name))}
	}
	if p := about.Policy; about.IsWallet() {
		receive, change := p.Receive.String(), p.Change.String()
		out.SignaturesRequired, out.Descriptor, out.ChangeDescriptor = &p.SignaturesRequired, &receive, &change
		out.Addresses = &firstAddress{about.Receive, about.Change}
	}
	return out
}
