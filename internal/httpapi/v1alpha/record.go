package v1alpha

import (
	"encoding/hex"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/swaggest/jsonschema-go"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// bitcoins is an amount that is encoded in JSON as a number of bitcoins.
type bitcoins btc.Amount

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (bitcoins) JSONSchemaBytes() ([]byte, error) { return []byte(`{"type":"number"}`), nil }

// MarshalJSON implements json.Marshaler.
func (a bitcoins) MarshalJSON() ([]byte, error) { return btc.Amount(a).AppendBTC(nil), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (a *bitcoins) UnmarshalJSON(text []byte) error { return (*btc.JSONBTC)(a).UnmarshalJSON(text) }

// Types of the transaction records in a response, with the members in the same order. They
// are used only for the OpenAPI specification: the functions below encode the records,
// because a response can contain 100,000 of them.
type (
	commonRecord struct {
		Txid          string    `json:"txid"`
		Fee           *bitcoins `json:"fee" description:"Difference between all inputs and all outputs; null unless all inputs are the wallet's."`
		BlockHeight   *int      `json:"blockheight"`
		BlockHash     *string   `json:"blockhash"`
		Time          int       `json:"time" description:"Time when the wallet first saw the transaction, in seconds since 1970."`
		BlockTime     *int      `json:"blocktime"`
		Conflicts     []string  `json:"conflicts" description:"Ids of transactions that spend the same UTXOs."`
		Replaceable   string    `json:"bip125-replaceable" enum:"yes,no,unknown"`
		Hex           string    `json:"hex"`
		VSize         int       `json:"vsize"`
		Address       string    `json:"address" description:"The address that represents the transaction; Unknown if it has none."`
		Category      string    `json:"category" enum:"generate,receive,send,selftransfer,mixed"`
		FlowAmount    bitcoins  `json:"flow_amount" description:"Net amount that entered the wallet, in bitcoins; negative if it left the wallet, including the fee."`
		UTXOAmount    *bitcoins `json:"utxo_amount" description:"Always null."`
		IsMine        bool      `json:"ismine" description:"Always true."`
		Confirmations int       `json:"confirmations"`
	}
	storedRecord struct {
		commonRecord
		Amount bitcoins `json:"amount" description:"Amount received, or paid to others, without the fee; never negative."`
	}
	listedRecord struct {
		storedRecord
		CurrentHeight  int    `json:"_current_blockheight"`
		Label          string `json:"label" description:"Label of the address."`
		ValidatedBlock string `json:"validated_blockhash" description:"Always empty."`
		WalletAlias    string `json:"wallet_alias"`
	}
	recordList []listedRecord
	utxoRecord struct {
		commonRecord
		CurrentHeight int      `json:"_current_blockheight"`
		Vout          int      `json:"vout"`
		Locked        bool     `json:"locked" description:"Whether the output is frozen or reserved by a proposal."`
		Amount        bitcoins `json:"amount" description:"Amount of this output."`
	}
)

// PrepareJSONSchema implements jsonschema.Preparer. It removes null from the schema, because
// the list is never null.
func (recordList) PrepareJSONSchema(schema *jsonschema.Schema) error {
	schema.RemoveType(jsonschema.Null)
	return nil
}

// unknownAddress is shown instead of a missing address.
const unknownAddress = "Unknown"

// appendCommon appends the members that all kinds of records have in common, with an address.
func appendCommon(b []byte, r *wallet.Record, address string) []byte {
	b = appendHead(b, r)
	if address == "" {
		address = unknownAddress
	}
	b = appendText(b, address)
	return appendTail(b, r)
}

func appendStored(b []byte, r *wallet.Record) []byte {
	b = appendCommon(b, r, r.Address)
	b = append(b, `,"amount":`...)
	b = amountOf(r).AppendBTC(b)
	return append(b, '}')
}

func appendListed(b []byte, r *wallet.Record, tip wallet.Tip) []byte {
	b = appendCommon(b, r, r.Address)
	b = append(b, `,"amount":`...)
	b = amountOf(r).AppendBTC(b)
	b = append(b, `,"_current_blockheight":`...)
	b = strconv.AppendInt(b, int64(heightFor(r, tip)), 10)
	b = append(b, `,"label":`...)
	b = appendLabel(b, r)
	b = append(b, `,"validated_blockhash":"","wallet_alias":`...)
	b = appendText(b, r.Alias)
	return append(b, '}')
}

func appendUTXO(b []byte, r *wallet.Record, o *wallet.Unspent, tip wallet.Tip) []byte {
	b = appendCommon(b, r, o.Address)
	b = append(b, `,"_current_blockheight":`...)
	b = strconv.AppendInt(b, int64(heightFor(r, tip)), 10)
	b = append(b, `,"vout":`...)
	b = strconv.AppendUint(b, uint64(o.Vout), 10)
	b = append(b, `,"locked":`...)
	b = strconv.AppendBool(b, o.Locked)
	b = append(b, `,"amount":`...)
	b = o.Amount.AppendBTC(b)
	return append(b, '}')
}

// appendHead appends the common members up to the name of the member address. It omits the
// value, because the record of a UTXO contains the address of the UTXO instead.
func appendHead(b []byte, r *wallet.Record) []byte {
	b = append(b, `{"txid":"`...)
	b = append(b, r.Txid...)
	b = append(b, `","fee":`...)
	if r.Fee != nil {
		b = r.Fee.AppendBTC(b)
	} else {
		b = append(b, "null"...)
	}
	b = appendBlock(b, r)
	b = append(b, `,"conflicts":[`...)
	for i, txid := range r.Conflicts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, txid...)
		b = append(b, '"')
	}
	b = append(b, `],"bip125-replaceable":"`...)
	b = append(b, r.Replaceable...)
	b = append(b, `","hex":"`...)
	b = hex.AppendEncode(b, r.Raw)
	b = append(b, `","vsize":`...)
	b = strconv.AppendInt(b, int64(r.VSize), 10)
	return append(b, `,"address":`...)
}

