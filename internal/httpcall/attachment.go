package httpcall

import (
	"mime"
	"net/http"
	"strings"
	"unicode"
)

// Attachment returns the header Content-Disposition (RFC 6266), which makes browsers save
// a response under name. If name is not ASCII, the header also has an ASCII name, for
// clients that do not implement RFC 8187.
func Attachment(name string) http.Header {
	value := mime.FormatMediaType("attachment", map[string]string{"filename": name})
	ascii := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return '_'
		}
		return r
	}, name)
	if ascii != name {
		value = mime.FormatMediaType("attachment", map[string]string{"filename": ascii}) + strings.TrimPrefix(value, "attachment")
	}
	return http.Header{"Content-Disposition": {value}}
}
