package console

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
)

// recipientFields are the fields of a recipient in the form, named as the service names them
// in problems.
var recipientFields = []string{"address", "wallet", "amount_sat", "label"}

// recipientField returns the name of a field of the recipient at position i.
func recipientField(i int, name string) string { return fmt.Sprintf("recipients[%d].%s", i, name) }

// Field returns the name of a field of the recipient.
func (r recipientRow) Field(name string) string { return recipientField(r.Number-1, name) }

// isEmpty reports whether the user has entered nothing.
func (r recipientRow) isEmpty() bool {
	return strings.TrimSpace(r.Address+r.Wallet+r.Amount+r.Label) == ""
}

// rows returns the recipients in the form.
func (c *call) rows() []recipientRow {
	var rows []recipientRow
	for i := 0; i < proposal.MaxRecipients && c.form.Has(recipientField(i, "address")); i++ {
		rows = append(rows, recipientRow{
			Number: i + 1, Address: c.form.Get(recipientField(i, "address")), Wallet: c.form.Get(recipientField(i, "wallet")),
			Amount: c.form.Get(recipientField(i, "amount_sat")), Label: c.form.Get(recipientField(i, "label")),
		})
	}
	return rows
}

// setRows replaces the recipients in the form.
func (c *call) setRows(rows []recipientRow) {
	for i := range c.rows() {
		for _, name := range recipientFields {
			c.form.Del(recipientField(i, name))
		}
	}
	for i, r := range rows {
		c.form.Set(recipientField(i, "address"), r.Address)
		c.form.Set(recipientField(i, "wallet"), r.Wallet)
		c.form.Set(recipientField(i, "amount_sat"), r.Amount)
		c.form.Set(recipientField(i, "label"), r.Label)
	}
}

func (c *call) addRow() { c.setRows(append(c.rows(), recipientRow{})) }

// removeRow removes the recipient with a number, starting at 1.
func (c *call) removeRow(number string) {
	rows := c.rows()
	if n, err := parseCount(number); err == nil && n >= 1 && n <= len(rows) {
		c.setRows(append(rows[:n-1:n-1], rows[n:]...))
	}
}

// dropEmptyRows removes recipients without any values, so that positions in problems match
// the form.
func (c *call) dropEmptyRows() {
	var filled []recipientRow
	for _, r := range c.rows() {
		if !r.isEmpty() {
			filled = append(filled, r)
		}
	}
	c.setRows(filled)
}

// formUnit returns the unit of the amounts in the form.
func (c *call) formUnit() string {
	if c.form.Get(unitField) == "btc" {
		return "btc"
	}
	return "sat"
}

// sendRequest is the payment of the form.
type sendRequest struct {
	proposal.CreateParams

	rows []int // positions in the form of the recipients
}

// sendParams returns the parameters of the payment. If a recipient is a wallet of the user, its
// address is the one that would be revealed next. It returns a fault with the problems of all
// fields that cannot be parsed.
func (c *call) sendParams() (*sendRequest, error) {
	o := &sendRequest{CreateParams: proposal.CreateParams{
		RecipientsCSV: strings.TrimSpace(c.form.Get(proposal.FieldCSV)), AllowDuplicates: c.form.Has("allow_duplicates"),
		SendMax: c.form.Has("send_max"), NotReplaceable: !c.form.Has("replaceable"),
	}}
	var problems []error
	rows := c.rows()
	for i, r := range rows {
		if r.isEmpty() {
			continue
		}
		address, err := strings.TrimSpace(r.Address), error(nil)
		switch {
		case r.Wallet != "":
			address, err = c.peekWallet(i, rows)
		case address == "":
			err = fault.InvalidField(recipientField(i, "address"), "enter an address")
		}
		amount, errAmount := c.parseAmount(r.Amount)
		if errAmount != nil {
			errAmount = fieldFault(errAmount, recipientField(i, "amount_sat"))
		}
		problems = append(problems, err, errAmount)
		o.rows = append(o.rows, i)
		o.Recipients = append(o.Recipients, proposal.Recipient{Address: address, Amount: amount, Label: strings.TrimSpace(r.Label)})
	}
	if len(o.Recipients) == 0 && o.RecipientsCSV == "" {
		problems = append(problems, fault.InvalidField(recipientField(0, "address"), "enter an address").WithMessage("Enter an address."))
	}
	problems = append(problems, c.setFee(&o.CreateParams), c.setUTXOs(&o.CreateParams))
	return o, fault.JoinErrors(problems...)
}

