package qrterm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/qrterm"
	"github.com/specterd/specterd/internal/testenv/qrread"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestDraw(t *testing.T) {
	for name, text := range map[string]string{
		"number": "0123456789", "upper case": "UR:CRYPTO-PSBT/1-9/LPADASCFADAXCYWENBPLJKHDCAHKADAEMEJTSWHHYL", "lower case": "p1of3 cHNidP8=",
		"UTF-8": "Grüße", "long": strings.Repeat("B$ZP0A01", 150), "longest": strings.Repeat("A", 4296),
	} {
		for _, inColor := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", inColor), func(t *testing.T) {
				v := testkit.Value(qrterm.VersionFor([]string{text}))(t)
				drawn := testkit.Value(qrterm.Draw(text, v, inColor))(t)
				if got, err := qrread.Text(drawn, inColor); err != nil || got != text {
					t.Errorf("got %.50q: %v", got, err)
				}
				columns, rows := v.Size()
				lines := qrread.Lines(drawn)
				if len(lines) != rows || len([]rune(lines[0])) != columns {
					t.Errorf("%d lines of %d characters, want %d of %d", len(lines), len([]rune(lines[0])), rows, columns)
				}
				if strings.Contains(drawn, "\x1b") != inColor {
					t.Error("control sequences")
				}
			})
		}
	}
}

// TestDraw_AllVersions reads a code of every version with random content.
func TestDraw_AllVersions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for v := qrterm.Version(1); v <= 40; v++ {
		for range 5 {
			text := make([]byte, 25)
			for i := range text {
				text[i] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ$%*+-./:"[random.IntN(44)]
			}
			if got, err := qrread.Text(testkit.Value(qrterm.Draw(string(text), v, true))(t), true); err != nil || got != string(text) {
				t.Errorf("version %d: %q is read as %q: %v", v, text, got, err)
			}
		}
	}
}

func TestVersionFor(t *testing.T) {
	for name, c := range map[string]struct {
		texts []string
		want  qrterm.Version
	}{
		"version 1": {[]string{strings.Repeat("A", 25)}, 1}, "version 2": {[]string{strings.Repeat("A", 26)}, 2}, "the largest": {[]string{"A", strings.Repeat("A", 1249), "B"}, 20},
		"bytes": {[]string{strings.Repeat("a", 17)}, 1}, "numbers": {[]string{strings.Repeat("1", 41)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := testkit.Value(qrterm.VersionFor(c.texts))(t); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
	if _, err := qrterm.VersionFor([]string{strings.Repeat("A", 4297)}); !errors.Is(err, qrterm.ErrTooLong) {
		t.Errorf("got %v", err)
	}
	if _, err := qrterm.Draw(strings.Repeat("A", 26), 1, false); !errors.Is(err, qrterm.ErrTooLong) {
		t.Errorf("got %v", err)
	}
}

// screen is the output of an animation, which it stops after a number of frames.
type screen struct {
	frames []string
	most   int
	stop   context.CancelFunc
}

func (s *screen) Write(b []byte) (int, error) {
	if s.frames = append(s.frames, string(b)); len(s.frames) == s.most {
		s.stop()
	}
	return len(b), nil
}

func TestAnimation_Terminal(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := &screen{most: 5, stop: stop}
	texts := []string{"first", "SECOND PART", "third part, which is longer than the others"}
	testkit.Check(t, qrterm.Animation{Texts: texts, Rate: 1000, IsTerminal: true}.Show(ctx, s))
	if len(s.frames) != 6 || !strings.Contains(s.frames[5], "\x1b[?25h") || !strings.HasPrefix(s.frames[0], "\x1b[?25l") {
		t.Fatalf("%d writes, the last one is %q", len(s.frames), s.frames[len(s.frames)-1])
	}
	for i, frame := range s.frames[:5] {
		lines := strings.Split(strings.TrimSuffix(frame, "\n"), "\n")
		caption, code := lines[len(lines)-1], strings.Join(lines[:len(lines)-1], "\n")
		if want := fmt.Sprintf("%d of 3", i%3+1); !strings.HasSuffix(caption, want) {
			t.Errorf("frame %d has the caption %q", i, caption)
		}
		if up := fmt.Sprintf("\x1b[%dA", len(lines)); i > 0 && !strings.HasPrefix(frame, up) {
			t.Errorf("frame %d does not begin with %q", i, up)
		}
		if got, err := qrread.Text(code, true); err != nil || got != texts[i%3] {
			t.Errorf("frame %d is %q: %v", i, got, err)
		}
	}
}

func TestAnimation_File(t *testing.T) {
	var out bytes.Buffer
	texts := []string{"first", "second"}
	testkit.Check(t, qrterm.Animation{Texts: texts, Rate: 1}.Show(t.Context(), &out))
	for i, code := range strings.Split(out.String(), "\n\n") {
		code, caption, _ := strings.Cut(code, fmt.Sprintf("%d of 2", i+1))
		if got, err := qrread.Text(code, false); err != nil || got != texts[i] || strings.TrimSpace(caption) != "" {
			t.Errorf("code %d is %q, %q: %v", i, got, caption, err)
		}
	}
	out.Reset()
	testkit.Check(t, qrterm.Animation{Texts: texts[:1], Rate: 1, IsTerminal: true}.Show(t.Context(), &out))
	if got, err := qrread.Text(out.String(), true); err != nil || got != "first" {
		t.Errorf("a single code is %q: %v", got, err)
	}
}
