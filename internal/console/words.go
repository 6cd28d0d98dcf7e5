package console

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// fieldNames are the names of fields for people, by their names in faults. An index in a name is
// written as [], and is an argument of the text, starting at 1.
var fieldNames = map[string]string{
	"recipients":              "Recipients",
	"recipients[].address":    "Address of recipient %d",
	"recipients[].amount_sat": "Amount of recipient %d",
	"recipients[].label":      "Label of recipient %d",
	"recipients_csv":          "Recipients as CSV",
	"files[]":                 "File %d",
	"keys[]":                  "Key %d",
	"inputs[].outpoint":       "Input %d",
	"utxo":                    "UTXOs",
	"utxos":                   "UTXOs",
	"utxos[]":                 "UTXO %d",
	"allow_duplicates":        "Several amounts to the same address",
	"amount_sat":              "Amount",
	"current":                 "Current password",
	"confirm":                 "Name of the wallet",
	"device":                  "Device",
	"device_name":             "New name of the device",
	"expires_at":              "Expiry",
	"fee_rate_sat_vb":         "Fee rate",
	"final_after":             "Confirmations until a payment is final",
	"fragment_size":           "Size of the codes",
	"max_fee_rate_sat_vb":     "Maximum fee rate",
	"max_fee_sat":             "Maximum fee",
	"max":                     "Highest amount",
	"min":                     "Lowest amount",
	"psbt":                    "Signed PSBT",
	"send_max":                "Send the maximum",
	"signatures_required":     "Signatures required",
	"size":                    "Size of the codes",
	"target_blocks":           "Confirmed within",
	"url":                     "URL",
	"user":                    "User",
	"script":                  "Type of addresses",
	"birthday":                "First use of the wallet",
	"from":                    "First block",
	"since":                   "First day",
	"lifetime":                "How long the token is valid",
	"grace":                   "How long the old secret works",
	"scopes":                  "Rights",
	"kinds":                   "Events",
}

var (
	indexInName = regexp.MustCompile(`\[(\d+)\]`)
	codeName    = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b`)
	settingName = regexp.MustCompile(` \(SPECTER_[A-Z_]+\)`)
)

// fieldName returns the name of a field for people: the one in fieldNames, or else the name in
// the fault without its punctuation.
func (l *look) fieldName(name string) string {
	pattern := indexInName.ReplaceAllString(name, "[]")
	text, ok := fieldNames[pattern]
	if !ok {
		plain := strings.TrimSpace(strings.NewReplacer("[]", "", ".", " ", "_", " ").Replace(pattern))
		if plain == "" {
			return ""
		}
		return l.T(strings.ToUpper(plain[:1]) + plain[1:])
	}
	if !strings.Contains(text, "%d") {
		return l.T(text)
	}
	n, _ := strconv.Atoi(indexInName.FindStringSubmatch(name)[1]) // digits
	return l.T(text, n+1)
}

// words returns a message with the names of fields for people, and without names of settings.
func (l *look) words(message string) string {
	message = settingName.ReplaceAllString(message, "")
	return codeName.ReplaceAllStringFunc(message, func(name string) string {
		if _, ok := fieldNames[name]; ok {
			return "“" + l.fieldName(name) + "”"
		}
		return name
	})
}

// problemText returns the message about a field.
func (l *look) problemText(p fault.Field) string {
	if p.Name == "recipients_csv" { // about columns, whose names the user has entered
		return l.T(p.Message)
	}
	return l.words(l.T(p.Message))
}

// fault returns the message of a fault for people.
func (l *look) fault(f *fault.Error) string {
	if len(f.Fields) == 0 || len(f.Fields) == 1 && f.Message != f.Fields[0].Name+": "+f.Fields[0].Message {
		return l.words(l.T(f.Message))
	}
	texts := make([]string, len(f.Fields))
	for i, p := range f.Fields {
		texts[i] = l.fieldName(p.Name) + ": " + l.problemText(p)
	}
	return strings.Join(texts, "; ")
}

// problem returns the message of a fault without the name of its field.
func (l *look) problem(f *fault.Error) string {
	if len(f.Fields) == 0 {
		return l.fault(f)
	}
	return l.problemText(f.Fields[0])
}
