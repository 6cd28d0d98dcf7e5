package btc

import "strings"

const (
	// descriptorChars are all characters of descriptors, in three groups of 32.
	descriptorChars = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
	checksumChars = "qpzry9x8gf2tvdw0s3jn54khce6mua7l" // the characters of bech32
	checksumLen   = 8
)

// Checksum returns the checksum (BIP-380) of a descriptor, which must not include one. It
// returns false if the descriptor contains an invalid character.
func Checksum(descriptor string) (string, bool) {
	state, groups := uint64(1), 0
	for i := range len(descriptor) {
		v := strings.IndexByte(descriptorChars, descriptor[i])
		if v < 0 {
			return "", false
		}
		state = polymod(state, v&31)
		groups = groups*3 + v>>5
		if i%3 == 2 { // after three characters, one more symbol encodes their groups
			state = polymod(state, groups)
			groups = 0
		}
	}
	if len(descriptor)%3 > 0 {
		state = polymod(state, groups)
	}
	for range checksumLen {
		state = polymod(state, 0)
	}
	state ^= 1
	sum := make([]byte, checksumLen)
	for i := range sum {
		sum[i] = checksumChars[state>>(5*(checksumLen-1-i))&31]
	}
	return string(sum), true
}

// polymod adds a symbol of five bits to the state of the BCH code.
func polymod(state uint64, symbol int) uint64 {
	top := state >> 35
	state = (state&0x7ffffffff)<<5 ^ uint64(symbol) //nolint:gosec // 0 to 31
	for i, g := range [...]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd} {
		if top>>i&1 == 1 {
			state ^= g
		}
	}
	return state
}
