// Package walletexport writes a wallet in the forms that other programs read: Specter
// Desktop's wallet file, account maps, labels, and what Bitcoin Core imports. It
// owns these forms and no data: it writes what it is given, and knows no SQL, no
// HTTP and no RPC.
//
// A form says the whole of what it is made for, or [ErrBranches] instead of it:
// none has a program look at wrong addresses.
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

// Form is a form to write a wallet in.
type Form string

// The forms.
const (
	Specter    Form = "specter"     // the wallet file of Specter Desktop
	AccountMap Form = "account-map" // of Specter Desktop, Sparrow, Fully Noded and others
	Labels     Form = "labels"      // BIP-329, JSON Lines
	Core       Form = "core"        // the argument of RPC importdescriptors
)

// Forms are all of them.
var Forms = []Form{Specter, AccountMap, Labels, Core}

// ErrBranches is returned for a wallet that a form cannot tell apart from
// another one.
var ErrBranches = fault.New(fault.Conflict, "unusual_branches", "the wallet's branches do not end in /0/* and /1/*, as Specter Desktop and account maps take for granted, so that others would look at wrong addresses; use the form core")

// ParseForm returns the form of this name.
func ParseForm(name string) (Form, error) {
	for _, f := range Forms {
		if string(f) == name {
			return f, nil
		}
	}
	return "", fault.InvalidField("format", "has to be specter, account-map, labels or core")
}

// FileName is what a file of this form is called.
func (f Form) FileName() string {
	if f == Labels {
		return "labels.jsonl"
	}
	return string(f) + ".json"
}

// Wallet is all that the forms are made of.
type Wallet struct {
	// Portrait needs the addresses of both branches up to the next one.
	wallet.Portrait
	// Devices are those that the wallet's keys may name.
	Devices []wallet.Device
	// Labels are those of BIP-329, with the frozen coins.
	Labels iter.Seq2[btc.Label, error]
	// Born is the time of the block before which the wallet has no transactions;
	// zero has the whole chain looked through.
	Born time.Time
}

// Write writes the wallet in one form, in UTF-8 and with a line break at the end.
// It returns ErrBranches, before it has written anything.
func (w Wallet) Write(out io.Writer, f Form) error {
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

// checkBranches refuses what differs from /0/* and /1/*: readers of the Specter
// file refuse it, and those of account maps make the change descriptor of the
// other.
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
