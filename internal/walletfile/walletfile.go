// Package walletfile reads wallets and keys from the files and QR codes of other
// programs: output descriptors, exports of hardware wallets, and the files of Specter
// Desktop, Sparrow, Electrum, Caravan, Bitcoin Core and others. It does no I/O.
//
// Invariants: a text that contains a private key or seed words is refused, and no error
// or warning repeats text from the file.
package walletfile

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// MaxSize is the maximum size of a file in bytes.
const MaxSize = 512 << 10

// field is the name of the file in errors.
const field = "file"

// Errors of Read, about the field "file".
var (
	// ErrUnknownFormat is returned for a text in no supported format.
	ErrUnknownFormat = fault.InvalidAs("unknown_file_format", field, "has no known format; supported are output descriptors, extended public keys, BSMS, "+
		"BIP-388 policies, and the public files of Specter Desktop, Sparrow, Electrum, Caravan, Bitcoin Core, Coldcard and other hardware wallets")
	// ErrFile is returned for a file whose format is known, but whose content is invalid.
	ErrFile = fault.InvalidAs("invalid_file", field, "is invalid")
	// ErrFirstAddress is returned for a file whose first address does not belong to its keys.
	ErrFirstAddress = fault.InvalidAs("first_address_mismatch", field, "names a first address that its keys do not have, so it was changed or is damaged; export it again")
	// ErrNotOneWallet is returned for a file whose content is not one wallet.
	ErrNotOneWallet = fault.InvalidAs("not_one_wallet", field, "is the key of one signer of a multisig wallet; create the wallet from the files of all signers (files), or from their keys (keys), with signatures_required")
)

// Format is the format of a file.
type Format string

// The formats.
const (
	Descriptor       Format = "descriptor"
	Key              Format = "key" // an extended public key
	AccountMap       Format = "account-map"
	Specter          Format = "specter"
	SpecterDevice    Format = "specter-device"
	Coldcard         Format = "coldcard"      // generic JSON
	ColdcardKeys     Format = "coldcard-keys" // ccxp-*.json, for multisig
	ColdcardMultisig Format = "coldcard-multisig"
	Nunchuk          Format = "nunchuk"     // a dialect of coldcard-multisig
	AccountKey       Format = "account-key" // JSON with ExtPubKey, of Coldcard, Keystone and Passport for Wasabi and BTCPay Server
	Sparrow          Format = "sparrow"
	Electrum         Format = "electrum"
	Caravan          Format = "caravan"
	BSMS             Format = "bsms"   // BIP-129
	Policy           Format = "bip388" // wallet policy
	Core             Format = "core"   // of listdescriptors and importdescriptors
	CryptoAccount    Format = "crypto-account"
	CryptoOutput     Format = "crypto-output"
	CryptoHDKey      Format = "crypto-hdkey"
	Signers          Format = "signers" // several files, each with the key of a signer
)

// Options are what the caller knows about the wallet.
type Options struct {
	Network btc.Network
	// Script chooses one of several wallets in a file; empty for the default: native
	// segwit if the file has it, or else the first.
	Script btc.Script
	// SignaturesRequired is for several files, which do not contain it.
	SignaturesRequired int
}

// File is the content of a file.
type File struct {
	Format Format
	Name   string // of the wallet or device; empty if the file has none. It is not validated
	// Birthday is the time before which the wallet has no transactions; zero if unknown.
	// BirthdayHeight is the same as a block height; -1 if unknown.
	Birthday       time.Time
	BirthdayHeight int
	// Scripts are the script types of all wallets and keys in the file.
	Scripts []btc.Script
	Script  btc.Script
	Keys    []NamedKey
	// Accounts are the accounts of one key in the file, such as the accounts of a device for
	// several script types.
	Accounts []Account
	// Policy is the wallet. It is empty if the file has only one signer's key of a
	// multisig wallet; see IsWallet.
	Policy   btc.Policy
	Warnings []Warning
}

// NamedKey is a key with the name of its signer or device, which may be empty and is not
// validated.
type NamedKey struct {
	btc.Key

	Name string
}

// Account is a key of a device and the script type that the key is for.
type Account struct {
	Script btc.Script
	Key    btc.Key
}

// IsWallet reports whether the file describes a complete wallet.
func (f File) IsWallet() bool { return len(f.Policy.Keys) > 0 }

// check returns one fault with all problems that do not depend on the network.
func (d *draft) check() error {
	switch {
	case d.err != nil:
		return d.err
	case len(d.problems) > 0:
		return fault.JoinErrors(d.problems...)
	case len(d.accounts) == 0:
		return fault.InvalidAs(ErrFile.Code, field, "contains neither a wallet nor keys")
	}
	return nil
}

// textOf returns the file as text without a byte order mark and surrounding white space.
func textOf(data []byte) (string, error) {
	switch {
	case len(data) > MaxSize:
		return "", fault.InvalidAs(ErrFile.Code, field, "must be at most %d KiB", MaxSize>>10)
	case !utf8.Valid(data):
		return "", fault.InvalidAs(ErrUnknownFormat.Code, field, "is binary; export the wallet or its public keys as text or JSON")
	}
	text := trim(string(data))
	if text == "" {
		return "", fault.InvalidAs(ErrFile.Code, field, "is empty")
	}
	return text, nil
}

// parse detects the format and returns the content. It refuses private keys first, in all
// formats.
func parse(text string) (*draft, error) {
	if btc.HoldsPrivateKey(text) {
		return nil, errPrivate
	}
	if isEncryptedElectrum(text) {
		return nil, fault.InvalidAs(ErrUnknownFormat.Code, field, "is an encrypted file of Electrum or Sparrow; export the public keys or the descriptor instead")
	}
	d := &draft{height: -1}
	if text[0] == '{' || text[0] == '[' && isJSONArray(text) {
		d.readJSON(text)
	} else {
		d.readText(text)
	}
	return d, nil
}

var errPrivate = btc.ErrPrivateKey.ForField(field)

// draft is the content of a file before its keys are validated.
type draft struct {
	format   Format
	name     string
	birthday time.Time
	height   int
	network  string // as the file names it; empty if it does not
	accounts []account
	warnings []Warning
	problems []error // with fields
	err      error   // instead of all problems
}

// account is a wallet in a file, from either descriptors or keys; or one signer's key of a
// multisig wallet.
type account struct {
	script          btc.Script
	receive, change string
	keys            []string
	required        int
	unsorted        bool
	signer          bool     // one signer's key of a multisig wallet
	assumed         bool     // the file does not state the script
	names           []string // of the keys, in their order
	first           string   // the first receive address according to the file
}

// problem adds a problem with the content of the file. The text must not contain any of it.
func (d *draft) problem(format string, args ...any) {
	const most = 20
	if len(d.problems) < most {
		d.problems = append(d.problems, fault.InvalidAs(ErrFile.Code, field, format, args...))
	}
}

func (d *draft) warn(code, format string, args ...any) {
	d.warnings = append(d.warnings, Warning{code, fmt.Sprintf(format, args...)})
}
