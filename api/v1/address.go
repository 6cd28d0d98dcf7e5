package v1

// Address is an address of a wallet.
type Address struct {
	Address  string `json:"address" required:"true"`
	Branch   string `json:"branch" required:"true" enum:"receive,change"`
	Index    uint32 `json:"index" required:"true" description:"Index of the address on its branch (the last step of its derivation path)."`
	Label    string `json:"label" required:"true"`
	Revealed bool   `json:"revealed" required:"true" description:"Whether the address was revealed: its index is below the index of the next address to reveal."`
	Used     bool   `json:"used" required:"true" description:"Whether the address was ever paid to."`
}

// AddressDetails is an address of a wallet with the payments to it.
type AddressDetails struct {
	Address
	Received     int64    `json:"received_sat" required:"true" description:"Total of all payments to the address, in blocks or in the mempool, whether spent or not."`
	Confirmed    int64    `json:"confirmed_sat" required:"true" description:"Part of received_sat that is in blocks."`
	Transactions int      `json:"transactions" required:"true" description:"Number of transactions that pay to the address; replaced, conflicted and abandoned ones are not counted."`
	Txids        []string `json:"txids" required:"true" nullable:"false" description:"Ids of the latest 100 of these transactions, the latest first. The list of transactions with the query parameter address has all."`
	AsOf         *AsOf    `json:"as_of" required:"true"`
}

// CreateAddressRequest is a request for the next receive address.
type CreateAddressRequest struct {
	Label string `json:"label,omitzero" maxLength:"255" example:"invoice 17" description:"Label of the address, such as the purpose of the payment."`
}

// NewAddress is a receive address that was just revealed.
type NewAddress struct {
	Address     string  `json:"address" required:"true"`
	Branch      string  `json:"branch" required:"true" enum:"receive"`
	Index       uint32  `json:"index" required:"true"`
	Label       string  `json:"label" required:"true"`
	UnusedInRow int     `json:"unused_in_a_row" required:"true" description:"Number of addresses, including this one, revealed since the last address that was paid to."`
	Warning     *string `json:"warning" required:"true" description:"Set if the wallet is being rescanned, so that the address may have been used before, or if that number exceeds the gap limit of other wallet software; otherwise null."`
}

// FoundAddress is an address, with the wallets of the caller that contain it.
type FoundAddress struct {
	Address string         `json:"address" required:"true"`
	Items   []OwnedAddress `json:"items" required:"true" description:"One entry for each of your wallets that contains the address."`
}

// OwnedAddress is an address in a wallet of the caller.
type OwnedAddress struct {
	Wallet   string `json:"wallet" required:"true" description:"Your alias of the wallet."`
	Branch   string `json:"branch" required:"true" enum:"receive,change"`
	Index    uint32 `json:"index" required:"true"`
	Path     string `json:"path" required:"true" example:"0/5" description:"The last two steps of the derivation path: branch and index."`
	Label    string `json:"label" required:"true"`
	Revealed bool   `json:"revealed" required:"true"`
	Used     bool   `json:"used" required:"true"`
	AsOf     *AsOf  `json:"as_of" required:"true"`
}
