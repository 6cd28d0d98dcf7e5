package qrcodec

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// The fountain code of BCR-2024-001: after the parts with one fragment each, a part is the
// sum (XOR) of several fragments, which sender and receiver choose with the same random
// numbers.

// xoshiro is the generator xoshiro256** of Blackman and Vigna.
type xoshiro [4]uint64

func newXoshiro(seed []byte) *xoshiro {
	var x xoshiro
	digest := sha256.Sum256(seed)
	for i := range x {
		x[i] = binary.BigEndian.Uint64(digest[8*i:])
	}
	return &x
}

func (x *xoshiro) next() uint64 {
	result := bits.RotateLeft64(x[1]*5, 7) * 9
	t := x[1] << 17
	x[2] ^= x[0]
	x[3] ^= x[1]
	x[1] ^= x[2]
	x[0] ^= x[3]
	x[2] ^= t
	x[3] = bits.RotateLeft64(x[3], 45)
	return result
}

// double returns a number between 0 and 1, inclusive because of rounding.
func (x *xoshiro) double() float64 { return float64(x.next()) / (1 << 64) }

// below returns a number below n.
func (x *xoshiro) below(n int) int { return min(int(x.double()*float64(n)), n-1) }

// sampler draws numbers with given probabilities, by the alias method (Vose). The order of
// its operations determines the result of rounding, and is as in BCR-2024-001.
type sampler struct {
	probabilities []float64
	aliases       []int
}

// newSampler returns a sampler for the given weights.
func newSampler(weights []float64) sampler {
	n := len(weights)
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	scaled := make([]float64, n)
	var small, large []int
	for i := n - 1; i >= 0; i-- {
		scaled[i] = weights[i] * float64(n) / sum
		if scaled[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	s := sampler{make([]float64, n), make([]int, n)}
	for len(small) > 0 && len(large) > 0 {
		a, g := small[len(small)-1], large[len(large)-1]
		small, large = small[:len(small)-1], large[:len(large)-1]
		s.probabilities[a], s.aliases[a] = scaled[a], g
		scaled[g] += scaled[a] - 1
		if scaled[g] < 1 {
			small = append(small, g)
		} else {
			large = append(large, g)
		}
	}
	for _, i := range append(small, large...) {
		s.probabilities[i] = 1
	}
	return s
}

func (s sampler) next(x *xoshiro) int {
	r1, r2 := x.double(), x.double()
	i := min(int(float64(len(s.aliases))*r1), len(s.aliases)-1)
	if r2 < s.probabilities[i] {
		return i
	}
	return s.aliases[i]
}

// chooser chooses the fragments of the parts of a message.
type chooser struct {
	total    int
	checksum uint32
	degrees  sampler
}

func newChooser(total int, checksum uint32) chooser {
	weights := make([]float64, total)
	for i := range weights {
		weights[i] = 1 / float64(i+1)
	}
	return chooser{total, checksum, newSampler(weights)}
}

// fragments returns the indexes of the fragments in the part with the given number, which
// starts at 1.
func (c chooser) fragments(number uint32) []uint16 {
	if int(number) <= c.total {
		return []uint16{uint16(number - 1)} //nolint:gosec // below MaxParts
	}
	seed := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, number), c.checksum)
	x := newXoshiro(seed)
	degree := c.degrees.next(x) + 1
	return shuffled(x, c.total, degree)
}

// shuffled returns the first count elements of a permutation of the numbers below n.
func shuffled(x *xoshiro, n, count int) []uint16 {
	rest := make([]uint16, n)
	for i := range rest {
		rest[i] = uint16(i)
	}
	chosen := make([]uint16, count)
	for i := range chosen {
		at := x.below(len(rest))
		chosen[i] = rest[at]
		rest = append(rest[:at], rest[at+1:]...)
	}
	return chosen
}

// equation is the sum of the fragments whose bits are set.
type equation struct {
	fragments []uint64
	data      []byte
}

func (e equation) has(i int) bool { return e.fragments[i/64]>>(i%64)&1 == 1 }

// add adds other to e.
func (e equation) add(other equation) {
	for i, word := range other.fragments {
		e.fragments[i] ^= word
	}
	for i, b := range other.data {
		e.data[i] ^= b
	}
}

// solver finds the fragments of a message from equations, by Gaussian elimination. It needs
// no more parts than the message has fragments, provided that they are independent.
type solver struct {
	rows []*equation // a row's first fragment is its index; nil if unknown
	rank int
}

func newSolver(total int) *solver { return &solver{rows: make([]*equation, total)} }

// add adds a part with the given fragments, whose data it changes.
func (s *solver) add(fragments []uint16, data []byte) {
	e := equation{make([]uint64, (len(s.rows)+63)/64), data}
	for _, i := range fragments {
		e.fragments[i/64] ^= 1 << (i % 64)
	}
	for i, row := range s.rows {
		switch {
		case !e.has(i):
		case row != nil:
			e.add(*row)
		default:
			s.rows[i] = &e
			s.rank++
			return
		}
	}
}

func (s *solver) isDone() bool { return s.rank == len(s.rows) }

// solve returns the fragments, one after the other. The solver must be done.
func (s *solver) solve() []byte {
	var message []byte
	for i := len(s.rows) - 1; i >= 0; i-- {
		for j := i + 1; j < len(s.rows); j++ {
			if s.rows[i].has(j) {
				s.rows[i].add(equation{nil, s.rows[j].data})
			}
		}
	}
	for _, row := range s.rows {
		message = append(message, row.data...)
	}
	return message
}
