package console

import (
	"strings"

	"github.com/specterd/specterd/internal/btc"
)

// Sizes of the diagram of a transaction, in units of its own.
const (
	diagramWidth  = 360.0
	diagramRow    = 30.0
	diagramLeft   = 112.0 // begin of the bands of the inputs
	diagramRight  = 248.0 // end of the bands of the outputs
	diagramTrunk  = 28.0  // height of all bands together in the middle; less than a row, so that no band is cut off
	diagramSide   = 8     // rows of a side; more are one row together
	diagramThin   = 1.0   // least height of a band
	diagramBottom = 8.0   // height of a row's text above its middle
)

// diagramEnd is an input, an output or the fee of a transaction.
type diagramEnd struct {
	Amount *btc.Amount // nil if unknown
	Class  string      // of the band
	Text   string
}

// diagram is a drawing of a transaction: bands from the inputs on the left to the outputs on
// the right. The height of a band in the middle is in proportion to its amount.
type diagram struct {
	Height float64
	Bands  []diagramBand
}

// diagramBand is a band, with the place of its text.
type diagramBand struct {
	diagramEnd

	Path   string
	X, Y   float64 // of the text
	Anchor string
}

// diagramOf draws a transaction.
func diagramOf(inputs, outputs []diagramEnd) diagram {
	rows := max(len(inputs), len(outputs))
	d := diagram{Height: float64(rows) * diagramRow}
	d.add(inputs, diagramLeft, -1)
	d.add(outputs, diagramRight, 1)
	return d
}

// add adds the bands of a side, whose direction is -1 for the left and 1 for the right.
func (d *diagram) add(ends []diagramEnd, edge, direction float64) {
	heights := bandHeights(ends)
	const middle = diagramWidth / 2
	inner := d.Height/2 - diagramTrunk/2
	outer := (d.Height - float64(len(ends))*diagramRow) / 2
	for i, end := range ends {
		h := heights[i]
		y := outer + (float64(i)+0.5)*diagramRow
		b := diagramBand{diagramEnd: end, X: edge + direction*6, Y: y, Anchor: "start"}
		if direction < 0 {
			b.Anchor = "end"
		}
		b.Path = band(edge, y-h/2, middle, inner, h)
		inner += h
		d.Bands = append(d.Bands, b)
	}
}

// band returns the path of a curved band of a constant height between two places.
func band(x1, y1, x2, y2, height float64) string {
	bend := (x1 + x2) / 2
	var b strings.Builder
	write := func(command string, numbers ...float64) {
		b.WriteString(command)
		for i, n := range numbers {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(decimal(n))
		}
	}
	write("M", x1, y1)
	write("C", bend, y1, bend, y2, x2, y2)
	write("V", y2+height)
	write("C", bend, y2+height, bend, y1+height, x1, y1+height)
	return b.String() + "z"
}

// bandHeights divides the trunk among the ends: in proportion to their amounts if all are
// known, and otherwise equally.
func bandHeights(ends []diagramEnd) []float64 {
	out := make([]float64, len(ends))
	var total btc.Amount
	known := true
	for _, e := range ends {
		if known = known && e.Amount != nil; known {
			total += *e.Amount
		}
	}
	free := diagramTrunk - diagramThin*float64(len(ends))
	for i, e := range ends {
		switch {
		case !known || total <= 0:
			out[i] = diagramTrunk / float64(len(ends))
		default:
			out[i] = diagramThin + free*float64(*e.Amount)/float64(total)
		}
	}
	return out
}
