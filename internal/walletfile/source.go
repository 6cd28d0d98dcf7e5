package walletfile

import (
	"encoding/base64"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// Source is a file in one of the forms in which a request can contain it. The zero value means
// that there is none.
type Source struct {
	data  []byte
	given bool
}

// FromText returns the source of a file that is text.
func FromText(text string) Source { return Source{[]byte(text), true} }

// FromBytes returns the source of a file.
func FromBytes(data []byte) Source { return Source{data, true} }

// FromBase64 returns the source of a file in base64, with or without padding, in the standard
// or the URL alphabet. It returns a fault about the field "file_base64".
func FromBase64(text string) (Source, error) {
	text = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "").Replace(strings.TrimSpace(text))
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return Source{}, fault.InvalidField("file_base64", "must be base64") // without the cause, which could quote the text
	}
	return FromBytes(data), nil
}

// IsZero reports whether there is no file.
func (s Source) IsZero() bool { return !s.given }

// Read reads the file; see Read.
func (s Source) Read(o Options) (File, error) { return Read(s.data, o) }
