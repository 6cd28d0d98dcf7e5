package v1alpha

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/wallet"
)

// psbtObject is a proposal in the format of Specter Desktop, with members in the same order.
type psbtObject struct {
	Tx            txObject     `json:"tx"`
	Inputs        []psbtInput  `json:"inputs"`
	Outputs       []psbtOutput `json:"outputs"`
	Base64        string       `json:"base64" description:"Version 0 (BIP-174), without signatures unless the caller may sign or broadcast."`
	Fee           bitcoins     `json:"fee"`
	FeeSat        btc.Amount   `json:"fee_sat"`
	Address       []string     `json:"address" description:"Addresses of all outputs except change."`
	Amount        []bitcoins   `json:"amount" description:"Amounts of these outputs, in bitcoins."`
	Sats          []btc.Amount `json:"sats" description:"Amounts in satoshis of the outputs that are not the wallet's."`
	TxFullSize    int          `json:"tx_full_size" description:"Virtual bytes; an estimate until it is complete."`
	SigsCount     int          `json:"sigs_count"`
	Time          decimal      `json:"time" description:"Time of creation, in seconds since 1970."`
	DevicesSigned []string     `json:"devices_signed"`
	FeeRate       decimal      `json:"fee_rate" description:"Fee rate in satoshis per virtual byte, with two decimals."`
	FeeRateSource string       `json:"fee_rate_source" enum:"request,estimate" description:"Source of the fee rate: the request, or Bitcoin Core's estimate for 6 blocks."`
	Raw           string       `json:"raw,omitempty" description:"The signed transaction, once there are enough signatures; omitted unless the caller may sign or broadcast."`
}

type txObject struct {
	Txid     string     `json:"txid"`
	Hash     string     `json:"hash"`
	Version  int32      `json:"version"`
	Size     int        `json:"size"`
	VSize    int        `json:"vsize"`
	Weight   int        `json:"weight"`
	LockTime uint32     `json:"locktime"`
	Vin      []txInput  `json:"vin"`
	Vout     []txOutput `json:"vout"`
}

type txInput struct {
	Txid     string `json:"txid"`
	Vout     uint32 `json:"vout"`
	Sequence uint32 `json:"sequence"`
}

type txOutput struct {
	Value  bitcoins   `json:"value"`
	Sats   btc.Amount `json:"sats"`
	N      int        `json:"n"`
	Script txScript   `json:"scriptPubKey"`
}

type txScript struct {
	Hex string `json:"hex"`
}

// psbtScope contains the fields that inputs and outputs have in common.
type psbtScope struct {
	Change         bool            `json:"change" description:"Whether the address is on the change branch."`
	IsMine         bool            `json:"is_mine"`
	Address        string          `json:"address"`
	FloatAmount    bitcoins        `json:"float_amount"`
	SatAmount      btc.Amount      `json:"sat_amount"`
	Derivations    []keyOrigin     `json:"bip32_derivs,omitempty"`
	TapDerivations []tapDerivation `json:"taproot_bip32_derivs,omitempty"`
	TapInternalKey string          `json:"taproot_internal_key,omitempty"`
}

type keyOrigin struct {
	PubKey      string `json:"pubkey"`
	Fingerprint string `json:"master_fingerprint"`
	Path        string `json:"path" example:"m/84h/1h/0h/0/0"`
}

type tapDerivation struct {
	keyOrigin
	LeafHashes []string `json:"leaf_hashes"`
}

type psbtInput struct {
	psbtScope
	Txid           string       `json:"txid"`
	Vout           uint32       `json:"vout"`
	WitnessUTXO    *witnessUTXO `json:"witness_utxo,omitempty"`
	NonWitnessUTXO *txObject    `json:"non_witness_utxo,omitempty" description:"The transaction whose output is spent, if the output is not a witness output."`
}

type psbtOutput struct{ psbtScope }

type witnessUTXO struct {
	Amount bitcoins      `json:"amount"`
	Sats   btc.Amount    `json:"sats"`
	Script witnessScript `json:"scriptPubKey"`
}

type witnessScript struct {
	Hex       string   `json:"hex"`
	Addresses []string `json:"addresses"`
}

// decimal is the text of a JSON number. It always has a decimal point, so that clients
// decode it as a floating-point number.
type decimal string

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (decimal) JSONSchemaBytes() ([]byte, error) { return []byte(`{"type":"number"}`), nil }

// MarshalJSON implements json.Marshaler.
func (d decimal) MarshalJSON() ([]byte, error) { return []byte(d), nil }

