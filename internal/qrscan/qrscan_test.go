package qrscan_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rsc.io/qr/coding"

	"github.com/specterd/specterd/internal/qrscan"
	"github.com/specterd/specterd/internal/qrterm"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// scene is how a camera sees a code on a screen.
type scene struct {
	version      qrterm.Version
	angle        float64 // radians
	tilt         float64 // how much smaller the far side is: 0 for none
	side         float64 // of the code with its margin, in pixels
	blur         int     // radius in pixels
	noise        float64 // standard deviation in shades of grey
	light, shade float64 // of light modules: at the left and at the right
}

// frame draws a code as a camera sees it, in 1280 × 720 pixels.
func (s scene) frame(code *coding.Code, random *rand.Rand) *image.Gray {
	const w, h = 1280, 720
	sharp := make([]float64, w*h)
	sin, cos := math.Sincos(s.angle)
	modules := float64(code.Size + 8)
	for y := range h {
		for x := range w {
			dx, dy := float64(x)-w/2, float64(y)-h/2
			u, v := (dx*cos+dy*sin)/s.side, (dy*cos-dx*sin)/s.side
			near := 1 + s.tilt*u // perspective: one side is farther away
			u, v = u/near, v/near
			light := s.light + (s.shade-s.light)*float64(x)/w
			mx, my := int(math.Floor((u+.5)*modules))-4, int(math.Floor((v+.5)*modules))-4
			switch {
			case u < -.5 || u >= .5 || v < -.5 || v >= .5:
				sharp[y*w+x] = light * .35 // the room
			case code.Black(mx, my):
				sharp[y*w+x] = light * .12
			default:
				sharp[y*w+x] = light
			}
		}
	}
	blurred := blur(blur(sharp, w, h, s.blur, 1), w, h, s.blur, w)
	out := image.NewGray(image.Rect(0, 0, w, h))
	for i, value := range blurred {
		out.Pix[i] = uint8(min(255, max(0, value+s.noise*random.NormFloat64())))
	}
	return out
}

// blur returns the means over 2 × radius + 1 values, in a row (step 1) or a column (step w).
func blur(in []float64, w, h, radius, step int) []float64 {
	out := make([]float64, len(in))
	for i := range in {
		at, length := i%w, w
		if step == w {
			at, length = i/w, h
		}
		sum, n := 0.0, 0
		for d := max(-radius, -at); d <= min(radius, length-1-at); d++ {
			sum += in[i+d*step]
			n++
		}
		out[i] = sum / float64(n)
	}
	return out
}

func asJPEG(t testing.TB, picture image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	testkit.Check(t, jpeg.Encode(&b, picture, &jpeg.Options{Quality: quality}))
	return b.Bytes()
}

// randomText returns a text of a UR that fills a code of about this version.
func randomText(random *rand.Rand, v qrterm.Version) string {
	room := coding.Version(v).DataBytes(coding.L)*16/11 - 8
	var b strings.Builder
	b.WriteString("UR:CRYPTO-PSBT/1-9/")
	for b.Len() < room {
		b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[random.IntN(26)])
	}
	return b.String()
}

// TestText_Frames reads codes of the sizes that devices show in frames with rotation,
// perspective, blur, noise and uneven light.
func TestText_Frames(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	const count = 25
	found := 0
	var slowest time.Duration
	for i := range count {
		s := scene{
			version: qrterm.Version(5 + i*15/(count-1)), angle: (random.Float64() - .5) * .8, tilt: (random.Float64() - .5) * .2,
			blur: random.IntN(2), noise: random.Float64() * 14, light: 170 + random.Float64()*70, shade: 150 + random.Float64()*90,
		}
		sin, cos := math.Sincos(math.Abs(s.angle))
		s.side = (600 + random.Float64()*60) / (sin + cos) // all of the code is in the frame
		text := randomText(random, s.version)
		frame := asJPEG(t, s.frame(testkit.Value(qrterm.Encode(text, testkit.Value(qrterm.VersionFor([]string{text}))(t)))(t), random), 70)
		start := time.Now()
		got, err := qrscan.Text(frame)
		slowest = max(slowest, time.Since(start))
		switch {
		case err == nil && got == text:
			found++
		case err == nil:
			t.Errorf("version %d: read %q instead of %q", s.version, got, text)
		default:
			t.Logf("%+v: %v", s, err)
		}
	}
	if found < count-1 {
		t.Errorf("%d of %d frames are read", found, count)
	}
	t.Logf("%d of %d frames, the slowest in %s", found, count, slowest)
}

