package v1alpha

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

type createPSBTRequest struct {
	walletRequest
	Recipients   []recipient `json:"recipients" required:"true" example:"[{\"address\": \"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x\", \"amount\": 0.001, \"unit\": \"btc\"}]" description:"Recipients and amounts; each address at most once."`
	FeeRate      numeral     `json:"fee_rate" description:"Fee rate in satoshis per virtual byte, rounded to three decimals. If it is omitted or 0, Bitcoin Core estimates the fee rate for 6 blocks."`
	RBF          yesNo       `json:"rbf" description:"Whether the transaction signals replaceability (BIP-125)."`
	Subtract     yesNo       `json:"subtract" description:"Whether a recipient pays the fee."`
	SubtractFrom position    `json:"subtract_from" description:"Position of the recipient that pays the fee, starting at 0."`
	Replaces     string      `json:"rbf_tx_id" description:"Id of an unconfirmed transaction of the wallet whose UTXOs are to be spent instead."`
}

type recipient struct {
	Address string  `json:"address" required:"true"`
	Amount  numeral `json:"amount" required:"true"`
	Unit    string  `json:"unit" required:"true" enum:"btc,sat"`
	Label   string  `json:"label" description:"Becomes the label of the address."`
}

// numeral is the text of a number that a request contains as a JSON number or as a string.
// It is empty if the number is missing or null.
type numeral string

// UnmarshalJSON implements json.Unmarshaler.
func (n *numeral) UnmarshalJSON(text []byte) error {
	word, err := scalarText(text)
	*n = numeral(jsonNumber(word))
	if err != nil || word == "" && text[0] == '"' {
		return fault.New(fault.Invalid, "invalid_number", "must be a number, or a string that contains one")
	}
	return nil
}

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (numeral) JSONSchemaBytes() ([]byte, error) {
	return []byte(`{"oneOf":[{"type":"number"},{"type":"string"}]}`), nil
}

// scalarText returns a scalar JSON value as text: a number or boolean as written, a string
// without quotes and surrounding spaces, and "" for null. It returns errNotScalar for an
// object or a list.
func scalarText(text []byte) (string, error) {
	switch text[0] {
	case 'n':
		return "", nil
	case '{', '[':
		return "", errNotScalar
	case '"':
		var word string
		err := json.Unmarshal(text, &word)
		return strings.TrimSpace(word), err
	}
	return string(text), nil
}

var errNotScalar = errors.New("an object or a list")

// yesNo is a boolean that a request contains as a JSON boolean or as one of the words true,
// false, yes, no, 1 and 0; null is false. Other words are errors, whereas Specter Desktop
// treats any word as true.
type yesNo bool

// UnmarshalJSON implements json.Unmarshaler.
func (y *yesNo) UnmarshalJSON(text []byte) error {
	word, err := scalarText(text)
	switch strings.ToLower(word) {
	case "true", "yes", "1":
		*y = true
	case "false", "no", "0":
		*y = false
	default:
		if *y = false; err != nil || text[0] != 'n' {
			return fault.New(fault.Invalid, "invalid_boolean", "must be true or false, or one of the words true, false, yes, no, 1 and 0")
		}
	}
	return nil
}

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (yesNo) JSONSchemaBytes() ([]byte, error) {
	return []byte(`{"oneOf":[{"type":"boolean"},{"type":"string"}]}`), nil
}

// position is the index of a recipient, starting at 0, that a request contains as a whole
// number or as a string that contains one. null is 0.
type position int

// UnmarshalJSON implements json.Unmarshaler.
func (p *position) UnmarshalJSON(text []byte) error {
	word, err := scalarText(text)
	if err == nil && text[0] == 'n' {
		*p = 0
		return nil
	}
	word = jsonNumber(word)
	if whole, fraction, _ := strings.Cut(word, "."); strings.Trim(fraction, "0") == "" {
		word = whole
	}
	n, errNumber := strconv.ParseUint(word, 10, 31)
	*p = position(n)
	if err != nil || errNumber != nil {
		return fault.New(fault.Invalid, "invalid_position", "must be the position of a recipient, from 0 on")
	}
	return nil
}

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (position) JSONSchemaBytes() ([]byte, error) {
	return []byte(`{"oneOf":[{"type":"integer"},{"type":"string"}]}`), nil
}

