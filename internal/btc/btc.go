// Package btc holds Bitcoin's own values: amounts, networks, outpoints, keys,
// descriptors with their addresses, what can be read from a transaction, and
// labels. It does no input or output, and knows no node and no database.
//
// The invariant: money is whole satoshis in an [Amount], and never passes
// through a float; and what is read from somebody, which may be a private key by
// mistake, is never repeated in an error.
package btc