// appendTail appends the common members that follow the address.
func appendTail(b []byte, r *wallet.Record) []byte {
	b = append(b, `,"category":"`...)
	b = append(b, r.Category...)
	b = append(b, `","flow_amount":`...)
	b = r.Flow.AppendBTC(b)
	b = append(b, `,"utxo_amount":null,"ismine":true,"confirmations":`...)
	return strconv.AppendInt(b, int64(r.Confirmations), 10)
}

// appendBlock appends the height, hash and time of the block that contains the transaction,
// or null if it is unconfirmed, and the time of the transaction.
func appendBlock(b []byte, r *wallet.Record) []byte {
	if r.Block == nil {
		b = append(b, `,"blockheight":null,"blockhash":null,"time":`...)
		b = strconv.AppendInt(b, r.Time.Unix(), 10)
		return append(b, `,"blocktime":null`...)
	}
	b = append(b, `,"blockheight":`...)
	b = strconv.AppendInt(b, int64(r.Block.Height), 10)
	b = append(b, `,"blockhash":"`...)
	b = append(b, r.Block.Hash...)
	b = append(b, `","time":`...)
	b = strconv.AppendInt(b, r.Time.Unix(), 10)
	b = append(b, `,"blocktime":`...)
	return strconv.AppendInt(b, r.Block.Time.Unix(), 10)
}

// appendLabel appends the label of the address: the label that a user set, otherwise
// the position of the address in the wallet, otherwise the address.
func appendLabel(b []byte, r *wallet.Record) []byte {
	switch {
	case r.AddressLabel != "":
		return appendText(b, r.AddressLabel)
	case r.Own != nil && r.Own.Branch == wallet.ChangeBranch:
		b = append(b, `"Change #`...)
	case r.Own != nil:
		b = append(b, `"Address #`...)
	case r.Address == "":
		return appendText(b, unknownAddress)
	default:
		return appendText(b, r.Address)
	}
	b = strconv.AppendUint(b, uint64(r.Own.Index), 10)
	return append(b, '"')
}

// amountOf returns the amount as older versions of Specter Desktop reported it: the absolute
// value of the net amount that entered or left the wallet, without the fee.
func amountOf(r *wallet.Record) btc.Amount {
	amount := r.Flow
	if amount < 0 {
		amount = -amount
	}
	if r.Flow < 0 && r.Fee != nil {
		amount -= *r.Fee
	}
	return amount
}

// heightFor returns the height of the best block when the confirmations of the record were
// counted, or the height of tip if the transaction is unconfirmed.
func heightFor(r *wallet.Record, tip wallet.Tip) int {
	if r.Block == nil {
		return tip.Height
	}
	return r.Block.Height + r.Confirmations - 1
}

// appendText appends text as a JSON string. It replaces invalid UTF-8 with U+FFFD.
func appendText(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}
