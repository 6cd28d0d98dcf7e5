// Package walletexport writes a wallet in the formats of other programs, which package
// walletfile reads. It uses neither SQL nor HTTP nor RPC: [Load] reads the data from the service
// of wallets.
//
// If a format cannot represent a wallet, writing it returns [ErrBranches], [ErrOrigin] or
// [ErrNotSortedMultisig], so that no program watches wrong addresses.
package walletexport

import (
	"context"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// Format is an export format.
type Format string

// The formats.
const (
	Specter    Format = "specter"     // the wallet file of Specter Desktop
	AccountMap Format = "account-map" // for Specter Desktop, Sparrow, Fully Noded and others
	Labels     Format = "labels"      // BIP-329, JSON Lines
	Core       Format = "core"        // the argument of RPC importdescriptors
	Descriptor Format = "descriptor"  // one descriptor for both branches (BIP-389)
	BSMS       Format = "bsms"        // BIP-129
	Policy     Format = "bip388"      // wallet policy
	Coldcard   Format = "coldcard"    // multisig file of Coldcard, which many devices read
	Sparrow    Format = "sparrow"
	Caravan    Format = "caravan"
	// CryptoOutput is the descriptor as the text of a QR code (BCR-2020-010), which Sparrow
	// and devices with a camera read.
	CryptoOutput Format = "crypto-output"
)

// Formats lists all formats.
var Formats = []Format{Specter, AccountMap, Labels, Core, Descriptor, BSMS, Policy, Coldcard, Sparrow, Caravan, CryptoOutput}

// Names returns the names of all formats in a sentence.
func Names() string {
	names := make([]string, len(Formats))
	for i, f := range Formats {
		names[i] = string(f)
	}
	return text.List(names, "or")
}

// ErrBranches is returned for a wallet whose branches a format cannot represent.
var ErrBranches = fault.New(fault.Conflict, "unsupported_branches", "the wallet's branches do not end in /0/* and /1/*, as Specter Desktop and account maps assume, so other programs would watch wrong addresses; use the format core or descriptor")

// ErrOrigin is returned for a wallet with a key without its origin, if the format requires it.
var ErrOrigin = fault.New(fault.Conflict, "missing_origin", "a key of the wallet has no origin (the fingerprint and path of its master key), which this format requires; use the format core or descriptor")

// ErrNotSortedMultisig is returned for a format that has only multisig wallets with sorted keys.
var ErrNotSortedMultisig = fault.New(fault.Conflict, "not_sorted_multisig", "the format is for multisig wallets with sorted keys; use the format core or descriptor")

// ParseFormat returns the format with this name, or a fault about the field format.
func ParseFormat(name string) (Format, error) {
	for _, f := range Formats {
		if string(f) == name {
			return f, nil
		}
	}
	return "", fault.InvalidField("format", "must be %s", Names())
}

// FileName returns the default name of a file in this format.
func (f Format) FileName() string {
	switch f {
	case Labels:
		return "labels.jsonl"
	case Descriptor, Coldcard, CryptoOutput:
		return string(f) + ".txt"
	case BSMS:
		return "wallet.bsms"
	default:
		return string(f) + ".json"
	}
}

// ContentType returns the media type of a file in this format.
func (f Format) ContentType() string {
	switch f {
	case Labels:
		return "application/jsonl"
	case Descriptor, BSMS, Coldcard, CryptoOutput:
		return "text/plain; charset=utf-8"
	default:
		return "application/json"
	}
}

// Wallet is the data for all formats.
type Wallet struct {
	// Details must have the addresses of both branches up to and including the next one.
	wallet.Details
	// Network is the network of the node. If it is empty, because the node is unreachable, the
	// network follows from keys and addresses, and signet counts as test.
	Network btc.Network
	// Devices are the devices that the wallet's keys may name.
	Devices []wallet.Device
	// Labels are the wallet's labels in the model of BIP-329, including frozen UTXOs.
	Labels iter.Seq2[btc.Label, error]
	// Born is the time of the block before which the wallet has no transactions; zero
	// requests a rescan of the whole chain.
	Born time.Time
}

// Load returns the data of a wallet, without the time of its birthday.
func Load(ctx context.Context, s *wallet.Service, access wallet.Access) (w Wallet, err error) {
	w.Network = s.Network()
	if w.Details, err = s.Details(ctx, access, 1); err != nil {
		return Wallet{}, err
	}
	if w.Devices, err = s.Devices(ctx, access.Caller()); err != nil {
		return Wallet{}, err
	}
	w.Labels, err = s.Labels(ctx, access)
	return w, err
}

// Check returns the error with which Write refuses a format for the wallet. Only the wallet's
// View is required.
func (w Wallet) Check(f Format) error {
	switch f {
	case Specter, AccountMap:
		return w.checkBranches()
	case Labels, Core:
		return nil
	}
	return w.Write(io.Discard, f) // formats that contain neither addresses nor labels
}

// Write writes the wallet in one format, in UTF-8 and with a line break at the end. ErrBranches,
// ErrOrigin and ErrNotSortedMultisig are returned before anything is written.
func (w Wallet) Write(out io.Writer, f Format) error {
	write := map[Format]func(Wallet, io.Writer) error{
		Specter: Wallet.writeSpecter, AccountMap: Wallet.writeAccountMap, Core: Wallet.writeCore, Labels: Wallet.writeLabels,
		Descriptor: Wallet.writeDescriptor, BSMS: Wallet.writeBSMS, Policy: Wallet.writePolicy, Coldcard: Wallet.writeColdcard,
		Sparrow: Wallet.writeSparrow, Caravan: Wallet.writeCaravan, CryptoOutput: Wallet.writeCryptoOutput,
	}[f]
	return write(w, out)
}

// checkBranches returns ErrBranches unless the branches are /0/* and /1/*. Readers of the
// Specter file refuse others, and readers of account maps derive the change descriptor
// from the receive descriptor.
func (w Wallet) checkBranches() error {
	receive, _, _ := strings.Cut(w.Receive, "#")
	change, _, _ := strings.Cut(w.Change, "#")
	if strings.Count(receive, "/0/*") != len(w.Keys) || strings.ReplaceAll(receive, "/0/*", "/1/*") != change {
		return ErrBranches
	}
	return nil
}

func (w Wallet) writeLabels(out io.Writer) error {
	var line []byte
	for l, err := range w.Labels {
		if err != nil {
			return err
		}
		if line, err = l.Append(line[:0]); err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return nil
}
