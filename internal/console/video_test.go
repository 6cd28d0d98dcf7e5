package console_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/specterd/specterd/internal/qrterm"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// frameSize is the width and the height of the pictures of QR codes.
const frameSize = 720

// qrPicture returns a picture of a QR code, with a quiet zone.
func qrPicture(t *testing.T, text string) *image.Gray {
	t.Helper()
	code := testkit.Value(qrterm.Encode(text, testkit.Value(qrterm.VersionFor([]string{text}))(t)))(t)
	scale := frameSize / (code.Size + 8)
	margin := (frameSize - scale*code.Size) / 2
	img := image.NewGray(image.Rect(0, 0, frameSize, frameSize))
	for y := range frameSize {
		for x := range frameSize {
			c := color.Gray{Y: 235}
			if x >= margin && y >= margin && code.Black((x-margin)/scale, (y-margin)/scale) {
				c = color.Gray{Y: 16}
			}
			img.SetGray(x, y, c)
		}
	}
	return img
}

// codePicture returns a photo of a QR code.
func codePicture(t *testing.T, text string) []byte {
	t.Helper()
	return asJPEG(qrPicture(t, text))
}

// film writes a video of QR codes, four per second, for the camera of withCamera, which repeats it.
func film(t *testing.T, path string, texts []string) {
	t.Helper()
	var video bytes.Buffer
	fmt.Fprintf(&video, "YUV4MPEG2 W%d H%d F4:1 Ip A1:1 C420\n", frameSize, frameSize)
	chroma := bytes.Repeat([]byte{128}, frameSize*frameSize/2)
	for _, text := range texts {
		video.WriteString("FRAME\n")
		video.Write(qrPicture(t, text).Pix)
		video.Write(chroma)
	}
	testkit.Check(t, os.WriteFile(path, video.Bytes(), 0o600))
}

// withCamera starts a browser whose camera shows the video in a file.
func (s *site) withCamera(t *testing.T, path string) *chromium {
	t.Helper()
	return s.chromium(t, chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("use-file-for-fake-video-capture", path))
}
