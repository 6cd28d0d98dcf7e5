package fault

import "slices"

// Code describes an error code: its meaning, and a remedy for the caller. The API
// reference shows this table, and a test compares it with all faults in the code.
type Code struct {
	Name string
	// Kind is the kind of the faults with this code. Only v1alpha and the console, whose
	// errors do not show the code, also use others.
	Kind    Kind
	Origin  Origin
	Meaning string // one or two sentences
	Remedy  string // what the caller can do; never empty
}

// Origin tells which part of the program shows a code.
type Origin uint8

// The origins.
const (
	API     Origin = iota // responses of the API, and usually also the console and commands
	Console               // only pages of the console
	Command               // only commands, such as an import
	Specter               // only v1alpha, whose errors have no code
	Unseen                // never shown
)

// CodeGroup is a group of error codes.
type CodeGroup struct {
	Name  string
	Codes []Code
}

// CodeGroups returns all error codes in groups, each sorted by name.
func CodeGroups() []CodeGroup {
	return []CodeGroup{
		{"Requests", requestCodes},
		{"Access", accessCodes},
		{"Users and tokens", userCodes},
		{"Wallets and members", walletCodes},
		{"Wallet files and QR codes", fileCodes},
		{"Transactions, UTXOs and labels", historyCodes},
		{"Proposals and signatures", proposalCodes},
		{"Policies", policyCodes},
		{"Events and webhooks", eventCodes},
		{"Bitcoin node", nodeCodes},
		{"Server and database", serverCodes},
	}
}

// CodeOf returns the description of a code, and whether it exists.
func CodeOf(name string) (Code, bool) {
	for _, group := range CodeGroups() {
		if i := slices.IndexFunc(group.Codes, func(c Code) bool { return c.Name == name }); i >= 0 {
			return group.Codes[i], true
		}
	}
	return Code{}, false
}
