package v1

// Label is a line of an export or an import of labels (BIP-329).
type Label struct {
	Type      string  `json:"type" required:"true" enum:"tx,addr,pubkey,input,output,xpub" example:"addr"`
	Ref       string  `json:"ref" required:"true" description:"Reference to the labelled object, depending on type: a transaction id, an address, txid:vout, …"`
	Label     *string `json:"label,omitempty" maxLength:"255" description:"Label. In an import, an empty label deletes the existing one; without this field, it is unchanged."`
	Origin    string  `json:"origin,omitempty" description:"Abbreviated descriptor of the wallet."`
	Spendable *bool   `json:"spendable,omitempty" description:"For outputs only: false freezes the output, true unfreezes it."`
}

// LabelRequest is the body of a request that sets a label.
type LabelRequest struct {
	Label *string `json:"label" required:"true" nullable:"false" maxLength:"255" example:"invoice 17" description:"The label; an empty string removes it."`
}

// ImportedLabels is the result of an import of labels.
type ImportedLabels struct {
	Imported  int            `json:"imported" required:"true" description:"Number of lines whose label or spendable was set."`
	Unchanged bool           `json:"unchanged" required:"true" description:"Whether all labels were set already, so that nothing was stored; always false for tokens without the scope wallets:read."`
	Ignored   []ReportedLine `json:"ignored" required:"true" description:"Lines of an unknown type, lines whose spendable is ignored because the output is not the wallet's, and lines of whose label control or invisible characters are removed."`
	Failed    []ReportedLine `json:"failed" required:"true" description:"Invalid lines. All others were imported or ignored."`
}

// ReportedLine is a line of an import that was ignored or rejected, and the reason.
type ReportedLine struct {
	Line    int    `json:"line" required:"true" description:"Line number, starting at 1."`
	Message string `json:"message" required:"true"`
}

// LabelAddressRequest sets the label of an address.
type LabelAddressRequest = LabelRequest

// LabelOutputRequest sets the label of an output.
type LabelOutputRequest = LabelRequest

// LabelTransactionRequest sets the label of a transaction.
type LabelTransactionRequest = LabelRequest
