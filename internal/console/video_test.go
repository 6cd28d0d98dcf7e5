package console_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"rsc.io/qr/coding"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// readQR returns the text of the QR code in a picture, as a device with a camera reads it.
func readQR(t *testing.T, picture []byte) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	testkit.Check(t, err)
	for _, hints := range []map[gozxing.DecodeHintType]any{{gozxing.DecodeHintType_PURE_BARCODE: true}, nil} {
		bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
		testkit.Check(t, err)
		if result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints); err == nil {
			return result.GetText()
		}
	}
	t.Fatal("the picture has no QR code that can be read")
	return ""
}

// frameSize is the width and the height of a frame of the videos.
const frameSize = 720

// drawQR returns a picture of a QR code, with a quiet zone.
func drawQR(t *testing.T, text string) *image.Gray {
	t.Helper()
	var code *coding.Code
	for version := coding.Version(coding.MinVersion); version <= coding.MaxVersion && code == nil; version++ {
		plan := testkit.Must(coding.NewPlan(version, coding.L, 0))
		if c, err := plan.Encode(coding.String(text)); err == nil {
			code = c
		}
	}
	if code == nil {
		t.Fatalf("%d characters do not fit into a QR code", len(text))
	}
	scale := frameSize / (code.Size + 8)
	margin := (frameSize - scale*code.Size) / 2
	img := image.NewGray(image.Rect(0, 0, frameSize, frameSize))
	for y := range frameSize {
		for x := range frameSize {
			c := color.Gray{Y: 235}
			if cx, cy := (x-margin)/scale, (y-margin)/scale; x >= margin && y >= margin && code.Black(cx, cy) {
				c = color.Gray{Y: 16}
			}
			img.SetGray(x, y, c)
		}
	}
	return img
}

// cameraVideo writes a video of QR codes, four per second, for Chromium's fake camera, which repeats
// it, and returns the path of the file.
func cameraVideo(t *testing.T, texts []string) string {
	t.Helper()
	var video bytes.Buffer
	fmt.Fprintf(&video, "YUV4MPEG2 W%d H%d F4:1 Ip A1:1 C420\n", frameSize, frameSize)
	chroma := bytes.Repeat([]byte{128}, frameSize*frameSize/2)
	for _, text := range texts {
		video.WriteString("FRAME\n")
		video.Write(drawQR(t, text).Pix)
		video.Write(chroma)
	}
	path := filepath.Join(t.TempDir(), "camera.y4m")
	testkit.Check(t, os.WriteFile(path, video.Bytes(), 0o600))
	return path
}
