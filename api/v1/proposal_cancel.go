package v1

// CancelledProposal is a proposal that was cancelled or abandoned.
type CancelledProposal struct {
	ProposalDetails
	Remedy *Remedy `json:"remedy" required:"true" description:"Body of a request to POST /api/v1/wallets/{alias}/proposals that spends one of its UTXOs to an address of the wallet. Sign and broadcast that proposal to make the cancelled one invalid. Null without the warning still_valid, and if none of its UTXOs can be spent now, such as those of a transaction that it would have replaced."`
}

// Remedy is a payment that makes a cancelled proposal invalid.
type Remedy struct {
	Recipients []RemedyRecipient `json:"recipients" required:"true" nullable:"false" description:"One recipient, the wallet itself."`
	UTXOs      []string          `json:"utxos" required:"true" nullable:"false" description:"The UTXO, as txid:vout."`
	SendMax    bool              `json:"send_max" required:"true" description:"Always true: the address receives the amount of the UTXO less the fee."`
}

// RemedyRecipient is the wallet itself as a recipient.
type RemedyRecipient struct {
	Address string `json:"address" required:"true" description:"A change address of the wallet that has not received a payment."`
}
