package backend

import (
	"encoding/binary"
	"fmt"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
)

// distinct replaces the addresses of f that an earlier output or the change has, because
// walletcreatefundedpsbt refuses them. The placeholders have the same type and length, so
// that selection, size, dust limit and fee are the same. It also returns the real scripts
// by placeholder, for [restored].
func distinct(f proposal.Funding, network btc.Network) (proposal.Funding, map[string][]byte, error) {
	used := map[string]bool{f.ChangeAddress: true}
	for _, out := range f.Outputs {
		used[out.Address] = true
	}
	seen := map[string]bool{}
	placeholders := map[string][]byte{}
	outputs := make([]proposal.FundingOutput, len(f.Outputs))
	for i, out := range f.Outputs {
		outputs[i] = out
		if out.Address == "" || !seen[out.Address] {
			seen[out.Address] = true
			continue
		}
		script, err := out.Script(network)
		if err != nil {
			return f, nil, err
		}
		placeholder, err := placeholderFor(script, network, used)
		if err != nil {
			return f, nil, err
		}
		outputs[i].Address = btc.AddressOf(placeholder, network)
		used[outputs[i].Address] = true
		placeholders[string(placeholder)] = script
	}
	f.Outputs = outputs
	return f, placeholders, nil
}

// placeholderFor returns a script of the same type whose address is not in used. It differs
// in the last two bytes of the hash or the key, of which witness programs have at least two.
func placeholderFor(script []byte, network btc.Network, used map[string]bool) ([]byte, error) {
	end := len(script)
	const p2pkh, p2sh = 25, 23
	switch {
	case end == p2pkh:
		end -= 2 // OP_EQUALVERIFY OP_CHECKSIG
	case end == p2sh && script[1] == p2sh-3:
		end-- // OP_EQUAL
	}
	address := btc.AddressOf(script, network)
	for n := uint16(1); n != 0; n++ {
		candidate := append([]byte(nil), script...)
		tail := candidate[end-2 : end]
		binary.BigEndian.PutUint16(tail, binary.BigEndian.Uint16(tail)^n)
		if other := btc.AddressOf(candidate, network); other != "" && other != address && !used[other] {
			return candidate, nil
		}
	}
	return nil, fmt.Errorf("no placeholder is left for the address %s", address)
}

// restored returns the node's PSBT with the real scripts instead of placeholders. It returns
// a PSBT that cannot be parsed unchanged: the caller refuses it.
func restored(raw []byte, placeholders map[string][]byte) []byte {
	if len(placeholders) == 0 {
		return raw
	}
	packet, err := psbt.Parse(raw)
	if err != nil {
		return raw
	}
	return packet.WithScripts(placeholders).Bytes()
}
