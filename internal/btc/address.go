package btc

import (
	"strings"

	"github.com/btcsuite/btcd/btcutil/base58"
	"github.com/btcsuite/btcd/btcutil/bech32"

	"github.com/specterd/specterd/internal/fault"
)

// ErrAddress is returned for text that is not an address.
var ErrAddress = fault.InvalidAs("invalid_address", "address", "must be a valid Bitcoin address; check it for typing errors")

const maxAddress = 90 // characters: BIP-173's limit; base58 addresses are shorter

// Opcodes of multisig scripts and of the scripts that have addresses.
const (
	op0             = 0x00
	op1             = 0x51
	op16            = 0x60
	opDup           = 0x76
	opEqual         = 0x87
	opEqualVerify   = 0x88
	opHash160       = 0xa9
	opCheckSig      = 0xac
	opCheckMultisig = 0xae
)

// ParseAddress returns an address in Bitcoin Core's canonical form: bech32 in lower
// case. It returns ErrAddress and ErrWrongNetwork, about the field "address".
// Addresses of test, testnet4 and signet have the same format and are accepted on
// each of these networks; base58 addresses of regtest also have this format.
func ParseAddress(text string, network Network) (string, error) {
	script, err := ScriptOf(text, network)
	if err != nil {
		return "", err
	}
	return AddressOf(script, network), nil
}

// ScriptOf returns the output script of an address. It returns ErrAddress and
// ErrWrongNetwork, about the field "address".
func ScriptOf(address string, network Network) ([]byte, error) {
	address = strings.TrimSpace(address)
	if len(address) > maxAddress {
		return nil, ErrAddress
	}
	if script := decodeAddress(address, network.encoding()); script != nil {
		return script, nil
	}
	for _, other := range encodings {
		if decodeAddress(address, other) != nil {
			return nil, fault.InvalidAs(ErrWrongNetwork.Code, "address", "is a %s address; this node is on %s", other.name, network.text())
		}
	}
	return nil, ErrAddress
}

// AddressOf returns the address of an output script, as Bitcoin Core does: "" for
// scripts without an address, such as bare public keys and bare multisig, and
// bech32m for undefined versions of witness programs.
func AddressOf(script []byte, network Network) string {
	return addressOf(script, network.encoding())
}

func addressOf(script []byte, e encoding) string {
	if version, program, ok := witnessProgram(script); ok {
		return encodeWitness(version, program, e.hrp)
	}
	switch {
	case len(script) == 25 && script[0] == opDup && script[1] == opHash160 && script[2] == 20 && script[23] == opEqualVerify && script[24] == opCheckSig:
		return base58.CheckEncode(script[3:23], e.pubKeyHash)
	case len(script) == 23 && script[0] == opHash160 && script[1] == 20 && script[22] == opEqual:
		return base58.CheckEncode(script[2:22], e.scriptHash)
	}
	return ""
}

// witnessProgram returns the version and the program of a witness output script
// (BIP-141). It returns false for other scripts, and for programs of version 0 that do
// not have 20 or 32 bytes: these are not spendable, and have no address.
func witnessProgram(script []byte) (version byte, program []byte, ok bool) {
	if len(script) < 4 || len(script) > 42 || int(script[1]) != len(script)-2 {
		return 0, nil, false
	}
	program = script[2:]
	switch {
	case script[0] == op0:
		return 0, program, len(program) == 20 || len(program) == 32
	case script[0] >= op1 && script[0] <= op16:
		return script[0] - op1 + 1, program, true
	}
	return 0, nil, false
}

func witnessScript(version byte, program []byte) []byte {
	opcode := byte(op0)
	if version > 0 {
		opcode = op1 + version - 1
	}
	return append([]byte{opcode, byte(len(program))}, program...) //nolint:gosec // programs have 40 bytes at most
}

// encodeWitness returns the address of a witness program: bech32 for version 0, bech32m
// for other versions (BIP-350).
func encodeWitness(version byte, program []byte, hrp string) string {
	encode := bech32.EncodeM
	if version == 0 {
		encode = bech32.Encode
	}
	groups, err := bech32.ConvertBits(program, 8, 5, true)
	if err != nil {
		return "" // unreachable: bytes have eight bits
	}
	text, err := encode(hrp, append([]byte{version}, groups...))
	if err != nil {
		return "" // unreachable: groups have five bits
	}
	return text
}

// decodeAddress returns the script of an address in this encoding, or nil if the
// text is not such an address.
func decodeAddress(text string, e encoding) []byte {
	if len(text) > len(e.hrp) && strings.EqualFold(text[:len(e.hrp)+1], e.hrp+"1") {
		return decodeWitness(text)
	}
	hash, version, err := base58.CheckDecode(text)
	if err != nil || len(hash) != 20 {
		return nil
	}
	switch version {
	case e.pubKeyHash:
		return payToPubKeyHash(hash)
	case e.scriptHash:
		return payToScriptHash(hash)
	}
	return nil
}

func decodeWitness(text string) []byte {
	_, groups, variant, err := bech32.DecodeGeneric(text)
	if err != nil || len(groups) == 0 || groups[0] > 16 || (groups[0] == 0) != (variant == bech32.Version0) {
		return nil
	}
	program, err := bech32.ConvertBits(groups[1:], 5, 8, false)
	if err != nil || len(program) > 40 {
		return nil
	}
	script := witnessScript(groups[0], program)
	if _, _, ok := witnessProgram(script); !ok {
		return nil
	}
	return script
}

func payToPubKeyHash(hash []byte) []byte {
	script := append([]byte{opDup, opHash160, byte(len(hash))}, hash...) //nolint:gosec // 20 bytes
	return append(script, opEqualVerify, opCheckSig)
}

func payToScriptHash(hash []byte) []byte {
	script := append([]byte{opHash160, byte(len(hash))}, hash...) //nolint:gosec // 20 bytes
	return append(script, opEqual)
}
