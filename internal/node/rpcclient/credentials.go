package rpcclient

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

const maxCookie = 4 << 10

// login is a user and a password; the zero value means no login.
type login struct{ user, password string }

func (l login) empty() bool { return l == login{} }

// credentials are a fixed login, or the login in the cookie file, which the node
// rewrites at each start.
type credentials struct {
	file string // empty if the login is fixed

	mu      sync.Mutex
	login   login // fixed, or as last read from the file
	read    bool  // whether the file was read
	modTime time.Time
	size    int64
}

// current returns the login, and reads the file if it has changed. It returns
// ErrUnavailable or ErrUnauthorized if the file cannot be used.
func (c *credentials) current() (login, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == "" {
		return c.login, nil
	}
	info, err := os.Stat(c.file)
	if err != nil {
		return login{}, cookieFault(err)
	}
	if c.read && info.ModTime().Equal(c.modTime) && info.Size() == c.size {
		return c.login, nil
	}
	if err := c.load(); err != nil {
		return login{}, cookieFault(err)
	}
	c.modTime, c.size = info.ModTime(), info.Size()
	return c.login, nil
}

// reread reads the file again regardless of its modification time, because the node
// rejected a login. It returns the current login, and whether it differs from the
// rejected one.
func (c *credentials) reread(refused login) (login, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == "" || c.load() != nil {
		return login{}, false
	}
	return c.login, c.login != refused
}

// load reads the file; mu must be held.
func (c *credentials) load() error {
	f, err := os.Open(c.file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxCookie))
	if err != nil {
		return err
	}
	user, password, ok := strings.Cut(strings.TrimRight(string(text), "\r\n"), ":")
	if !ok {
		return errors.New("the cookie file is not user:password")
	}
	c.login, c.read = login{user: user, password: password}, true
	return nil
}

func cookieFault(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return unavailable(noCookieMessage, err)
	}
	return ErrUnauthorized.WithCause(err)
}
