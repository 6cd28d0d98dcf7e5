package btc

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/fault"
)

// ErrPaymentURI is returned for a bitcoin: URI that cannot be paid.
var ErrPaymentURI = fault.InvalidAs("invalid_payment_uri", "address", "must be a valid bitcoin: URI")

const (
	paymentScheme = "bitcoin:"
	// maxPaymentURI is the maximum length of a bitcoin: URI in bytes. It allows for a
	// lightning invoice and a message besides the address.
	maxPaymentURI = 8192
	// maxNamed is the maximum length of a parameter's name that an error message repeats.
	maxNamed = 40
)

// Payment is an address, with the details of a bitcoin: URI.
type Payment struct {
	Address string // in Bitcoin Core's canonical form
	Amount  Amount // 0 if the URI states none
	// Label names the recipient, and Message describes the payment; both may be empty and
	// have any length and any characters.
	Label, Message string
}

// IsPaymentURI reports whether text begins with the scheme of a bitcoin: URI.
func IsPaymentURI(text string) bool {
	text = strings.TrimSpace(text)
	return len(text) >= len(paymentScheme) && strings.EqualFold(text[:len(paymentScheme)], paymentScheme)
}

// ParsePayment parses an address, or a bitcoin: URI (BIP-21 and BIP-321) with an address
// on the chain: in its path or, if the path is empty, in a parameter named by the
// address's prefix, such as bc. Scheme and parameter names may be in upper case, as in QR
// codes. Unknown parameters are ignored, unless their names begin with "req-". It returns
// ErrPaymentURI, and for the address ErrAddress and ErrWrongNetwork, about the field
// "address".
func ParsePayment(text string, network Network) (Payment, error) {
	if !IsPaymentURI(text) {
		address, err := ParseAddress(text, network)
		return Payment{Address: address}, err
	}
	if len(text) > maxPaymentURI {
		return Payment{}, badURI("is a bitcoin: URI of more than %d bytes", maxPaymentURI)
	}
	path, query, _ := strings.Cut(strings.TrimSpace(text)[len(paymentScheme):], "?")
	path = strings.Trim(path, "/") // some programs write bitcoin://
	var p Payment
	onChain, err := p.read(query, network)
	if err != nil {
		return Payment{}, err
	}
	if path == "" {
		path = onChain
	}
	if path == "" {
		return Payment{}, badURI("is a bitcoin: URI without an address on the chain of %s; ask the recipient for one, because other instructions, such as lightning, are not supported", network)
	}
	p.Address, err = ParseAddress(path, network)
	return p, err
}

// read fills in the amount, the label and the message of a query, and returns the first
// address of the network in its parameters, or "".
func (p *Payment) read(query string, network Network) (onChain string, err error) {
	seen := map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		name = strings.ToLower(name)
		switch name {
		case "amount", "label", "message":
			if seen[name] {
				return "", badURI("is a bitcoin: URI that has %s twice", name)
			}
			seen[name] = true
			err = p.set(name, value)
		case network.encoding().hrp:
			if onChain == "" {
				onChain = value
			}
		default:
			err = refuseRequired(name)
		}
		if err != nil {
			return "", err
		}
	}
	return onChain, nil
}

func (p *Payment) set(name, value string) (err error) {
	if name == "amount" {
		p.Amount, err = ParseDecimalBTC(value)
		switch {
		case err != nil:
			return badURI("is a bitcoin: URI whose amount is not a number of bitcoins with a decimal point, such as 0.001, with at most eight decimals and at most 21000000")
		case p.Amount == 0:
			return badURI("is a bitcoin: URI with the amount 0")
		}
		return nil
	}
	text, err := url.PathUnescape(value) // a plus sign is not a space (RFC 3986)
	if err != nil || !utf8.ValidString(text) {
		return badURI("is a bitcoin: URI whose %s is not percent-encoded UTF-8", name)
	}
	if name == "label" {
		p.Label = text
	} else {
		p.Message = text
	}
	return nil
}

// refuseRequired returns an error for an unknown parameter that must be understood.
func refuseRequired(name string) error {
	if !strings.HasPrefix(name, "req-") {
		return nil
	}
	if len(name) > maxNamed || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return badURI("is a bitcoin: URI with an unknown parameter that is required (req-…)")
	}
	return badURI("is a bitcoin: URI that requires the parameter %s, which is not supported", name)
}

func badURI(format string, args ...any) error {
	return ErrPaymentURI.WithField("address", format, args...)
}
