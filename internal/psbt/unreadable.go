package psbt

import (
	"bytes"
	"regexp"

	"github.com/specterd/specterd/internal/qrcodec"
)

// unreadable returns the error for data that is neither a PSBT nor a transaction. It names
// what the data is, without repeating any of it.
func unreadable(content qrcodec.Content) error {
	text := bytes.ToLower(bytes.TrimSpace(content.Data))
	switch {
	case bytes.HasPrefix(text, []byte("chnidp")): // magic in base64
		return malformed("its base64 is incomplete or damaged")
	case bytes.HasPrefix(text, []byte("70736274ff")): // magic in hexadecimal
		return malformed("its hexadecimal is incomplete or damaged")
	}
	return ErrUnreadable.WithMessage("this is neither a PSBT nor a signed transaction, but %s; send the signed PSBT as a file, in base64 or hexadecimal, or the texts of its QR codes, one in each line", nameOf(content, text))
}

// nameOf names the content of data; text is its beginning in lower case.
func nameOf(content qrcodec.Content, text []byte) string {
	switch content.Kind {
	case qrcodec.Outputs:
		return "a QR code with output descriptors or keys"
	case qrcodec.JSON:
		return "JSON"
	}
	if len(text) == 0 {
		return "nothing"
	}
	for _, file := range knownFiles {
		if bytes.HasPrefix(content.Data, []byte(file.magic)) {
			return file.name
		}
	}
	for _, known := range knownTexts {
		if content.Kind == qrcodec.Text && known.pattern.Match(text) {
			return known.name
		}
	}
	if content.Kind == qrcodec.Text {
		return "other text"
	}
	return "other binary data, or a damaged file (curl requires --data-binary instead of --data)"
}

// knownFiles are beginnings of files that users upload by mistake.
var knownFiles = []struct{ magic, name string }{
	{"\x89PNG", "a PNG image"},
	{"\xff\xd8\xff", "a JPEG image"},
	{"GIF8", "a GIF image"},
	{"%PDF-", "a PDF document"},
	{"PK\x03\x04", "a ZIP archive"},
	{"\x1f\x8b", "a file compressed by gzip"},
	{"SQLite format 3\x00", "an SQLite database"},
}

// knownTexts are texts that users upload by mistake, in lower case.
var knownTexts = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`^bitcoin:`), "a payment URI"},
	{regexp.MustCompile(`^https?://`), "a URL"},
	{regexp.MustCompile(`^(\[[0-9a-fh'/]*\])?[xyztuv]pub[1-9a-z]+$`), "an extended public key"},
	{regexp.MustCompile(`^(pkh|wpkh|tr|sh|wsh)\(`), "an output descriptor"},
	{regexp.MustCompile(`^(bc|tb|bcrt)1[0-9a-z]+$`), "an address"},
	{regexp.MustCompile(`^-----begin `), "a file in PEM format"},
	{regexp.MustCompile(`^<`), "HTML or XML"},
	{regexp.MustCompile(`^[0-9a-f\s]+$`), "hexadecimal that is incomplete, or contains something else"},
	{regexp.MustCompile(`^[0-9a-z+/=_\s-]{16,}$`), "base64 that is incomplete, or contains something else"},
}
