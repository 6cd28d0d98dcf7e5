package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Severity is how much a Problem matters.
type Severity string

// The severities.
const (
	// Note is for what is left out on purpose; nothing is lost.
	Note Severity = "note"
	// Warning is for what was read, but not as it should have been.
	Warning Severity = "warning"
	// Error is for what could not be read.
	Error Severity = "error"
)

// Problem is something in the folder that is not as it should be. Its texts are
// safe to print and hold no secret.
type Problem struct {
	Path     string // within the folder
	What     string
	Severity Severity
}

func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.Severity, p.Path, p.What) }

// maxProblems bounds the report; there is one more, which says so.
const maxProblems = 10_000

// Problems returns what was found so far, in the order it was found.
func (f *Folder) Problems() []Problem { return f.problems }

func (f *Folder) report(path string, severity Severity, format string, args ...any) {
	switch {
	case len(f.problems) < maxProblems:
		f.problems = append(f.problems, Problem{Path: show(path), What: fmt.Sprintf(format, args...), Severity: severity})
	case len(f.problems) == maxProblems:
		f.problems = append(f.problems, Problem{Path: ".", What: "there are more problems, which are not listed", Severity: Error})
	}
}

const maxShown = 200

// show makes text safe to print: what cannot be printed is escaped, and what is
// long is cut.
func show(text string) string {
	if IsPrintable(text) && utf8.RuneCountInString(text) <= maxShown {
		return text
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > maxShown {
			b.WriteString("…")
			break
		}
		if unicode.IsPrint(r) && r != utf8.RuneError {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// IsPrintable reports whether text can be printed as it is.
func IsPrintable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isPlain reports whether name can be one file's in a folder and be printed.
func isPlain(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 240 && IsPrintable(name) && !strings.ContainsAny(name, `/\`)
}

// reason says why something could not be read, without repeating any of it.
func reason(err error) string {
	if e, ok := errors.AsType[formError](err); ok {
		return string(e)
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Sprintf("is damaged: its JSON breaks off at byte %d", e.ByteOffset)
		}
		return fmt.Sprintf("is damaged: it is not JSON in UTF-8 at byte %d", e.ByteOffset)
	}
	path, isPath := errors.AsType[*fs.PathError](err)
	switch {
	case errors.Is(err, errTooBig):
		return err.Error()
	case errors.Is(err, errNotRegular):
		return "is not a regular file"
	case errors.Is(err, fs.ErrNotExist):
		return "is not there"
	case errors.Is(err, fs.ErrPermission):
		return "may not be read"
	case isPath && strings.Contains(path.Err.Error(), "escapes"):
		return "is a link that leads out of the folder, which is not followed"
	case isPath:
		return "cannot be read: " + path.Err.Error()
	}
	return "cannot be read: " + err.Error()
}
