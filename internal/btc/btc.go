// Package btc holds Bitcoin's own values: amounts, networks, outpoints, keys,
// descriptors and what can be read from a transaction. It does no input or
// output, and knows no node and no database.
//
// The invariant: money is whole satoshis in an [Amount], and never passes
// through a float.
package btc
