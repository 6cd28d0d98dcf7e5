package v1

import (
	"time"
)

// WalletSource contains the fields with a file of another program.
type WalletSource struct {
	File       string   `json:"file,omitzero" description:"Text of a wallet file, a device file or a descriptor of another program; see docs/wallet-files.md for the formats. Files with private keys or seed words are refused."`
	FileBase64 string   `json:"file_base64,omitzero" description:"The same in base64."`
	Files      []string `json:"files,omitzero" maxItems:"20" description:"The same for several files, such as one from each device, which each have the key of one signer of a multisig wallet. Requires signatures_required."`
	FileNames  []string `json:"file_names,omitzero" maxItems:"20" example:"[\"ann.json\"]" description:"Names of the files, in the same order, or the name of the only file. A signer gets the name of the file, without its ending, if the file contains none."`
	Parts      []string `json:"parts,omitzero" description:"The same as the texts of QR codes, in any order: UR (crypto-account, crypto-output, crypto-hdkey, bytes), BBQr, or one plain text."`
}

// CreateWalletRequest describes a watch-only wallet to create, from a descriptor, from keys or from a
// file.
type CreateWalletRequest struct {
	Name             string   `json:"name,omitzero" minLength:"1" maxLength:"64" example:"Savings" description:"Name of the wallet for all members. Required unless a file contains it."`
	Alias            string   `json:"alias,omitzero" maxLength:"64" description:"Your own name for the wallet in paths. Default: the name in lower case, with _ for spaces."`
	Descriptor       string   `json:"descriptor,omitzero" example:"wpkh([d34db33f/84h/0h/0h]xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL/<0;1>/*)" description:"Descriptor of both branches, with <0;1>, or of the receive branch; if it ends in /0/*, change addresses are on /1/*. Public keys only. Specify exactly one of descriptor, keys, file, file_base64, files and parts."`
	ChangeDescriptor string   `json:"change_descriptor,omitzero" description:"Descriptor of the change addresses. Required if descriptor is for the receive branch only and does not end in /0/*."`
	Keys             []string `json:"keys,omitzero" description:"Extended public keys, such as [fingerprint/84h/0h/0h]xpub…; the formats of SLIP-132, such as zpub, are also accepted. Several keys create a multisig wallet with sorted keys."`
	WalletSource
	SignaturesRequired int    `json:"signatures_required,omitzero" minimum:"1" maximum:"15" description:"With keys or files: number of signatures that a payment requires. Default for one key: 1."`
	Script             string `json:"script,omitzero" enum:"wpkh,sh-wpkh,pkh,tr,wsh,sh-wsh,sh" description:"With keys: script type of the addresses. With a file that contains several wallets, or files with several keys: script type of the one to create; default wpkh or wsh if it has one, or else the first."`
	Birthday           Start  `json:"birthday,omitzero" oneof:"string,integer" example:"\"now\"" description:"Birthday of the wallet, before which it has no transactions: \"now\" for a new wallet, a block height, a date, or a time (RFC 3339). The rescan starts there. Required unless a file contains it."`
}

// NewWallet is a wallet that was just created.
type NewWallet struct {
	Wallet
	ChangeImplied bool            `json:"change_descriptor_implied" required:"true" description:"Whether change_descriptor was derived from a descriptor that ends in /0/*, with /1/* instead."`
	Warnings      []WalletWarning `json:"warnings" required:"true" description:"Properties of the wallet that are probably unintended."`
}

// WalletWarning is a property of a wallet that is probably unintended.
type WalletWarning struct {
	Code    string `json:"code" required:"true" example:"origin_mismatch" description:"Stable code that identifies the kind of warning."`
	Message string `json:"message" required:"true" description:"Description for humans; the wording may change."`
}

