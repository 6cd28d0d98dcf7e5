package console

import (
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr/coding"

	"github.com/specterd/specterd/internal/qrterm"
)

// quietZone is the width of the light margin that scanners require, in modules.
const quietZone = 4

// drawQR draws a text as a QR code. The label describes it for users who do not see it.
func drawQR(text, label string) (template.HTML, error) {
	v, err := qrterm.VersionFor([]string{text})
	if err != nil {
		return "", err
	}
	code, err := qrterm.Encode(text, v)
	if err != nil {
		return "", err
	}
	return svgOf(code, `aria-label="`+template.HTMLEscapeString(label)+`"`), nil
}

// svgOf draws a QR code with its margin, as lines through the middle of its dark modules.
func svgOf(code *coding.Code, attributes string) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="qr" viewBox="%d %d %d %d" role="img" %s shape-rendering="crispEdges"><path d="`,
		-quietZone, -quietZone, code.Size+2*quietZone, code.Size+2*quietZone, attributes)
	for y := range code.Size {
		x, at := 0, 0 // position, and the end of the drawn part of this row
		for x < code.Size {
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			switch {
			case x == start:
				x++
				continue
			case at == 0:
				fmt.Fprintf(&b, "M%d %d.5h%d", start, y, x-start)
			default:
				fmt.Fprintf(&b, "m%d 0h%d", start-at, x-start)
			}
			at = x
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()) //nolint:gosec // digits, and escaped attributes
}