func psbtObjectOf(p proposal.Proposal, v wallet.View) (psbtObject, error) {
	packet, err := psbt.Parse(p.PSBT)
	if err != nil {
		return psbtObject{}, fmt.Errorf("read the PSBT of proposal %s: %w", p.ID, err)
	}
	micros := p.CreatedAt.UnixMicro()
	out := psbtObject{
		Tx: txObjectOf(packet.Tx()), Base64: base64.StdEncoding.EncodeToString(p.PSBT), Fee: bitcoins(p.Fee), FeeSat: p.Fee,
		TxFullSize: p.VSize, Time: decimal(fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)), DevicesSigned: []string{},
		FeeRate: twoDecimals(p.PaidRate()), FeeRateSource: "request", Raw: hex.EncodeToString(p.Raw),
	}
	if p.TargetBlocks != 0 {
		out.FeeRateSource = "estimate"
	}
	for i, in := range p.Inputs {
		out.Inputs = append(out.Inputs, psbtInputOf(in, packet.Input(i)))
		out.SigsCount = max(out.SigsCount, p.SignaturesAt(i))
	}
	for i, o := range p.Outputs {
		if o.Data != nil {
			o.Address = "OP_RETURN " + hex.EncodeToString(o.Data) // as in the original
		}
		scope := psbtScope{Address: o.Address, FloatAmount: bitcoins(o.Amount), SatAmount: o.Amount, IsMine: o.Own != nil}
		scope.Change = scope.IsMine && o.Own.Branch == wallet.ChangeBranch
		if scope.IsMine {
			scope.derive(packet.Output(i))
		}
		out.Outputs = append(out.Outputs, psbtOutput{scope})
		if !scope.Change {
			out.Address, out.Amount = append(out.Address, o.Address), append(out.Amount, bitcoins(o.Amount))
		}
		if !scope.IsMine {
			out.Sats = append(out.Sats, o.Amount)
		}
	}
	if p.IsSigned() {
		out.SigsCount = v.SignaturesRequired
	}
	for i, device := range devicesOf(&v) {
		if p.Signed(i) > 0 {
			out.DevicesSigned = append(out.DevicesSigned, device)
		}
	}
	return out, nil
}

// twoDecimals returns a fee rate in satoshis per virtual byte, rounded to two decimals. It
// omits the second decimal if it is 0.
func twoDecimals(rate btc.FeeRate) decimal {
	cents := (int64(rate) + 5) / 10
	if cents%10 == 0 {
		return decimal(fmt.Sprintf("%d.%d", cents/100, cents%100/10))
	}
	return decimal(fmt.Sprintf("%d.%02d", cents/100, cents%100))
}

func txObjectOf(tx *wire.MsgTx) txObject {
	stripped, size := tx.SerializeSizeStripped(), tx.SerializeSize()
	out := txObject{
		Txid: tx.TxID(), Hash: tx.WitnessHash().String(), Version: tx.Version, Size: size, VSize: psbt.VSize(tx), Weight: 3*stripped + size,
		LockTime: tx.LockTime, Vin: make([]txInput, len(tx.TxIn)), Vout: make([]txOutput, len(tx.TxOut)),
	}
	for i, in := range tx.TxIn {
		out.Vin[i] = txInput{in.PreviousOutPoint.Hash.String(), in.PreviousOutPoint.Index, in.Sequence}
	}
	for i, o := range tx.TxOut {
		out.Vout[i] = txOutput{bitcoins(o.Value), btc.Amount(o.Value), i, txScript{hex.EncodeToString(o.PkScript)}}
	}
	return out
}

func psbtInputOf(in proposal.Input, said psbt.View) psbtInput {
	out := psbtInput{
		psbtScope: psbtScope{
			Change: in.Branch == wallet.ChangeBranch, IsMine: true, Address: in.Address, FloatAmount: bitcoins(in.Amount), SatAmount: in.Amount,
		},
		Txid: in.Txid, Vout: in.Vout,
	}
	out.derive(said)
	switch {
	case said.WitnessUTXO != nil:
		value := said.WitnessUTXO.Value
		out.WitnessUTXO = &witnessUTXO{bitcoins(value), btc.Amount(value), witnessScript{hex.EncodeToString(said.WitnessUTXO.PkScript), []string{in.Address}}}
	case said.NonWitnessUTXO != nil:
		tx := txObjectOf(said.NonWitnessUTXO)
		out.NonWitnessUTXO = &tx
	}
	return out
}

// derive adds the key derivations that the PSBT contains for an input or output.
func (s *psbtScope) derive(said psbt.View) {
	origin := func(d psbt.Derivation) keyOrigin {
		return keyOrigin{hex.EncodeToString(d.PubKey), hex.EncodeToString(d.Fingerprint[:]), d.PathText()}
	}
	for _, d := range said.Derivations {
		s.Derivations = append(s.Derivations, origin(d))
	}
	for _, d := range said.TapDerivations {
		leaves := make([]string, len(d.LeafHashes))
		for i, hash := range d.LeafHashes {
			leaves[i] = hex.EncodeToString(hash)
		}
		s.TapDerivations = append(s.TapDerivations, tapDerivation{origin(d), leaves})
	}
	s.TapInternalKey = hex.EncodeToString(said.TapInternalKey)
}

type psbtList struct {
	Result map[string]psbtObject `json:"result" description:"Proposals by the id of the unsigned transaction."`
}

// ListPSBTs serves GET /api/v1alpha/wallets/{alias}/psbt.
func (a *API) ListPSBTs(ctx context.Context, _ walletRequest) (psbtList, error) {
	v, open, err := a.o.Proposals.ListOpen(ctx, wallet.AccessFrom(ctx))
	if err != nil {
		return psbtList{}, err
	}
	all, err := psbtObjects(open, v)
	return psbtList{all}, err
}

// psbtObjects returns open proposals of a wallet by the id of the unsigned transaction.
// The ids are unique, because open proposals do not share UTXOs.
func psbtObjects(open []proposal.Proposal, v wallet.View) (map[string]psbtObject, error) {
	all := make(map[string]psbtObject, len(open))
	for _, p := range open {
		var err error
		if all[p.Txid], err = psbtObjectOf(p, v); err != nil {
			return nil, err
		}
	}
	return all, nil
}
