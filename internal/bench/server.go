package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/testenv/childprocess"
)

// server is a child process that listens on loopback.
type server struct {
	address string
	log     string // file for stderr
	process *childprocess.Process
	group   int // id of its process group
}

const startTimeout = 30 * time.Second

// start starts a server program. The first line that it prints must contain its
// URL, beginning with http://.
func start(ctx context.Context, cmd *exec.Cmd, logFile string) (*server, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // in our temporary folder
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s := &server{log: logFile}
	if s.process, err = childprocess.Start(cmd, "KILL"); err != nil {
		return nil, err
	}
	s.group = cmd.Process.Pid
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { s.process.Signal("KILL") })()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("a server did not start: %w\n%s", err, s.lastWords())
	}
	_, s.address, _ = strings.Cut(strings.TrimSpace(line), "http://")
	return s, nil
}

// lastWords returns the end of the server's log.
func (s *server) lastWords() []byte {
	text, _ := os.ReadFile(s.log)
	return text[max(0, len(text)-4096):]
}

func (s *server) stop() {
	s.process.Signal("TERM")
	<-s.process.Done()
}

// buildSpecterd builds specterd as `make build` does.
func buildSpecterd(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "specterd")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "github.com/specterd/specterd/cmd/specterd") //nolint:gosec // our own source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build specterd: %w\n%s", err, output)
	}
	return binary, nil
}

// startSpecterd starts specterd on a data directory. The process inherits no
// environment variables, so that it does not use the settings and the node of the
// current user.
func startSpecterd(ctx context.Context, binary, folder, key string, more ...string) (*server, error) {
	cmd := exec.CommandContext(ctx, binary, "serve", "--port=0", "--data-folder="+folder) //nolint:gosec // built just now
	cmd.Env = append([]string{"HOME=" + folder, "SPECTER_API_ACTIVE=true", "SECRET_KEY=" + key}, more...)
	return start(ctx, cmd, filepath.Join(folder, "log"))
}

// startBare starts a bare server. Sizes has the total size of the response by path.
func startBare(ctx context.Context, dir string, sizes map[string]int, guard string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bare", guard) //nolint:gosec // this very program
	for path, size := range sizes {
		cmd.Args = append(cmd.Args, path+"="+strconv.Itoa(size))
	}
	return start(ctx, cmd, filepath.Join(dir, "bare-"+guard+".log"))
}

// The features of specterd that a bare server also has, to show their cost in
// net/http.
const (
	unguarded = "unguarded" // none
	limited   = "limited"   // the time limits
	guarded   = "guarded"   // the time limits and the headers
)

// The headers of the responses, without the digits of Content-Length.
const (
	bareHead    = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: \r\n\r\n"
	guardedHead = "X-Request-Id: 0123456789abcdef\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n" + bareHead
)

// newBare returns a bare server. Sizes has the total size of the response by path.
func newBare(guard string, sizes map[string]int) (*http.Server, error) {
	head, headers, server := bareHead, http.Header{"Content-Type": {"application/json"}}, &http.Server{} //nolint:gosec // bare
	if guard == guarded {
		head = guardedHead
		headers["X-Request-Id"] = []string{"0123456789abcdef"}
		headers["X-Content-Type-Options"] = []string{"nosniff"}
		headers["Cache-Control"] = []string{"no-store"}
	}
	if guard != unguarded {
		server.ReadTimeout, server.WriteTimeout, server.IdleTimeout = 5*time.Second, time.Minute, 2*time.Minute
	}
	bodies := map[string][]byte{}
	for path, size := range sizes {
		n := size - len(head)
		if n < 1 {
			return nil, fmt.Errorf("no response is %d bytes large", size)
		}
		for n+len(strconv.Itoa(n)) > size-len(head) {
			n--
		}
		bodies[path] = []byte(strings.Repeat("x", n))
	}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, values := range headers {
			h[name] = values
		}
		_, _ = w.Write(bodies[r.URL.Path])
	})
	return server, nil
}

// serveBare is the main function of the bare server's process. Its arguments are
// the guard, and paths with the total size of the response, such as
// "/some/path=500".
func serveBare(ctx context.Context, args []string, stdout io.Writer) error {
	sizes := map[string]int{}
	for _, arg := range args[1:] {
		path, text, _ := strings.Cut(arg, "=")
		size, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no size: %w", text, err)
		}
		sizes[path] = size
	}
	server, err := newBare(args[0], sizes)
	if err != nil {
		return err
	}
	return serve(ctx, server, stdout)
}

// serve prints the server's URL and serves on a free port until ctx ends.
func serve(ctx context.Context, server *http.Server, stdout io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	err = server.Serve(listener)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
