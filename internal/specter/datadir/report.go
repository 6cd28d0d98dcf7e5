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

// Severity is the severity of a Problem.
type Severity string

// The severities.
const (
	// Note means that something was skipped on purpose without loss.
	Note Severity = "note"
	// Warning means that something was read with restrictions.
	Warning Severity = "warning"
	// Error means that something could not be read.
	Error Severity = "error"
)

// Problem is a problem with the content of the directory. Its texts are safe to print and
// contain no secrets.
type Problem struct {
	Path     string // relative to the directory
	What     string
	Severity Severity
}

func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.Severity, p.Path, p.What) }

// maxProblems is the maximum number of reported problems. If there are more, one further
// problem says so.
const maxProblems = 10_000

// Problems returns the problems found so far, in the order in which they were found.
func (f *Folder) Problems() []Problem { return f.problems }

func (f *Folder) report(path string, severity Severity, format string, args ...any) {
	switch {
	case len(f.problems) < maxProblems:
		f.problems = append(f.problems, Problem{Path: show(path), What: fmt.Sprintf(format, args...), Severity: severity})
	case len(f.problems) == maxProblems:
		f.problems = append(f.problems, Problem{Path: ".", What: "has more problems, which are not listed", Severity: Error})
	}
}

const maxShown = 200

// show makes text safe to print: it escapes unprintable characters and truncates long
// text.
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

// IsPrintable reports whether text can be printed unchanged.
func IsPrintable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isPlain reports whether name is printable, at most 240 bytes long, and the name of a
// file without a path.
func isPlain(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 240 && IsPrintable(name) && !strings.ContainsAny(name, `/\`)
}

// reason returns why something could not be read, without quoting its content.
func reason(err error) string {
	if e, ok := errors.AsType[formError](err); ok {
		return string(e)
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Sprintf("is damaged: its JSON ends unexpectedly at byte %d", e.ByteOffset)
		}
		return fmt.Sprintf("is damaged: it is not valid JSON in UTF-8 at byte %d", e.ByteOffset)
	}
	path, isPath := errors.AsType[*fs.PathError](err)
	switch {
	case errors.Is(err, errTooBig):
		return err.Error()
	case errors.Is(err, errNotRegular):
		return "is not a regular file"
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "cannot be read: permission denied"
	case isPath && strings.Contains(path.Err.Error(), "escapes"):
		return "is a link that leads out of the directory, which is not followed"
	case isPath:
		return "cannot be read: " + path.Err.Error()
	}
	return "cannot be read: " + err.Error()
}
