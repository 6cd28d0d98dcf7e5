package backend

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/node/rpcclient"
)

// DescriptorInfo is the node's analysis of a descriptor (getdescriptorinfo).
type DescriptorInfo struct {
	// Canonical is the descriptor without private keys and with its checksum; for a
	// multipath descriptor (BIP 389), the first of Expansion.
	Canonical string
	// Checksum is the checksum of the given text (BIP 380).
	Checksum string
	// Expansion is the list of descriptors that a multipath descriptor represents;
	// empty for other descriptors.
	Expansion []string
	// IsRange reports whether the descriptor has a wildcard, IsSolvable whether the node
	// can spend from it given the keys, and HasPrivateKeys whether the given text
	// contains private keys.
	IsRange, IsSolvable, HasPrivateKeys bool
}

// DescriptorInfo analyses a descriptor, with or without its checksum. It returns
// ErrDescriptor if the node rejects the descriptor.
func (n *Node) DescriptorInfo(ctx context.Context, text string) (DescriptorInfo, error) {
	var wire struct {
		Descriptor     string   `json:"descriptor"`
		Checksum       string   `json:"checksum"`
		Expansion      []string `json:"multipath_expansion"`
		IsRange        bool     `json:"isrange"`
		IsSolvable     bool     `json:"issolvable"`
		HasPrivateKeys bool     `json:"hasprivatekeys"`
	}
	if err := n.read(ctx, &wire, "getdescriptorinfo", text); err != nil {
		return DescriptorInfo{}, descriptorFault(err)
	}
	return DescriptorInfo{
		Canonical:      wire.Descriptor,
		Checksum:       wire.Checksum,
		Expansion:      wire.Expansion,
		IsRange:        wire.IsRange,
		IsSolvable:     wire.IsSolvable,
		HasPrivateKeys: wire.HasPrivateKeys,
	}, nil
}

// DeriveAddresses returns the addresses of a descriptor at the indexes from, from+1, …,
// to. For a descriptor without a wildcard it ignores the indexes and returns the only
// address. The descriptor must have a checksum. It returns ErrDescriptor if the
// descriptor is multipath or the node rejects it.
func (n *Node) DeriveAddresses(ctx context.Context, descriptor string, from, to int) ([]string, error) {
	if strings.Contains(descriptor, "<") { // the node returns a list of lists for a multipath descriptor
		return nil, ErrDescriptor.WithMessage("a multipath descriptor must be expanded before its addresses are derived")
	}
	params := []any{descriptor}
	if strings.Contains(descriptor, "*") {
		params = append(params, []int{from, to})
	}
	var addresses []string
	if err := n.read(ctx, &addresses, "deriveaddresses", params...); err != nil {
		return nil, descriptorFault(err)
	}
	return addresses, nil
}

func descriptorFault(err error) error {
	if refused(err, rpcclient.CodeInvalidAddress, "") || refused(err, rpcclient.CodeInvalidValue, "") {
		return ErrDescriptor.WithCause(err)
	}
	return err
}

// Descriptor is a descriptor that a wallet watches (listdescriptors).
type Descriptor struct {
	// Text has no private keys and includes the checksum.
	Text string
	// Active reports whether the wallet generates addresses from the descriptor, and
	// Internal whether these are for change.
	Active, Internal bool
	// RangeEnd is the last watched index, and Next the index of the next address;
	// both are zero without a wildcard.
	RangeEnd, Next int
	// Since is the time of the descriptor's first possible use, as far as the
	// wallet knows.
	Since time.Time
}

// Descriptors returns the wallet's descriptors.
func (w *Wallet) Descriptors(ctx context.Context) ([]Descriptor, error) {
	var wire struct {
		Descriptors []struct {
			Desc      string `json:"desc"`
			Active    bool   `json:"active"`
			Internal  bool   `json:"internal"`
			Range     [2]int `json:"range"`
			Next      int    `json:"next_index"`
			Timestamp int64  `json:"timestamp"`
		} `json:"descriptors"`
	}
	if err := w.read(ctx, &wire, "listdescriptors"); err != nil {
		return nil, err
	}
	list := make([]Descriptor, len(wire.Descriptors))
	for i, d := range wire.Descriptors {
		list[i] = Descriptor{
			Text: d.Desc, Active: d.Active, Internal: d.Internal,
			RangeEnd: d.Range[1], Next: d.Next, Since: unix(d.Timestamp),
		}
	}
	return list, nil
}

// Import is a descriptor to watch.
type Import struct {
	// Text must include the checksum. It must have private keys if and only if the
	// wallet may have them.
	Text string
	// Active and Internal are as in [Descriptor].
	Active, Internal bool
	// RangeEnd is the last index to watch, counting from 0, and NextIndex the index
	// of the next address. They are for descriptors with a wildcard; if RangeEnd is
	// zero, the node chooses it.
	RangeEnd, NextIndex int
	// Since is the time of the descriptor's first possible use: the call scans the
	// chain from there. Zero means that it has not been used; then only the last
	// two hours of blocks are scanned.
	Since time.Time
}

func (i Import) wire() map[string]any {
	w := map[string]any{"desc": i.Text, "active": i.Active, "internal": i.Internal, "timestamp": "now"}
	if !i.Since.IsZero() {
		w["timestamp"] = max(i.Since.Unix(), 0)
	}
	if i.RangeEnd > 0 {
		w["range"] = []int{0, i.RangeEnd}
	}
	if i.NextIndex > 0 {
		w["next_index"] = i.NextIndex
	}
	return w
}

// ImportError reports descriptors that the node did not import. The other descriptors
// of the call were imported.
type ImportError struct {
	// Failures maps the index of the descriptor in the call to the error.
	Failures map[int]*rpcclient.RPCError
}

func (e *ImportError) Error() string {
	for i, f := range e.Failures {
		return fmt.Sprintf("%d descriptors were not imported, for example number %d: %s", len(e.Failures), i+1, f.Text())
	}
	return "descriptors were not imported"
}

// Unwrap returns the errors in Failures, in no particular order.
func (e *ImportError) Unwrap() []error {
	errs := make([]error, 0, len(e.Failures))
	for _, f := range e.Failures {
		errs = append(errs, f)
	}
	return errs
}

// ImportDescriptors makes the wallet watch descriptors, and scans the chain for them; see
// [Import]. It may take long, and has no timeout except ctx. It returns the node's
// human-readable warnings, an *ImportError if some descriptors were not imported, and
// ErrScanning if the wallet is already rescanning.
func (w *Wallet) ImportDescriptors(ctx context.Context, imports []Import) (warnings []string, err error) {
	requests := make([]map[string]any, len(imports))
	for i, one := range imports {
		requests[i] = one.wire()
	}
	var results []struct {
		Success  bool     `json:"success"`
		Warnings []string `json:"warnings"`
		Error    struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	const method = "importdescriptors"
	err = caller{w.rpc.WithTimeout(noLimit)}.write(ctx, &results, method, requests)
	if err != nil {
		return nil, err
	}
	if len(results) != len(imports) {
		return nil, invalidResponse("%d results for %d descriptors", len(results), len(imports))
	}
	failures := map[int]*rpcclient.RPCError{}
	for i, r := range results {
		warnings = append(warnings, r.Warnings...)
		if !r.Success {
			failures[i] = (&rpcclient.RPCError{Code: r.Error.Code, Message: r.Error.Message, Method: method}).WithoutSent(requests[i])
		}
	}
	if len(failures) > 0 {
		return warnings, &ImportError{failures}
	}
	return warnings, nil
}
