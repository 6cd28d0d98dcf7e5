package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/qrscan"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

var (
	rows = regexp.MustCompile(`M(\d+) (\d+)\.5h(\d+)((?:m\d+ 0h\d+)*)`)
	runs = regexp.MustCompile(`m(\d+) 0h(\d+)`)
)

// numberOf returns a number in an attribute.
func numberOf(text string) int { return testkit.Must(strconv.Atoi(text)) }

// drawn paints the QR code of an svg element as a browser does.
func drawn(t *testing.T, svg *html.Node) *image.Gray {
	t.Helper()
	const scale = 6
	box := strings.Fields(attr(svg, "viewbox") + attr(svg, "viewBox"))
	margin, side := -numberOf(box[0]), numberOf(box[2])
	picture := image.NewGray(image.Rect(0, 0, scale*side, scale*side))
	draw.Draw(picture, picture.Rect, image.White, image.Point{}, draw.Src)
	dark := func(x, y, n int) {
		at := image.Rect(x+margin, y+margin, x+margin+n, y+margin+1)
		draw.Draw(picture, image.Rect(scale*at.Min.X, scale*at.Min.Y, scale*at.Max.X, scale*at.Max.Y), image.NewUniform(color.Black), image.Point{}, draw.Src)
	}
	for n := range svg.Descendants() {
		for _, row := range rows.FindAllStringSubmatch(attr(n, "d"), -1) {
			x, y, n := numberOf(row[1]), numberOf(row[2]), numberOf(row[3])
			dark(x, y, n)
			for _, run := range runs.FindAllStringSubmatch(row[4], -1) {
				x += n + numberOf(run[1])
				n = numberOf(run[2])
				dark(x, y, n)
			}
		}
	}
	return picture
}

func asJPEG(picture image.Image) []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, picture, &jpeg.Options{Quality: 60}) // a buffer has no errors
	return b.Bytes()
}

// codesOf returns the texts of the QR codes on a page.
func codesOf(t *testing.T, p *document) (texts []string) {
	t.Helper()
	for _, svg := range p.all("svg", func(n *html.Node) bool { return attr(n, "class") == "qr" }) {
		texts = append(texts, testkit.Value(qrscan.Text(asJPEG(drawn(t, svg))))(t))
	}
	return texts
}

// TestCodes reads the QR codes on the pages as a device does.
func TestCodes(t *testing.T) {
	t.Parallel()
	_, alice, w := treasury(t)
	made := alice.propose(w.alias)
	page := pageOf(made)
	for device, most := range map[string]int{"coldcard": 775, "keystone": 200, "seedsigner": 100, "": 200} {
		t.Run("device "+device, func(t *testing.T) {
			texts := codesOf(t, alice.get(page+"/qr?device="+device).want(200, "Part 1 of"))
			content := testkit.Value(qrcodec.Read([]byte(strings.Join(texts, "\n"))))(t)
			if !bytes.Equal(content.Data, psbtOf(t, made)) {
				t.Error("the codes do not contain the PSBT")
			}
			if least := len(content.Data) / most; len(texts) < least/2 {
				t.Errorf("%d codes for %d bytes", len(texts), len(content.Data))
			}
			shown := alice.get(page+"?part=2&device="+device).want(200, fmt.Sprintf("Part 2 of %d", len(texts)))
			if len(shown.body) > 60<<10 {
				t.Errorf("the page has %d bytes", len(shown.body))
			}
			second := codesOf(t, shown)
			if len(second) != 1 || second[0] != texts[1] {
				t.Errorf("the page of part 2 shows %q", second)
			}
		})
	}
	first := alice.get(page + "?device=keystone").want(200)
	smaller := first.follow("Cannot read? Smaller codes")
	if a, b := len(codesOf(t, first)[0]), len(codesOf(t, smaller)[0]); b >= a {
		t.Errorf("smaller codes have %d characters instead of %d", b, a)
	}
	first.follow("Next part").want(200, "Part 2 of")
	alice.get(page+"?device=jade&size=20").want(200, "Use the file").lacks(`class="qr"`)
	for _, query := range []string{"?device=nokia", "?size=7", "?size=x"} {
		alice.get(page+query).want(200, "must be").lacks(`class="qr"`)
	}
}

