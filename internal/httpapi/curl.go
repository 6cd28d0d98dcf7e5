package httpapi

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/httpapi/route"
)

// curl is a shell command that sends a request with curl. It takes the token from the shell
// variable $TOKEN, and parameters without an example from variables with their names, such
// as $ID.
type curl struct {
	options []string
	target  string
}

func newCurl(to route.Route) curl {
	c := curl{target: to.Path}
	switch {
	case to.Credentials.TakesBearer():
		c.options = append(c.options, `-H "Authorization: Bearer $TOKEN"`)
	case to.Credentials.TakesBasic():
		c.options = append(c.options, "-u admin")
	}
	if to.Method != http.MethodGet && to.Method != http.MethodPost { // curl sends POST if there is a body, and otherwise GET
		c.options = append(c.options, "-X "+to.Method)
	}
	return c
}

// path replaces a parameter of the path with its example or, if it has none, a variable.
func (c *curl) path(p pageField) {
	value := "$" + strings.ToUpper(p.Name)
	if example, ok := p.example.(string); ok {
		value = url.PathEscape(example)
	}
	c.target = strings.ReplaceAll(c.target, "{"+p.Name+"}", value)
}

// body adds a JSON body with the examples of the fields. It omits fields without an example.
func (c *curl) body(fields []pageField) {
	var members []string
	for _, f := range fields {
		if f.example == nil {
			continue
		}
		if value, err := json.Marshal(f.example); err == nil {
			members = append(members, `"`+f.Name+`":`+string(value))
		}
	}
	c.options = append(c.options, "-H 'Content-Type: application/json'", "-d "+quote("{"+strings.Join(members, ",")+"}"))
}

// text adds a body that is read from a file.
func (c *curl) text(mediaType string) {
	c.options = append(c.options, "-H 'Content-Type: "+mediaType+"'", "--data-binary @FILE")
}

func (c curl) line(base string) string {
	target := base + c.target
	if strings.ContainsAny(target, "$[") { // a variable, or an IPv6 address, which some shells take for a pattern
		target = `"` + target + `"`
	}
	return strings.Join(append(append([]string{"curl"}, c.options...), target), " ")
}

// quote returns text as one quoted word for a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// plainHost matches a host, with or without a port, that is safe in a shell.
var plainHost = regexp.MustCompile(`^([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)

// baseURL returns the base URL that the client used, according to the request, with
// 127.0.0.1:25441 instead of a Host that is not safe in a shell. X-Forwarded-Proto is
// accepted from any client, because the result is shown only to that client, and no web
// page can make a browser send the header.
func baseURL(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	if !plainHost.MatchString(host) {
		host = "127.0.0.1:25441"
	}
	return scheme + "://" + host
}
