package btc

import "strings"

// Multipath returns the one descriptor that stands for the two of a wallet
// (BIP-389), with a step like <0;1> where they differ, and a checksum. They are
// in the form that Descriptor.String has. It returns receive where they are not
// the branches of one wallet.
func Multipath(receive, change string) string {
	body, _, _ := strings.Cut(receive, "#")
	other, _, _ := strings.Cut(change, "#")
	steps, others := strings.Split(body, "/"), strings.Split(other, "/")
	if len(steps) != len(others) {
		return receive
	}
	for i, step := range steps {
		if step != others[i] {
			steps[i] = "<" + step + ";" + others[i] + ">"
		}
	}
	joined := strings.Join(steps, "/")
	sum, ok := checksum(joined)
	if !ok || joined == body {
		return receive
	}
	return joined + "#" + sum
}
