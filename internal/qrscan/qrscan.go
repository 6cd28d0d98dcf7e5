// Package qrscan reads the text of a QR code in a picture: a frame of a camera or a video, or a
// photo. It works in memory only. The size of a picture, and the number of patterns in it that
// could belong to a code, are limited, so that the time for any input is bounded.
package qrscan

import (
	"bytes"
	"errors"
	"image"
	_ "image/gif" // pictures in these formats are accepted
	_ "image/jpeg"
	_ "image/png"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/specterd/specterd/internal/fault"
)

// Limits for pictures.
const (
	MaxBytes  = 12 << 20
	MaxPixels = 16_000_000
	// maxSide is the width or height to which larger pictures are reduced, and smallSide the
	// one for a second attempt, in which noise is weaker.
	maxSide   = 1600
	smallSide = 700
	// maxPatterns is the maximum number of patterns that could belong to a code. The reader
	// compares each three of them; pictures of real codes have fewer than 50.
	maxPatterns = 150
)

// Faults of pictures.
var (
	ErrNoCode    = fault.New(fault.Invalid, "no_qr_code", "no QR code was found in the picture; take a sharper one in which the code fills more of the picture")
	ErrNoPicture = fault.New(fault.Invalid, "invalid_picture", "this is not a picture in the format JPEG, PNG or GIF")
	ErrTooLarge  = fault.New(fault.TooLarge, "picture_too_large", "a picture must not be larger than %d MiB and %d megapixels; choose a smaller one", MaxBytes>>20, MaxPixels/1_000_000)
)

// Text returns the text of the QR code in a picture. It returns ErrNoCode, ErrNoPicture and
// ErrTooLarge.
func Text(data []byte) (string, error) {
	if len(data) > MaxBytes {
		return "", ErrTooLarge
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return "", ErrNoPicture
	}
	if config.Width > MaxPixels/config.Height {
		return "", ErrTooLarge
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return "", ErrNoPicture
	}
	grey := reduced(picture, maxSide)
	if text, ok := read(grey); ok {
		return text, nil
	}
	if small := reduced(grey, smallSide); small != grey {
		if text, ok := read(small); ok {
			return text, nil
		}
	}
	return "", ErrNoCode
}

// read tries two ways to separate dark from light: one threshold for the whole picture, which
// is fast and suits screens, and then, after smoothing, one for each part of the picture,
// which suits uneven light. At last it assumes that the picture contains nothing but a straight
// code, as a screenshot does; then data that looks like a finder pattern does not mislead it.
func read(grey *image.Gray) (string, bool) {
	searching, straight := map[gozxing.DecodeHintType]any{}, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true}
	if text, ok := readWith(grey, gozxing.NewGlobalHistgramBinarizer, searching); ok {
		return text, true
	}
	if text, ok := readWith(smooth(grey), gozxing.NewHybridBinarizer, searching); ok {
		return text, true
	}
	return readWith(grey, gozxing.NewGlobalHistgramBinarizer, straight)
}

func readWith(grey *image.Gray, binarizer func(gozxing.LuminanceSource) gozxing.Binarizer, hints map[gozxing.DecodeHintType]any) (text string, ok bool) {
	defer func() { // the reader panics with errTooMany, and with others for pictures that it does not expect
		if recover() != nil {
			text, ok = "", false
		}
	}()
	w, h := grey.Rect.Dx(), grey.Rect.Dy()
	source, err := gozxing.NewPlanarYUVLuminanceSource(grey.Pix, w, h, 0, 0, w, h, false)
	if err != nil {
		return "", false
	}
	bitmap, err := gozxing.NewBinaryBitmap(binarizer(source))
	if err != nil {
		return "", false
	}
	hints[gozxing.DecodeHintType_NEED_RESULT_POINT_CALLBACK] = limited()
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		return "", false
	}
	return result.GetText(), true
}

var errTooMany = errors.New("too many patterns")

// limited returns a callback for found patterns that panics with errTooMany after maxPatterns
// of them.
func limited() gozxing.ResultPointCallback {
	n := 0
	return func(gozxing.ResultPoint) {
		if n++; n > maxPatterns {
			panic(errTooMany)
		}
	}
}

// reduced returns a picture in shades of grey whose sides are at most the given length. Each
// pixel is the mean of up to nine pixels of the original.
func reduced(picture image.Image, side int) *image.Gray {
	b := picture.Bounds()
	w, h := b.Dx(), b.Dy()
	longest := max(w, h)
	if grey, ok := picture.(*image.Gray); ok && longest <= side && grey.Stride == w {
		return grey
	}
	if longest > side {
		w, h = max(1, w*side/longest), max(1, h*side/longest)
	}
	out, at := image.NewGray(image.Rect(0, 0, w, h)), luminance(picture)
	columns := make([][]int, w)
	for x := range w {
		columns[x] = samples(b.Min.X, x, w, b.Dx())
	}
	for y := range h {
		rows := samples(b.Min.Y, y, h, b.Dy())
		for x := range w {
			sum, n := 0, 0
			for _, sx := range columns[x] {
				for _, sy := range rows {
					sum += int(at(sx, sy))
					n++
				}
			}
			out.Pix[y*out.Stride+x] = uint8(sum / n) //nolint:gosec // a mean of bytes
		}
	}
	return out
}

// samples returns up to three positions in the original, of the given length, that correspond
// to a position in a picture of the length to.
func samples(first, at, to, length int) []int {
	start, end := at*length/to, (at+1)*length/to
	switch n := end - start; {
	case n <= 1:
		return []int{first + start}
	case n == 2:
		return []int{first + start, first + start + 1}
	default:
		return []int{first + start, first + start + n/2, first + end - 1}
	}
}

// luminance returns a function that returns the brightness of a pixel.
func luminance(picture image.Image) func(x, y int) uint8 {
	switch p := picture.(type) {
	case *image.YCbCr:
		return func(x, y int) uint8 { return p.Y[p.YOffset(x, y)] }
	case *image.Gray:
		return func(x, y int) uint8 { return p.Pix[p.PixOffset(x, y)] }
	}
	return func(x, y int) uint8 {
		r, g, b, a := picture.At(x, y).RGBA()
		white := 0xffff - a                                                       // behind transparent parts
		return uint8((299*(r+white) + 587*(g+white) + 114*(b+white)) / 1000 >> 8) //nolint:gosec // at most 0xff
	}
}

// smooth returns a picture in which each pixel is the mean of itself and its neighbours.
func smooth(grey *image.Gray) *image.Gray {
	w, h := grey.Rect.Dx(), grey.Rect.Dy()
	out := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			sum, n := 0, 0
			for sy := max(0, y-1); sy <= min(h-1, y+1); sy++ {
				for sx := max(0, x-1); sx <= min(w-1, x+1); sx++ {
					sum += int(grey.Pix[sy*grey.Stride+sx])
					n++
				}
			}
			out.Pix[y*out.Stride+x] = uint8(sum / n) //nolint:gosec // a mean of bytes
		}
	}
	return out
}
