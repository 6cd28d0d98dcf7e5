package proposal

import (
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

const (
	maxTarget   = 1008 // blocks; the limit of Core's estimates (RPC estimatesmartfee)
	minLifetime = time.Minute
	maxLifetime = 366 * 24 * time.Hour
	// maxUTXOs is the maximum number of named UTXOs. It exceeds the number of inputs of a
	// standard transaction.
	maxUTXOs = 3000
)

// validate checks parameters without the state of the wallet, and returns them with
// normalized recipients and the default target. Data must not have more than maxData bytes.
// Faults are about the fields of the request.
func (o CreateParams) validate(network btc.Network, maxData int, now time.Time) (CreateParams, error) {
	var err error
	if o.Recipients, err = o.validRecipients(network, maxData); err != nil {
		return o, err
	}
	if err := o.validSubtraction(); err != nil {
		return o, err
	}
	if err := o.validUTXOs(); err != nil {
		return o, err
	}
	switch {
	case o.FeeRate != 0 && o.TargetBlocks != 0:
		return o, fault.InvalidField("target_blocks", "must be omitted if fee_rate_sat_vb is given")
	case o.TargetBlocks < 0 || o.TargetBlocks > maxTarget:
		return o, fault.InvalidField("target_blocks", "must be between 1 and %d", maxTarget)
	case o.MaxFee < 0:
		return o, fault.InvalidField("max_fee_sat", "must be above 0")
	case !o.ExpiresAt.IsZero() && (o.ExpiresAt.Before(now.Add(minLifetime)) || o.ExpiresAt.After(now.Add(maxLifetime))):
		return o, fault.InvalidField("expires_at", "must be in the future, by one minute to 366 days")
	}
	if o.FeeRate == 0 && o.TargetBlocks == 0 {
		o.TargetBlocks = DefaultTarget
	}
	return o, nil
}

func (o CreateParams) validUTXOs() error {
	switch {
	case len(o.UTXOs) > maxUTXOs:
		return fault.InvalidField("utxos", "must have at most %d UTXOs, which is more than fit in a transaction", maxUTXOs)
	case o.UTXOs != nil && len(o.UTXOs) == 0:
		return fault.InvalidField("utxos", "must have at least one UTXO, or be omitted")
	}
	seen := map[btc.Outpoint]bool{}
	for i, at := range o.UTXOs {
		if seen[at] {
			return fault.InvalidField(fmt.Sprintf("utxos[%d]", i), "is listed twice")
		}
		seen[at] = true
	}
	return nil
}

func (o CreateParams) validSubtraction() error {
	seen := map[int]bool{}
	for i, at := range o.SubtractFrom {
		field := fmt.Sprintf("subtract_fee_from[%d]", i)
		switch {
		case at < 0 || at >= len(o.Recipients):
			return fault.InvalidField(field, "must be the position of a recipient, from 0 to %d", len(o.Recipients)-1)
		case seen[at]:
			return fault.InvalidField(field, "is listed twice")
		case o.Recipients[at].Data != nil:
			return fault.InvalidField(field, "must be a recipient with an amount, not data")
		case o.SendMax && !o.Recipients[at].isRest():
			return fault.InvalidField(field, "must be omitted with send_max, except for the recipient of the remainder, who pays the fee")
		}
		seen[at] = true
	}
	return nil
}