// setFee sets the confirmation target or the fee rate.
func (c *call) setFee(o *proposal.CreateParams) error {
	var err error
	if target := c.form.Get(targetField); target != ownRate {
		if o.TargetBlocks, err = parseCount(target); err != nil || o.TargetBlocks == 0 {
			return fault.InvalidField(targetField, "must be a number of blocks")
		}
		return nil
	}
	o.FeeRate, err = c.feeRate()
	return err
}

// decimalComma matches a number whose comma cannot separate thousands.
var decimalComma = regexp.MustCompile(`^(0,\d{3}|\d+,\d{1,2})$`)

// feeRate returns the fee rate in the form, in which a comma may be the decimal separator.
func (c *call) feeRate() (btc.FeeRate, error) {
	text := strings.TrimSpace(c.form.Get(rateField))
	if text == "" {
		return 0, fault.InvalidField(rateField, "is required: a number of sat/vB, such as 2.5")
	}
	if decimalComma.MatchString(text) {
		text = strings.Replace(text, ",", ".", 1)
	}
	rate, err := btc.ParseFeeRate(text)
	if err != nil {
		return 0, fault.InvalidField(rateField, "must be a number of sat/vB above 0, with a decimal point and at most three decimals, such as 2.5")
	}
	return rate, nil
}

func (c *call) setUTXOs(o *proposal.CreateParams) error {
	for _, text := range c.form[utxosField] {
		at, err := btc.ParseOutpoint(strings.TrimSpace(text))
		if err != nil {
			return btc.ErrOutpoint.ForField(utxosField)
		}
		o.UTXOs = append(o.UTXOs, at)
	}
	return nil
}

// parseAmount parses an amount in the unit of the form. If an amount in sat is a fraction below
// one, which is likely to be in BTC, the problem says how many satoshis that is.
func (c *call) parseAmount(text string) (btc.Amount, error) {
	text = strings.TrimSpace(text)
	if c.formUnit() == "sat" && (strings.HasPrefix(text, "0.") || strings.HasPrefix(text, "0,")) {
		if n, err := btc.ParseDecimalBTC(strings.Replace(text, ",", ".", 1)); err == nil && n > 0 {
			return 0, fault.InvalidField("", "%s", c.look.T("amounts are whole satoshis; switch to BTC in the settings, or enter %s", satText(n)))
		}
	}
	return parseAmount(text, c.formUnit())
}

// fieldFault returns a fault of parseAmount as the fault of a field.
func fieldFault(err error, field string) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.ForField(field)
	}
	return err
}

// parseAmount parses an amount in a unit, sat or btc. Spaces between digits are ignored, so
// that an amount can be copied from a page. It returns 0 for an empty text.
func parseAmount(text, unit string) (btc.Amount, error) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	switch {
	case text == "":
		return 0, nil
	case strings.Contains(text, ","):
		return 0, fault.InvalidField("", "must not have a comma: write decimals with a point, and no separator of thousands")
	case unit == "btc":
		n, err := btc.ParseDecimalBTC(text)
		if err != nil || n == 0 {
			return 0, fault.InvalidField("", "must be a number of BTC above 0, with at most eight decimals, such as 0.00150000")
		}
		return n, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || strings.HasPrefix(text, "+") || btc.Amount(n) > btc.MaxMoney {
		return 0, fault.InvalidField("", "must be a whole number of satoshis above 0, such as 150000")
	}
	return btc.Amount(n), nil
}
