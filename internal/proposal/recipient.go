package proposal

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

// Recipient is an address with the amount that it receives, or data to store in the
// transaction.
type Recipient struct {
	// Address is an address or a bitcoin: URI, which may state the amount and a label;
	// empty for data. CreateParams.validate replaces it with the canonical address.
	Address string
	Amount  btc.Amount // 0 if the URI states it, or for the remainder because of SendMax
	Label   string     // label to set for the address; empty for none, or for the label of the URI
	// Data is the content of an output that has no address, no amount and no label
	// (OP_RETURN).
	Data []byte

	line         int    // in the CSV of recipients; 0 without CSV
	amountColumn string // the column of the CSV with the amount
}

// isRest reports whether the recipient receives the remainder.
func (r *Recipient) isRest() bool { return r.Amount == 0 && r.Data == nil }

// about returns a copy of a fault about one field as a fault about a field of the recipient
// at position i, or about the line and the column of the CSV.
func (r *Recipient) about(f *fault.Error, i int, field string) *fault.Error {
	if r.line == 0 {
		return f.ForField(fmt.Sprintf("recipients[%d].%s", i, field))
	}
	if field == fieldAmount {
		field = r.amountColumn
	}
	return f.WithField(FieldCSV, "line %d, column %s: %s", r.line, field, f.Fields[0].Message)
}

// Fields of a recipient and of the request, for faults.
const (
	fieldAddress = "address"
	fieldAmount  = "amount_sat"
	fieldLabel   = "label"
	fieldData    = "data"
	// FieldCSV is the field of a request with the recipients as CSV.
	FieldCSV = "recipients_csv"
)

// maxProblems is the maximum number of problems of a list of recipients that an error
// reports.
const maxProblems = 20

// ErrDuplicateAddress is returned for an address of several recipients, unless the request
// permits it.
var ErrDuplicateAddress = fault.InvalidAs("duplicate_address", fieldAddress,
	"must not be the address of another recipient, which may be a mistake; set allow_duplicates to true to pay several amounts to it")

// recipientCheck checks recipients and collects the problems.
type recipientCheck struct {
	o        CreateParams
	network  btc.Network
	maxData  int
	list     []Recipient
	problems []*fault.Error
	first    map[string]int // position of the first recipient with an address
	total    btc.Amount
	rest     int // position of the recipient of the remainder, or -1
	data     int // position of the data, or -1
}

// validRecipients returns the recipients with normalized addresses, and with the amounts and
// labels of their bitcoin: URIs. It returns a fault with all problems, up to maxProblems.
func (o CreateParams) validRecipients(network btc.Network, maxData int) ([]Recipient, error) {
	recipients := slices.Clone(o.Recipients)
	if o.RecipientsCSV != "" {
		if len(recipients) > 0 {
			return nil, fault.InvalidField(FieldCSV, "must be omitted if recipients are given")
		}
		var err error
		if recipients, err = ParseRecipientsCSV(o.RecipientsCSV); err != nil {
			return nil, err
		}
	}
	if len(recipients) == 0 || len(recipients) > MaxRecipients {
		return nil, fault.InvalidField("recipients", "must have between 1 and %d recipients", MaxRecipients)
	}
	c := recipientCheck{o: o, network: network, maxData: maxData, list: recipients, first: map[string]int{}, rest: -1, data: -1}
	for i := range recipients {
		if c.check(i); len(c.problems) == maxProblems {
			break
		}
	}
	if o.SendMax && c.rest < 0 && len(c.problems) == 0 {
		return nil, fault.InvalidField("send_max", "requires one recipient without an amount, who receives the remainder")
	}
	return recipients, joined(c.problems)
}

// joined returns all problems as one error, or nil.
func joined(problems []*fault.Error) error {
	if len(problems) == 0 {
		return nil
	}
	return fault.Join(problems[0], problems[1:]...)
}

func (c *recipientCheck) report(i int, field string, f *fault.Error) {
	c.problems = append(c.problems, c.list[i].about(f, i, field))
}

func (c *recipientCheck) check(i int) {
	if r := &c.list[i]; r.Data != nil {
		c.checkData(i, r)
	} else if c.checkAddress(i, r) || r.Amount != 0 { // an invalid URI might state the amount
		c.checkAmount(i, r)
	}
}

