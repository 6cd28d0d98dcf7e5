package btc

import "strings"

// Multipath returns the multipath descriptor (BIP-389) for the two branches of a
// wallet, with a step like <0;1> for each step in which they differ, and a
// checksum. Both descriptors must be in the format of Descriptor.String. It returns
// receive if they are equal or have different numbers of steps.
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
	sum, ok := Checksum(joined)
	if !ok || joined == body {
		return receive
	}
	return joined + "#" + sum
}

// Children returns the steps between the key at index i and the wildcard, each with its number
// in the receive and in the change branch, which differ only in a multipath step.
func (d Descriptor) Children(i int) [][2]uint32 {
	children := make([][2]uint32, len(d.keys[i].steps))
	for n, s := range d.keys[i].steps {
		children[n] = s
	}
	return children
}
