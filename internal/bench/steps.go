package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/go-chi/chi/v5"

	"github.com/specterd/specterd/internal/httpapi"
)

const (
	stepBatches  = 500 // for each step
	batchSize    = 100 // requests
	stepsPercent = 400 // GOGC, as in `serve`
)

// step is a server that does more than the server of the previous step.
type step struct {
	name   string
	client *client
	took   []float64 // microseconds per request, by batch
}

// measureSteps measures, in a separate process, the cost of each part of a liveness
// request. The first step responds without HTTP, and the last one is specterd.
func measureSteps(ctx context.Context, b *bench) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "steps") //nolint:gosec // this very program
	cmd.Stdout, cmd.Stderr = b.stdout, os.Stderr
	return cmd.Run()
}

// printSteps is the main function of the process that measureSteps starts. Client
// and server share one thread, so that the duration of a request is the work of
// both, without waiting. The steps alternate in batches of a few milliseconds.
// Other load on the machine can only increase the durations, so the fastest batches
// show the cost.
func printSteps(ctx context.Context, stdout io.Writer) error {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(stepsPercent)
	steps, err := connectSteps(ctx)
	if err != nil {
		return err
	}
	for batch := range stepBatches + 1 {
		for _, s := range steps {
			start := clock()
			for range batchSize {
				if err := s.client.ask(); err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
			}
			if batch > 0 { // the first batch is a warm-up
				s.took = append(s.took, clock().Sub(start).Seconds()*1e6/batchSize)
			}
		}
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "a liveness request, with its client\tµs, best batch\tmore\tof bare\tbest tenth")
	var before float64
	for _, s := range steps {
		slices.Sort(s.took)
		best := s.took[0]
		_, _ = fmt.Fprintf(table, "%s\t%.2f\t%+.2f\t%.2f\t%.2f\n", s.name, best, best-before, slices.Min(steps[1].took)/best, s.took[len(s.took)/10])
		before = best
	}
	_, _ = fmt.Fprintln(table)
	return table.Flush()
}

// connectSteps starts a server for each step. All responses have the same size.
func connectSteps(ctx context.Context) ([]*step, error) {
	log := slog.New(slog.DiscardHandler)
	handler, err := httpapi.New(httpapi.Options{Log: log, Now: clock, Active: true, Loopback: true})
	if err != nil {
		return nil, err
	}
	specterd, err := connect(ctx, func(l net.Listener) error { return httpapi.Serve(ctx, log, l, handler, nil) })
	if err != nil {
		return nil, err
	}
	if err := specterd.ask(); err != nil {
		return nil, err
	}
	size := specterd.received
	tcp, err := connect(ctx, func(l net.Listener) error { return serveTCP(l, size) })
	if err != nil {
		return nil, err
	}
	steps := []*step{{name: "TCP alone", client: tcp}}
	for _, one := range []struct {
		name, guard string
		routed      bool
	}{
		{"net/http, bare", unguarded, false}, {"+ time limits", limited, false}, {"+ headers", guarded, false}, {"+ chi", guarded, true},
	} {
		server, err := newBare(one.guard, map[string]int{livenessPath: size})
		if err != nil {
			return nil, err
		}
		if one.routed {
			mux := chi.NewRouter()
			mux.Method(http.MethodGet, livenessPath, server.Handler)
			server.Handler = mux
		}
		c, err := connect(ctx, server.Serve)
		if err != nil {
			return nil, err
		}
		steps = append(steps, &step{name: one.name, client: c})
	}
	return append(steps, &step{name: "specterd", client: specterd}), nil
}

// connect starts a server in this process, and returns a client with a connection
// to it.
func connect(ctx context.Context, serve func(net.Listener) error) (*client, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { _ = serve(l) }() // the client reports errors
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, requests: [][]byte{request(livenessPath, "")}, buffer: make([]byte, 16<<10)}, nil
}

// serveTCP accepts one connection and answers every read from it with a response of
// the given size.
func serveTCP(l net.Listener, size int) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	body := strings.Repeat("x", size-len(bareHead)-len("100"))
	answer := []byte(strings.Replace(bareHead, "\r\n\r\n", strconv.Itoa(len(body))+"\r\n\r\n", 1) + body)
	for buffer := make([]byte, 4096); ; {
		if _, err := conn.Read(buffer); err != nil {
			return err
		}
		if _, err := conn.Write(answer); err != nil {
			return err
		}
	}
}