// InspectWalletRequest contains a file of another program, a descriptor or keys to inspect.
type InspectWalletRequest struct {
	Descriptor       string   `json:"descriptor,omitzero" description:"Instead of a file: descriptor of both branches, with <0;1>, or of the receive branch; if it ends in /0/*, change addresses are on /1/*."`
	ChangeDescriptor string   `json:"change_descriptor,omitzero" description:"Descriptor of the change addresses. Required if descriptor is for the receive branch only and does not end in /0/*."`
	Keys             []string `json:"keys,omitzero" description:"Instead of a file: extended public keys, such as [fingerprint/84h/0h/0h]xpub…. Several keys are those of a multisig wallet with sorted keys."`

	WalletSource

	SignaturesRequired int `json:"signatures_required,omitzero" minimum:"1" maximum:"15" description:"With keys or files: number of signatures that a payment requires."`

	Script string `json:"script,omitzero" enum:"wpkh,sh-wpkh,pkh,tr,wsh,sh-wsh,sh" description:"With keys: script type of the addresses. With a file that contains several wallets: script type of the one to show; default wpkh or wsh if it has one, or else the first."`
}

// WalletInspection is a wallet in a file.
type WalletInspection struct {
	Format             string          `json:"format" required:"true" example:"coldcard" description:"Format of the file; empty for a descriptor or keys."`
	Name               *string         `json:"name" required:"true" description:"Name of the wallet or the device; null if the file has none."`
	BirthdayHeight     *int            `json:"birthday_height" required:"true" description:"Height of the block before which the wallet has no transactions; null if the file does not contain it."`
	Birthday           *time.Time      `json:"birthday" required:"true" description:"Time before which the wallet has no transactions; null if the file does not contain it."`
	Script             string          `json:"script" required:"true" enum:"pkh,wpkh,sh-wpkh,tr,sh,wsh,sh-wsh"`
	Scripts            []string        `json:"scripts" required:"true" description:"Script types of all wallets and keys in the file, one of which the parameter script chooses."`
	SignaturesRequired *int            `json:"signatures_required" required:"true" description:"Number of signatures that a payment requires; null for the key of one signer of a multisig wallet."`
	Keys               []InspectedKey  `json:"keys" required:"true" description:"Keys of the wallet, in the order of the descriptor."`
	Accounts           []AccountKey    `json:"accounts" required:"true" description:"Accounts of one key in the file, such as the accounts of a device for several script types. To create a multisig wallet, send the files of all signers in files, or one such key of each signer in keys."`
	Descriptor         *string         `json:"descriptor" required:"true" description:"Descriptor of the receive addresses, with its checksum; null for the key of one signer of a multisig wallet."`
	ChangeDescriptor   *string         `json:"change_descriptor" required:"true"`
	Addresses          *FirstAddress   `json:"addresses" required:"true" description:"The first addresses, to compare with the device or program that wrote the file; null for the key of one signer of a multisig wallet."`
	Warnings           []WalletWarning `json:"warnings" required:"true" description:"Properties of the wallet that are probably unintended."`
}

// InspectedKey is a key in a wallet file.
type InspectedKey struct {
	Fingerprint string  `json:"fingerprint" required:"true" description:"Fingerprint of the master key, eight hexadecimal digits."`
	Derivation  string  `json:"derivation" required:"true" example:"m/84h/0h/0h"`
	XPub        string  `json:"xpub" required:"true"`
	Name        *string `json:"name" required:"true" description:"Name of the signer or device; null if the file has none."`
}

// AccountKey is a key of a device.
type AccountKey struct {
	Script string `json:"script" required:"true" enum:"pkh,wpkh,sh-wpkh,tr,sh,wsh,sh-wsh" description:"Script type that the key is for."`
	Key    string `json:"key" required:"true" example:"[d34db33f/48h/0h/0h/2h]xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL" description:"The key with its origin, as keys of POST /api/v1/wallets takes it."`
}

// FirstAddress contains the first addresses of both branches.
type FirstAddress struct {
	Receive []string `json:"receive" required:"true" description:"The first three receive addresses."`
	Change  []string `json:"change" required:"true" description:"The first three change addresses."`
}
