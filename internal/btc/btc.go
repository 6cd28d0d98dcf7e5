// Package btc implements Bitcoin data types: amounts, networks, outpoints, keys,
// descriptors with their addresses, parsed transactions, and labels. It does no I/O.
//
// Invariants: amounts are whole satoshis in an [Amount] and never converted to floating
// point; and input, which may be a private key by mistake, is never repeated in an error.
package btc
