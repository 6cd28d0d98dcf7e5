package rpcclient

import (
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// Config has the address and the credentials of a node. Its printed form contains no
// secrets.
type Config struct {
	// URL is http://host:port or https://host:port. It may carry user:pass,
	// percent-encoded, which User and Password override.
	URL string
	// User and Password are rpcuser and rpcpassword, or a user of rpcauth. They
	// take precedence over the cookie.
	User, Password string
	// CookieFile is the node's .cookie file, which is read on first use, and again
	// when it has changed.
	CookieFile string
	// Timeout is the time limit of a call; zero means DefaultTimeout.
	Timeout time.Duration
	// MaxInFlight is the maximum number of concurrent HTTP requests; zero means
	// DefaultMaxInFlight.
	MaxInFlight int
}

// String returns the node's address and the path of the cookie file, if any, without
// secrets.
func (c Config) String() string {
	host := "unreadable"
	if u, err := url.Parse(c.URL); err == nil {
		host = u.Scheme + "://" + u.Host
	}
	if c.CookieFile != "" {
		return host + " with the cookie " + c.CookieFile
	}
	return host
}

// GoString returns c.String(), so that %#v prints no secrets either.
func (c Config) GoString() string { return c.String() }

// LogValue returns c.String(), so that logs contain no secrets.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// parse validates the configuration. It returns the address without user and
// password, and the login from User and Password or else from the URL.
func (c Config) parse() (url.URL, login, error) {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return url.URL{}, login{}, invalid("the node's URL must have the format http://host:port") // err would repeat the password
	}
	as := login{user: c.User, password: c.Password}
	if as.empty() && u.User != nil {
		as.user = u.User.Username()
		as.password, _ = u.User.Password()
	}
	switch {
	case strings.Contains(as.user, ":"):
		return url.URL{}, login{}, invalid("the node's RPC user must not contain a colon")
	case c.Timeout < 0, c.MaxInFlight < 0:
		return url.URL{}, login{}, invalid("the node's time limit and number of calls at a time must not be negative")
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host}, as, nil
}

func invalid(message string) *fault.Error {
	return fault.New(fault.Invalid, "node_config_invalid", "%s", message)
}
