package console

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// fieldNames are the names of fields for people, by their names in faults. An index in a name is
// written as [], and is an argument of the text, starting at 1.
var fieldNames = map[string]string{
	"recipients":              "Recipients",
	"recipients[].address":    "Address of recipient %d",
	"recipients[].amount_sat": "Amount of recipient %d",
	"recipients[].label":      "Label of recipient %d",
	"recipients[].wallet":     "Wallet of recipient %d",
	"photo":                   "Photo of a QR code",
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
	"device_names[]":          "Name of the device of key %d",
	"expires_at":              "Expiry",
	"fee_rate_sat_vb":         "Fee rate",
	"final_after":             "Confirmations until a payment is final",
	"fragment_size":           "Size of the codes",
	"max_fee_rate_sat_vb":     "Maximum fee rate",
	"max_fee_sat":             "Maximum fee",
	"max":                     "Amount to",
	"min":                     "Amount from",
	"psbt":                    "Signed PSBT",
	"send_max":                "Send the maximum",
	"signatures_required":     "Signatures required",
	"size":                    "Size of the codes",
	"target_blocks":           "Confirmed within",
	"url":                     "URL",
	"user":                    "User",
	"script":                  "Type of addresses",
	"birthday":                "First use of the wallet",
	"from":                    "From",
	"since":                   "First day",
	"lifetime":                "How long the token is valid",
	"grace":                   "How long the old secret works",
	"scopes":                  "Rights",
	"kinds":                   "Events",
	"document":                "Policy",
	"entries[]":               "Entry %d",
	"entries[].address":       "Address of entry %d",
	"entries[].label":         "Label of entry %d",
	"reason":                  "Reason",

	"allow":                          "Rules",
	"allow[].name":                   "Name of the rule",
	"allow[].to":                     "Recipients",
	"allow[].max_payment_sat":        "Highest payment",
	"allow[].max_recipients":         "Number of recipients",
	"allow[].windows":                "Limits within a time",
	"allow[].windows[].per":          "Within",
	"allow[].windows[].max_sat":      "Amount within that time",
	"allow[].windows[].max_count":    "Payments within that time",
	"allow[].fee":                    "Fee",
	"allow[].fee.max_sat_vb":         "Highest fee rate",
	"allow[].fee.max_sat":            "Highest fee",
	"allow[].fee.max_percent":        "Highest fee in percent",
	"allow[].hours":                  "Hours",
	"allow[].hours.zone":             "Time zone",
	"allow[].hours.days":             "Days",
	"allow[].hours.from":             "From (time of day)",
	"allow[].hours.to":               "Until (time of day)",
	"allow[].coins":                  "Confirmations of UTXOs",
	"allow[].coins.confirmations":    "Confirmations of UTXOs",
	"allow[].keep_at_least_sat":      "Amount that remains",
	"allow[].approvals":              "Approvals",
	"allow[].approvals.count":        "Number of approvals",
	"allow[].approvals.of":           "Approvers",
	"allow[].approvals.above_sat":    "Approvals above",
	"allow[].approvals.not_proposer": "Approval by the proposer",
	"allow[].delay":                  "Delay",
	"change":                         "Changes of the policy",
	"change.approvals":               "Approvals of changes",
	"change.of":                      "Approvers of changes",
	"change.delay":                   "Delay of changes",
	"deny":                           "Forbidden recipients",
}

var (
	indexInName = regexp.MustCompile(`\[(\d+)\]`)
	codeName    = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b`)
	btcAmount   = regexp.MustCompile(`\b\d+\.\d+ BTC\b`)
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

// words returns a message with the names of fields for people, without names of settings, and with
// amounts in the unit of l.
func (l *look) words(message string) string {
	message = settingName.ReplaceAllString(message, "")
	message = btcAmount.ReplaceAllStringFunc(message, func(text string) string {
		n, err := btc.ParseDecimalBTC(strings.TrimSuffix(text, " BTC"))
		if err != nil {
			return text
		}
		return l.amountText(n)
	})
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
	if len(f.Limits) > 0 { // pages list them
		return l.T(byPolicies(f))
	}
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
