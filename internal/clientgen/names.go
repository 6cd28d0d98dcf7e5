package main

import "strings"

// alpha is the reason why the operations of v1alpha are left out.
const alpha = "v1alpha is for scripts written for Specter Desktop; v1 has all of it"

// leftOut returns why the client has no method for an operation, or "" if it has one.
func leftOut(o operation) string {
	if strings.HasPrefix(o.Path, "/api/v1alpha/") {
		return alpha
	}
	return ""
}

// Reasons why methods are written by hand.
const (
	lines     = "JSON Lines instead of an object"
	files     = "files instead of an object"
	positions = "positions instead of cursors"
)

// handWritten has the operations whose methods are written by hand, each with the reason.
var handWritten = map[string]string{
	"exportLabels": lines, "importLabels": lines, "exportWallet": files, "listEvents": positions, "listAllEvents": positions,
}

// pointers has the query parameters whose zero value differs from a missing parameter.
var pointers = map[string]bool{
	"listAddresses.label": true, "listAddresses.used": true, "listAddresses.revealed": true,
	"listUTXOs.label": true, "listUTXOs.frozen": true,
}

// arguments has the names of arguments for path parameters with other names.
var arguments = map[string]string{"alias": "wallet"}

// summaries has the doc comments of methods whose summary is not one imperative.
var summaries = map[string]string{
	"changeWebhook":       "updates, enables or disables a webhook",
	"deleteInvitation":    "declines an invitation, or withdraws it as an owner",
	"acceptInvitation":    "accepts an invitation, and makes the caller a member of the wallet",
	"listTransactions":    "lists a wallet's transactions",
	"listAllTransactions": "lists transactions of all your wallets",
	"testWebhook":         "sends a test message and returns the response",
}

// initialisms are written in capitals in names.
var initialisms = map[string]bool{"api": true, "bom": true, "csv": true, "hsm": true, "id": true, "json": true, "psbt": true, "qr": true, "tz": true, "url": true, "utxo": true}

// fieldName returns the Go name of a query parameter: MinAmountSat for min_amount_sat.
func fieldName(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		if initialisms[part] {
			b.WriteString(strings.ToUpper(part))
		} else {
			b.WriteString(upperFirst(part))
		}
	}
	return b.String()
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// methodName returns the name of the method for an operation.
func methodName(o operation) string { return upperFirst(o.ID) }

// typeName returns the Go type of a schema: v1.List[v1.Token] for TokenList. A policy list is
// an object of its own.
func typeName(schema string) string {
	if item, ok := strings.CutSuffix(schema, "ListAsOf"); ok {
		return "v1.ListAsOf[v1." + item + "]"
	}
	if item, ok := strings.CutSuffix(schema, "List"); ok && schema != "PolicyList" {
		return "v1.List[v1." + item + "]"
	}
	return "v1." + schema
}

// itemOf returns the Go type of the entries of a list, or "" if the schema is not a list.
func itemOf(schema string) string {
	_, item, isList := strings.Cut(typeName(schema), "[")
	if !isList {
		return ""
	}
	return strings.TrimSuffix(item, "]")
}

// describe returns the doc comment of a method, from a summary such as "Create a proposal".
func describe(o operation) string {
	if text, ok := summaries[o.ID]; ok {
		return text
	}
	verb, rest, _ := strings.Cut(o.Summary, " ")
	return strings.TrimSpace(strings.ToLower(verb[:1]) + verb[1:] + "s " + rest)
}