// TestText_Pictures reads a code in other formats and sizes.
func TestText_Pictures(t *testing.T) {
	text := "UR:CRYPTO-PSBT/HDOSJOJKIDJYZMADAE"
	random := rand.New(rand.NewPCG(1, 1))
	code := testkit.Value(qrterm.Encode(text, testkit.Value(qrterm.VersionFor([]string{text}))(t)))(t)
	plain := scene{side: 400, light: 230, shade: 230}.frame(code, random)
	coloured := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	large := image.NewGray(image.Rect(0, 0, 3840, 2160))
	palette := image.NewPaletted(plain.Rect, color.Palette{color.Black, color.Gray{80}, color.White})
	for y := range 720 {
		for x := range 1280 {
			grey := plain.GrayAt(x, y)
			coloured.Set(x, y, color.RGBA{grey.Y, grey.Y / 2, 255 - grey.Y/4, 255})
			palette.Set(x, y, grey)
			for i := range 9 {
				large.SetGray(3*x+i%3, 3*y+i/3, grey)
			}
		}
	}
	write := func(do func(b *bytes.Buffer) error) []byte {
		var b bytes.Buffer
		testkit.Check(t, do(&b))
		return b.Bytes()
	}
	for name, data := range map[string][]byte{
		"JPEG": asJPEG(t, plain, 80), "colour": asJPEG(t, coloured, 80), "a large photo": asJPEG(t, large, 80),
		"PNG": write(func(b *bytes.Buffer) error { return png.Encode(b, plain) }),
		"GIF": write(func(b *bytes.Buffer) error { return gif.Encode(b, palette, nil) }),
		"a crop": write(func(b *bytes.Buffer) error {
			return png.Encode(b, plain.SubImage(image.Rect(400, 120, 880, 600)))
		}),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := qrscan.Text(data); err != nil || got != text {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// TestText_Straight reads many straight codes, some of which contain data that looks like a
// finder pattern.
func TestText_Straight(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for range 60 {
		text := randomText(random, 11)
		code := testkit.Value(qrterm.Encode(text, testkit.Value(qrterm.VersionFor([]string{text}))(t)))(t)
		const scale, margin = 5, 4
		side := scale * (code.Size + 2*margin)
		picture := image.NewGray(image.Rect(0, 0, side, side))
		for i := range picture.Pix {
			if !code.Black(i%side/scale-margin, i/side/scale-margin) {
				picture.Pix[i] = 255
			}
		}
		if got, err := qrscan.Text(asJPEG(t, picture, 60)); err != nil || got != text {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
}

// TestText_Refused checks that other data is refused, and that no picture takes long.
func TestText_Refused(t *testing.T) {
	var empty, patterns, huge bytes.Buffer
	testkit.Check(t, png.Encode(&empty, image.NewGray(image.Rect(0, 0, 640, 480))))
	testkit.Check(t, png.Encode(&patterns, finderPatterns(1600, 1600)))
	testkit.Check(t, png.Encode(&huge, image.NewGray(image.Rect(0, 0, 1, 1))))
	tooWide := huge.Bytes()
	tooWide[16], tooWide[20] = 1, 1 // the width and the height in the header
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing": {nil, qrscan.ErrNoPicture}, "text": {[]byte("hello"), qrscan.ErrNoPicture}, "no code": {empty.Bytes(), qrscan.ErrNoCode},
		"a damaged file": {empty.Bytes()[:200], qrscan.ErrNoPicture}, "too many bytes": {make([]byte, qrscan.MaxBytes+1), qrscan.ErrTooLarge},
		"too many pixels": {withChecksum(tooWide), qrscan.ErrTooLarge}, "thousands of finder patterns": {patterns.Bytes(), qrscan.ErrNoCode},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			text, err := qrscan.Text(c.data)
			if !errors.Is(err, c.want) || text != "" {
				t.Errorf("got %q, %v", text, err)
			}
			if took := time.Since(start); took > testkit.Bar(800*time.Millisecond) {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// finderPatterns fills a picture with the patterns in the corners of QR codes, in two sizes, so
// that the reader does not stop at the first ones.
func finderPatterns(w, h int) *image.Gray {
	picture := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			size := 1 + (x/18+y/18)%2
			mx, my := x%(9*size)/size, y%(9*size)/size
			ring := max(max(mx, 6-mx), max(my, 6-my)) // 6 at the border, 3 in the center
			if mx > 6 || my > 6 || ring == 5 {
				picture.Pix[y*picture.Stride+x] = 255
			}
		}
	}
	return picture
}

func FuzzText(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 1))
	for v := qrterm.Version(1); v <= 10; v += 3 {
		text := strings.Repeat("A", int(v)*10)
		code := testkit.Must(qrterm.Encode(text, testkit.Must(qrterm.VersionFor([]string{text}))))
		f.Add(asJPEG(f, scene{side: 500, light: 200, shade: 200, noise: float64(v)}.frame(code, random), 50))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		text, err := qrscan.Text(data)
		if err != nil && text != "" {
			t.Error(fmt.Sprint(text, err))
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// withChecksum corrects the checksum of the header of a PNG.
func withChecksum(data []byte) []byte {
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}