// amount parses the amount of a recipient without rounding. field is the path of the
// recipient in the request, such as recipients[0], for errors.
func (r recipient) amount(field string) (btc.Amount, error) {
	text := string(r.Amount)
	switch {
	case text == "":
		return 0, fault.InvalidField(field+".amount", "is required: a number, or a string that contains one")
	case r.Unit == "sat":
		mantissa, exponent, found := strings.Cut(strings.ToLower(text), "e")
		shift, err := strconv.Atoi(exponent)
		if found && err != nil {
			return 0, fault.InvalidField(field+".amount", "must be a number")
		}
		text = mantissa + "e" + strconv.Itoa(shift-8) // converts satoshis to bitcoins
	case r.Unit != "btc":
		return 0, fault.InvalidField(field+".unit", "must be btc or sat")
	}
	a, err := btc.ParseBTC(text)
	switch {
	case err != nil && r.Unit == "sat":
		return 0, fault.InvalidField(field+".amount", "must be a whole number of satoshis, and at most %d", int64(btc.MaxMoney))
	case err != nil:
		return 0, fault.InvalidField(field+".amount", "must be a number of bitcoins with at most eight decimals, and at most %d", int64(btc.MaxMoney/btc.BTC))
	case a <= 0:
		return 0, fault.InvalidField(field+".amount", "must be above 0")
	}
	return a, nil
}

// MaxBody implements route.Limited.
func (createPSBTRequest) MaxBody() int64 { return proposal.MaxParamsJSON }

// params converts the request to the parameters of the service.
func (in createPSBTRequest) params() (proposal.CreateParams, error) {
	o := proposal.CreateParams{Recipients: make([]proposal.Recipient, len(in.Recipients)), Replaces: strings.ToLower(strings.TrimSpace(in.Replaces)), NotReplaceable: !bool(in.RBF)}
	for i, r := range in.Recipients {
		a, err := r.amount(fmt.Sprintf("recipients[%d]", i))
		if err != nil {
			return o, err
		}
		o.Recipients[i] = proposal.Recipient{Address: lowerBech32(r.Address), Amount: a, Label: r.Label}
	}
	if in.Subtract {
		o.SubtractFrom = []int{int(in.SubtractFrom)}
	}
	if zero, err := btc.ParseBTC(string(in.FeeRate)); in.FeeRate == "" || err == nil && zero == 0 {
		o.TargetBlocks = proposal.DefaultTarget
		return o, nil
	}
	var err error
	if o.FeeRate, err = parseRate(string(in.FeeRate)); err != nil {
		return o, fault.InvalidField("fee_rate", "must be a number of sat/vB from 0 to %s", btc.MaxFeeRate)
	}
	return o, nil
}

type psbtResult struct {
	Result psbtObject `json:"result"`
}

// CreatePSBT serves POST /api/v1alpha/wallets/{alias}/psbt.
func (a *API) CreatePSBT(ctx context.Context, in createPSBTRequest) (psbtResult, error) {
	params, err := in.params()
	if err != nil {
		return psbtResult{}, err
	}
	access := wallet.AccessFrom(ctx)
	v, err := a.o.Wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return psbtResult{}, err
	}
	params.AtOnce = true // a PSBT that awaits approval cannot be returned
	p, err := a.o.Proposals.Create(ctx, access, params)
	if err != nil {
		return psbtResult{}, asOriginal(err)
	}
	result, err := psbtObjectOf(p, v)
	return psbtResult{result}, err
}

var errNotEnough = fault.New(fault.PreconditionFailed, "insufficient_funds", "Wallet does not have sufficient funds to make the transaction.")

// alphaFieldNames replaces the field names in errors of the service, which are those of v1,
// with the field names of v1alpha.
var alphaFieldNames = strings.NewReplacer(
	"amount_sat", "amount", "fee_rate_sat_vb", "fee_rate", "target_blocks", "fee_rate",
	"subtract_fee_from[0]", "subtract_from", "replaces", "rbf_tx_id",
)

// asOriginal converts an error of the service to the corresponding error of Specter Desktop,
// if there is one, or to an error with the field names of v1alpha.
func asOriginal(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	switch {
	case errors.Is(f, proposal.ErrInsufficientFunds), errors.Is(f, proposal.ErrUTXOReserved), errors.Is(f, proposal.ErrUTXOFrozen), errors.Is(f, proposal.ErrUTXOLocked):
		return errNotEnough
	case errors.Is(f, proposal.ErrEvicts):
		return fault.InvalidField("rbf_tx_id", "must not evict later payments that are not your own; /api/v1 lists them, and can evict them")
	case errors.Is(f, proposal.ErrWrongState):
		return fault.InvalidField("rbf_tx_id", "%s", f.Message)
	case (f.Code == "fee_too_high" || errors.Is(f, proposal.ErrEstimateTooHigh)) && f.Details["fee_sat"] != "":
		return fault.InvalidField("fee_rate", "results in a fee of %s sat; the maximum is %s sat", f.Details["fee_sat"], f.Details["max_fee_sat"])
	case f.Code == "fee_unknown":
		return fault.InvalidField("fee_rate", "is required: the Bitcoin node has too little data for an estimate")
	case errors.Is(f, proposal.ErrDuplicateAddress):
		f = f.WithField(f.Fields[0].Name, "must not be the address of another recipient; /api/v1 can pay several amounts to one address")
	case len(f.Fields) > 1:
		return f.WithMessage("%s", alphaFieldNames.Replace(f.Message))
	}
	if len(f.Fields) == 0 {
		return err
	}
	return f.ForField(alphaFieldNames.Replace(f.Fields[0].Name))
}