// result is the response to a frame or to texts.
type result struct {
	Text               string
	Received, Expected int
	Done               bool
	Problem            string
}

func scanResult(t *testing.T, p *document) (r result) {
	t.Helper()
	if p.status != 200 || p.header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d: %s", p.status, p.text())
	}
	testkit.Check(t, json.Unmarshal([]byte(p.body), &r))
	return r
}

// TestScan sends frames as the script does, and photos as a browser without scripts does.
func TestScan(t *testing.T) {
	t.Parallel()
	limits := admission.DefaultLimits()
	limits.Slots, limits.Patience = 1, time.Minute // frames wait while the test occupies the slot
	s, alice, w := treasury(t, func(set *setup) { set.gate = admission.New(limits) })
	made := alice.propose(w.alias)
	page := pageOf(made)
	texts := urTexts(t, s.node.Sign(t, psbtOf(t, made), w.signers[0]))
	frame := func(content []byte) *document {
		return alice.upload(page+"/scan", nil, file{"frame", "f.jpg", content})
	}

	if r := scanResult(t, frame(codePicture(t, texts[0]))); r.Text != texts[0] {
		t.Errorf("read %q", r.Text)
	}
	if r := scanResult(t, frame(asJPEG(image.NewGray(image.Rect(0, 0, 640, 360))))); r != (result{}) {
		t.Errorf("in an empty frame: %+v", r)
	}
	frame([]byte("no picture")).want(400)
	frame(make([]byte, 600<<10)).want(413)
	for n, want := range map[int]result{1: {Received: 1, Expected: len(texts)}, len(texts): {Received: len(texts), Expected: len(texts), Done: true}} {
		if r := scanResult(t, alice.post(page+"/scan", "texts", strings.Join(texts[:n], "\n"))); r != want {
			t.Errorf("%d texts: %+v", n, r)
		}
	}
	if r := scanResult(t, alice.post(page+"/scan", "texts", texts[0]+"\nB$ZP0200AAAA")); r.Problem == "" || r.Received != 1 {
		t.Errorf("two series: %+v", r)
	}
	t.Run("limit per user", func(t *testing.T) {
		photo, statuses := codePicture(t, texts[0]), make(chan int)
		slot := s.occupy(t, "another user", admission.Work)
		const refused = 5
		admitted := limits.PerUser + limits.Waiting
		for range admitted + refused {
			go func() {
				status := 0 // after a failure of the test
				defer func() { statuses <- status }()
				status = frame(photo).status
			}()
		}
		for range refused {
			if status := <-statuses; status != http.StatusTooManyRequests {
				t.Errorf("status %d of a frame above the limit", status)
			}
		}
		slot.Leave()
		for range admitted {
			if status := <-statuses; status != http.StatusOK {
				t.Errorf("status %d of a frame below the limit", status)
			}
		}
	})
	if n := s.count(t, "proposal_signatures"); n != 0 {
		t.Fatalf("scanning has stored %d signatures", n)
	}
	var photos []file
	for _, text := range texts {
		photos = append(photos, file{"file", "photo.jpg", codePicture(t, text)})
	}
	alice.upload(page+"/signatures", nil, photos[1:]...).want(400, "is missing")
	alice.upload(page+"/signatures", nil, file{"file", "photo.jpg", asJPEG(image.NewGray(image.Rect(0, 0, 640, 360)))}).want(400, "No QR code was found")
	alice.upload(page+"/signatures", nil, photos...).want(http.StatusOK, "The signature of this key is added")
}
