// Package qrterm draws QR codes with characters, in a terminal or a file. Each character is
// two modules, one above the other.
package qrterm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"rsc.io/qr/coding"
)

// margin is the width of the light margin that scanners require, in modules.
const margin = 4

const maxVersion = 40

// Version is the version of a QR code, from 1 to 40, which determines its size.
type Version int

// Size returns the width and the height in characters of a QR code with its margin.
func (v Version) Size() (columns, rows int) {
	n := 17 + 4*int(v) + 2*margin
	return n, (n + 1) / 2
}

// ErrTooLong is returned for a text that exceeds the capacity of a QR code.
var ErrTooLong = errors.New("the text is too long for a QR code")

// encodingOf returns the shortest encoding of a text in a QR code.
func encodingOf(text string) coding.Encoding {
	for _, e := range []coding.Encoding{coding.Num(text), coding.Alpha(text)} {
		if e.Check() == nil {
			return e
		}
	}
	return coding.String(text)
}

// VersionFor returns the smallest version in which each of the texts fits, with the lowest
// level of error correction, which suffices for a screen.
func VersionFor(texts []string) (Version, error) {
	v := coding.Version(1)
	for _, text := range texts {
		e := encodingOf(text)
		for e.Bits(v) > 8*v.DataBytes(coding.L) {
			if v++; v > maxVersion {
				return 0, ErrTooLong
			}
		}
	}
	return Version(v), nil
}

// Encode returns the modules of a QR code of the given version, without its margin.
func Encode(text string, v Version) (*coding.Code, error) {
	if e := encodingOf(text); v < 1 || v > maxVersion || e.Bits(coding.Version(v)) > 8*coding.Version(v).DataBytes(coding.L) {
		return nil, ErrTooLong
	}
	plan, err := coding.NewPlan(coding.Version(v), coding.L, 0)
	if err != nil {
		return nil, fmt.Errorf("draw a QR code: %w", err)
	}
	code, err := plan.Encode(encodingOf(text))
	if err != nil {
		return nil, fmt.Errorf("draw a QR code: %w", err)
	}
	return code, nil
}

// Draw returns a QR code of the given version as lines of characters. In color, it sets the
// colors of both kinds of modules; otherwise light modules are blocks, as is right for light
// text on a dark background.
func Draw(text string, v Version, color bool) (string, error) {
	code, err := Encode(text, v)
	if err != nil {
		return "", err
	}
	columns, rows := v.Size()
	var b strings.Builder
	for row := range rows {
		if color {
			b.WriteString(blackOnWhite)
		}
		for x := range columns {
			isDark := func(y int) bool { return code.Black(x-margin, y-margin) }
			b.WriteRune(characters[index(color, isDark(2*row), isDark(2*row+1))])
		}
		if color {
			b.WriteString(reset)
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// characters are the characters for two modules: both empty, the upper or the lower one
// filled, and both filled.
var characters = [...]rune{' ', '▀', '▄', '█'}

// index returns the index of the character for two modules. In color, dark modules are
// filled, and otherwise light ones.
func index(color, upper, lower bool) int {
	n := 0
	if upper == color {
		n |= 1
	}
	if lower == color {
		n |= 2
	}
	return n
}

// Control sequences (ECMA-48).
const (
	blackOnWhite = "\x1b[38;5;16;48;5;231m"
	reset        = "\x1b[0m"
	hideCursor   = "\x1b[?25l"
	showCursor   = "\x1b[?25h"
	clearLine    = "\x1b[2K"
	upLines      = "\x1b[%dA"
)

// Animation shows several QR codes.
type Animation struct {
	Texts []string
	// Rate is the number of codes per second.
	Rate int
	// IsTerminal reports whether the output is a terminal. Otherwise, all codes are drawn
	// below each other, without colors.
	IsTerminal bool
}

// Show draws the codes on w, all with the same size. On a terminal, it repeats several codes at
// the same place until ctx ends, and then returns nil.
func (a Animation) Show(ctx context.Context, w io.Writer) error {
	v, err := VersionFor(a.Texts)
	if err != nil {
		return err
	}
	frames := make([]string, len(a.Texts))
	for i, text := range a.Texts {
		if frames[i], err = Draw(text, v, a.IsTerminal); err != nil {
			return err
		}
		if len(frames) > 1 {
			frames[i] += fmt.Sprintf("%d of %d\n", i+1, len(frames))
		}
	}
	if !a.IsTerminal || len(frames) == 1 {
		_, err := io.WriteString(w, strings.Join(frames, "\n"))
		return err
	}
	return a.repeat(ctx, w, frames)
}

// repeat draws frames over each other until ctx ends.
func (a Animation) repeat(ctx context.Context, w io.Writer, frames []string) (err error) {
	tick := time.NewTicker(time.Second / time.Duration(max(a.Rate, 1)))
	defer tick.Stop()
	defer func() {
		_, last := io.WriteString(w, reset+showCursor)
		err = errors.Join(err, last)
	}()
	up := fmt.Sprintf(upLines, strings.Count(frames[0], "\n"))
	before := hideCursor
	for n := 0; ; n++ {
		frame := frames[n%len(frames)]
		at := strings.LastIndexByte(strings.TrimSuffix(frame, "\n"), '\n') + 1
		if _, err := io.WriteString(w, before+frame[:at]+clearLine+frame[at:]); err != nil {
			return err
		}
		before = up
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
