// Package qrread reads QR codes that were drawn with characters. It serves tests of
// internal/qrterm, which draws with a different library.
package qrread

import (
	"fmt"
	"image"
	"image/color"
	"regexp"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

var controlSequence = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// Lines returns the lines of a drawn QR code without control sequences.
func Lines(drawn string) []string {
	return strings.Split(strings.TrimSuffix(controlSequence.ReplaceAllString(drawn, ""), "\n"), "\n")
}

const scale = 3 // pixels of a module

// Text returns the text of a drawn QR code. Filled modules are dark if it was drawn in color,
// and otherwise light.
func Text(drawn string, inColor bool) (string, error) {
	lines := Lines(drawn)
	img := image.NewGray(image.Rect(0, 0, scale*len([]rune(lines[0])), scale*2*len(lines)))
	set := func(x, y int, filled bool) {
		c := color.White
		if filled == inColor {
			c = color.Black
		}
		for i := range scale * scale {
			img.Set(scale*x+i%scale, scale*y+i/scale, c)
		}
	}
	for y, line := range lines {
		for x, c := range []rune(line) {
			set(x, 2*y, c == '▀' || c == '█')
			set(x, 2*y+1, c == '▄' || c == '█')
		}
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		return "", fmt.Errorf("read a QR code: %w", err)
	}
	// The modules are not distorted, so that the reader need not search for them.
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		return "", fmt.Errorf("read a QR code: %w", err)
	}
	return result.GetText(), nil
}
