package route

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
)

// Media types of HTML forms. curl uses the second one for --data-binary unless the command
// sets another, so that its body need not be a form.
const (
	// FormData is the type of an upload of files.
	FormData = "multipart/form-data"
	// FormURLEncoded is the type of other forms.
	FormURLEncoded = "application/x-www-form-urlencoded"
)

// contentOf returns the content that a client has sent as a form: the file of a multipart
// form, the value of the field of a URL-encoded form with that field only, or the body itself
// if it is not such a form.
func contentOf(r *http.Request, body []byte, field string) ([]byte, error) {
	mediaType, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // isOf has checked it
	switch mediaType {
	case FormData:
		return fileOf(body, params["boundary"])
	case FormURLEncoded:
		// Base64 contains +, which is not a space even if the client has not escaped it.
		value, isForm := bytes.CutPrefix(body, []byte(field+"="))
		if text, err := url.PathUnescape(string(value)); isForm && err == nil {
			return []byte(text), nil
		}
	}
	return body, nil
}

// fileOf returns the only content of a multipart form. It ignores empty fields, which browsers
// send for file inputs without a file.
func fileOf(body []byte, boundary string) ([]byte, error) {
	if boundary == "" {
		return nil, errMediaType("must have a boundary in the header Content-Type: multipart/form-data; HTTP clients set it if you do not set the header")
	}
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	var content []byte
	for n := 0; ; n++ {
		part, err := form.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return content, nil
		case err != nil:
			return nil, errForm("is not a complete multipart form with a file").WithCause(err)
		}
		data, err := io.ReadAll(part)
		switch {
		case err != nil:
			return nil, errForm("is not a complete multipart form with a file").WithCause(err)
		case len(data) > 0 && len(content) > 0:
			return nil, errForm("must have one file; send several one after the other")
		case len(data) > 0:
			content = data
		}
	}
}