func (c *recipientCheck) checkData(i int, r *Recipient) {
	switch {
	case r.Address != "" || r.Amount != 0 || r.Label != "":
		c.report(i, fieldData, fault.InvalidField("", "must be the only field of its recipient: an output with data has no address, amount or label"))
	case c.data >= 0:
		c.report(i, fieldData, fault.InvalidField("", "must not occur twice: Bitcoin nodes before version 30 do not relay a transaction with two outputs of data"))
	case c.maxData < 0:
		c.report(i, fieldData, fault.InvalidField("", "must be omitted: this server does not permit outputs with data (SPECTER_MAX_DATA_BYTES)"))
	case len(r.Data) == 0 || len(r.Data) > c.maxData:
		c.report(i, fieldData, fault.InvalidField("", "must have 1 to %d bytes (SPECTER_MAX_DATA_BYTES), in hexadecimal", c.maxData))
	}
	c.data = i
}

// checkAddress replaces the address by its canonical form, and takes the amount and the
// label of a bitcoin: URI. It reports whether the address is valid.
func (c *recipientCheck) checkAddress(i int, r *Recipient) bool {
	if r.Address == "" {
		c.report(i, fieldAddress, fault.InvalidField("", "is required"))
		return false
	}
	stated, err := btc.ParsePayment(r.Address, c.network)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		c.report(i, fieldAddress, f)
		return false
	}
	r.Address = stated.Address
	switch {
	case r.Amount == 0:
		r.Amount = stated.Amount
	case stated.Amount != 0 && stated.Amount != r.Amount:
		c.report(i, fieldAmount, fault.InvalidAs("amount_mismatch", "", "must be %d satoshis, the amount of the bitcoin: URI, or be omitted", int64(stated.Amount)))
	}
	r.Label = r.labelWith(stated)
	c.checkDuplicate(i, r)
	return true
}

// labelWith returns the label of the recipient, or the one of its bitcoin: URI.
func (r *Recipient) labelWith(stated btc.Payment) string {
	return cmp.Or(r.Label, wallet.FitLabel(stated.Label), wallet.FitLabel(stated.Message))
}

// LabelOf returns the label that the recipient sets for its address, which a bitcoin: URI may state;
// empty if the recipient has another address.
func (r *Recipient) LabelOf(address string) string {
	for _, network := range []btc.Network{btc.Main, btc.Test, btc.Testnet4, btc.Signet, btc.Regtest} {
		if stated, err := btc.ParsePayment(r.Address, network); err == nil && stated.Address == address {
			return r.labelWith(stated)
		}
	}
	return ""
}

// checkDuplicate checks the label, and whether an address may occur again.
func (c *recipientCheck) checkDuplicate(i int, r *Recipient) {
	if f, ok := errors.AsType[*fault.Error](wallet.CheckLabel(fieldLabel, r.Label)); ok {
		c.report(i, fieldLabel, f)
	}
	first, isDuplicate := c.first[r.Address]
	switch {
	case !isDuplicate:
		c.first[r.Address] = i
	case !c.o.AllowDuplicates:
		c.report(i, fieldAddress, ErrDuplicateAddress)
	case r.Label != "" && c.list[first].Label != "" && r.Label != c.list[first].Label:
		c.report(i, fieldLabel, fault.InvalidField("", "must be the label of the other recipient with this address, or be omitted: an address has one label"))
	}
}

func (c *recipientCheck) checkAmount(i int, r *Recipient) {
	switch {
	case r.Amount == 0 && c.o.SendMax && c.rest < 0:
		c.rest = i
	case r.Amount == 0 && c.o.SendMax:
		c.report(i, fieldAmount, fault.InvalidField("", "is required: only one recipient receives the remainder"))
	case r.Amount == 0:
		c.report(i, fieldAmount, fault.InvalidField("", "is required, unless a bitcoin: URI states it; only with send_max may one recipient omit it"))
	case r.Amount < 0:
		c.report(i, fieldAmount, fault.InvalidField("", "must be above 0"))
	case r.Amount > btc.MaxMoney-c.total:
		c.report(i, fieldAmount, fault.InvalidField("", "must not exceed 21 million BTC in total"))
	default:
		c.total += r.Amount
	}
}
