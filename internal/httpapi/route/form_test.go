package route

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/fault"
)

// multipartType declares a form whose parts are separated by --x.
const multipartType = FormData + "; boundary=x"

func formOf(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("--x\r\nContent-Disposition: form-data; name=\"psbt\"; filename=\"a.psbt\"\r\n\r\n" + part + "\r\n")
	}
	return b.String() + "--x--\r\n"
}

func TestText_Read(t *testing.T) {
	text := &Text{Types: []string{"text/plain", FormURLEncoded, FormData}, FormField: "psbt"}
	for name, c := range map[string]struct {
		contentType, body string
		want              string
		code              string // of an error
	}{
		"text":                      {"text/plain", "psbt=a%2Bb", "psbt=a%2Bb", ""},
		"byte order mark":           {"text/plain", "\ufeffabc", "abc", ""},
		"default of curl":           {FormURLEncoded, "psbt\xff\x01%+", "psbt\xff\x01%+", ""},
		"field":                     {FormURLEncoded, "psbt=a%2Bb%3D%0A", "a+b=\n", ""},
		"field, not escaped":        {FormURLEncoded, "psbt=a+b/c==", "a+b/c==", ""},
		"field, wrong escape":       {FormURLEncoded, "psbt=%zz", "psbt=%zz", ""},
		"other field":               {FormURLEncoded, "file=abc", "file=abc", ""},
		"file":                      {multipartType, formOf("psbt\xff\r\n\x00"), "psbt\xff\r\n\x00", ""},
		"file and an empty one":     {multipartType, formOf("", "abc", ""), "abc", ""},
		"no file":                   {multipartType, formOf(), "", "invalid_form"},
		"file, byte order mark":     {multipartType, formOf("\ufeffabc"), "abc", ""},
		"two files":                 {multipartType, formOf("abc", "def"), "", "invalid_form"},
		"no end":                    {multipartType, strings.TrimSuffix(formOf("abc"), "--x--\r\n"), "", "invalid_form"},
		"not a form":                {multipartType, "abc", "", "invalid_form"},
		"no boundary":               {FormData, formOf("abc"), "", "unsupported_media_type"},
		"type that is not accepted": {"text/html", "abc", "", "unsupported_media_type"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.contentType)
			got, err := text.read(httptest.NewRecorder(), r)
			f, _ := err.(*fault.Error) //nolint:errorlint // it is not wrapped
			switch {
			case c.code == "" && err != nil, c.code == "" && string(got) != c.want:
				t.Errorf("got %q: %v", got, err)
			case c.code != "" && (f == nil || f.Code != c.code):
				t.Errorf("got %q: %v, want %s", got, err, c.code)
			}
		})
	}
}
