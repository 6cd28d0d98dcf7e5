// Package walletexport writes a wallet in the formats of other programs: Specter
// Desktop's wallet file, account maps, labels, and import requests of Bitcoin Core. It
// uses neither SQL nor HTTP nor RPC: the caller provides the data.
//
// If a format cannot represent a wallet, writing it returns [ErrBranches], so that no
// program watches wrong addresses.
package walletexport

import (
	"io"
	"iter"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
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
)

// Formats lists all formats.
var Formats = []Format{Specter, AccountMap, Labels, Core}

// ErrBranches is returned for a wallet whose branches a format cannot represent.
var ErrBranches = fault.New(fault.Conflict, "unsupported_branches", "the wallet's branches do not end in /0/* and /1/*, as Specter Desktop and account maps assume, so other programs would watch wrong addresses; use the format core")

// ParseFormat returns the format with this name, or a fault about the field format.
func ParseFormat(name string) (Format, error) {
	for _, f := range Formats {
		if string(f) == name {
			return f, nil
		}
	}
	return "", fault.InvalidField("format", "must be specter, account-map, labels or core")
}

// FileName returns the default name of a file in this format.
func (f Format) FileName() string {
	if f == Labels {
		return "labels.jsonl"
	}
	return string(f) + ".json"
}

// Wallet is the data for all formats.
type Wallet struct {
	// Details must have the addresses of both branches up to and including the next one.
	wallet.Details
	// Devices are the devices that the wallet's keys may name.
	Devices []wallet.Device
	// Labels are the wallet's labels in the model of BIP-329, including frozen UTXOs.
	Labels iter.Seq2[btc.Label, error]
	// Born is the time of the block before which the wallet has no transactions; zero
	// requests a rescan of the whole chain.
	Born time.Time
}

// Write writes the wallet in one format, in UTF-8 and with a line break at the end.
// ErrBranches is returned before anything is written.
func (w Wallet) Write(out io.Writer, f Format) error {
	switch f {
	case Specter:
		return w.writeSpecter(out)
	case AccountMap:
		return w.writeAccountMap(out)
	case Core:
		return w.writeCore(out)
	default:
		return w.writeLabels(out)
	}
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
