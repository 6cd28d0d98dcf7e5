package psbt

import (
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/base58"

	"github.com/specterd/specterd/internal/btc"
)

// serializedKey is the length in bytes of an extended key (BIP-32), without
// checksum.
const serializedKey = 78

// WithXPubs returns a PSBT that also contains the wallet's extended keys
// (PSBT_GLOBAL_XPUB), by which signing devices recognize a multisig wallet and its
// change. It omits keys whose origin path is not as long as their depth, because
// BIP-174 requires this.
func (p *Packet) WithXPubs(keys []btc.Key) (*Packet, error) {
	c := *p
	for _, key := range keys {
		raw := base58.Decode(key.XPub)
		if len(raw) != serializedKey+4 {
			return nil, fmt.Errorf("the extended key of %s has %d bytes", key.Fingerprint, len(raw))
		}
		path, err := key.Path()
		if err != nil {
			return nil, err
		}
		var fingerprint [4]byte
		if _, err := hex.Decode(fingerprint[:], []byte(key.Fingerprint)); err != nil {
			return nil, fmt.Errorf("read a fingerprint: %w", err)
		}
		if depth := int(raw[4]); depth != len(path) {
			continue
		}
		c.global = c.global.with(field{
			key:   append([]byte{globalXPub}, raw[:serializedKey]...),
			value: appendOrigin(nil, fingerprint, path),
		})
	}
	return &c, nil
}
