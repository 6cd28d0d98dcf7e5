package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// job is the work of one run of the load generator.
type job struct {
	Address     string
	Requests    [][]byte // each connection sends them in turn
	Connections int
	Duration    time.Duration
}

// load is the result of a job in which every response had status 200.
type load struct {
	Requests, Bytes int
	Elapsed         time.Duration
	P50, P99        time.Duration
}

func (l load) perSecond() float64 { return float64(l.Requests) / l.Elapsed.Seconds() }

// run executes the job in a separate process.
func (j job) run(ctx context.Context) (load, error) {
	var result load
	input, err := json.Marshal(j)
	if err != nil {
		return result, err
	}
	self, err := os.Executable()
	if err != nil {
		return result, err
	}
	cmd := exec.CommandContext(ctx, self, "load") //nolint:gosec // this very program
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return result, fmt.Errorf("generate load: %w", err)
	}
	return result, json.Unmarshal(output, &result)
}

// generateLoad is the main function of the load generator's process: it reads a job
// from stdin and writes the result to stdout. It uses one thread, which is
// sufficient and leaves more processor time to the server.
func generateLoad(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	runtime.GOMAXPROCS(1)
	var j job
	if err := json.NewDecoder(stdin).Decode(&j); err != nil {
		return err
	}
	clients := make([]*client, j.Connections)
	for i := range clients {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", j.Address)
		if err != nil {
			return err
		}
		clients[i] = &client{conn: conn, requests: j.Requests, next: i, buffer: make([]byte, 16<<10)}
	}
	start := clock()
	end := start.Add(j.Duration)
	errs := make([]error, len(clients))
	var running sync.WaitGroup
	for i, c := range clients {
		running.Go(func() { errs[i] = c.run(end) })
	}
	running.Wait()
	result := load{Elapsed: clock().Sub(start)}
	var took []time.Duration
	for _, c := range clients {
		took = append(took, c.took...)
		result.Bytes += c.received
	}
	for _, err := range errs {
		if err != nil {
			return err // one error is sufficient to report
		}
	}
	slices.Sort(took)
	result.Requests = len(took)
	result.P50, result.P99 = took[len(took)/2], took[len(took)*99/100]
	return json.NewEncoder(stdout).Encode(result)
}

// client is a connection that sends one request at a time.
type client struct {
	conn     net.Conn
	requests [][]byte
	next     int
	buffer   []byte
	received int // bytes
	took     []time.Duration
}

// grace is how long after the end of the job the last response may arrive.
const grace = 10 * time.Second

func (c *client) run(end time.Time) error {
	defer func() { _ = c.conn.Close() }()
	if err := c.conn.SetDeadline(end.Add(grace)); err != nil {
		return err
	}
	for sent := clock(); sent.Before(end); {
		if err := c.ask(); err != nil {
			return err
		}
		now := clock()
		c.took = append(c.took, now.Sub(sent))
		sent = now
	}
	return nil
}

// ask sends the next request and reads its response.
func (c *client) ask() error {
	if _, err := c.conn.Write(c.requests[c.next%len(c.requests)]); err != nil {
		return err
	}
	c.next++
	return c.readResponse()
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("\r\nContent-Length: ")
	headEnd       = []byte("\r\n\r\n")
)

// readResponse reads exactly one response. It must have status 200 and a
// Content-Length, and fit into the buffer.
func (c *client) readResponse() error {
	have, want := 0, 0
	for want == 0 || have < want {
		n, err := c.conn.Read(c.buffer[have:])
		if err != nil {
			return fmt.Errorf("read a response, %d bytes so far: %w", have, err)
		}
		have += n
		if want > 0 {
			continue
		}
		if want, err = responseSize(c.buffer[:have]); err != nil {
			return err
		}
	}
	if have != want {
		return fmt.Errorf("a response of %d bytes was followed by %d more", want, have-want)
	}
	c.received += have
	return nil
}

// responseSize returns the size of a response, given its beginning, or 0 if the
// header is incomplete.
func responseSize(begin []byte) (int, error) {
	head, _, complete := bytes.Cut(begin, headEnd)
	if !complete {
		return 0, nil
	}
	_, after, known := bytes.Cut(head, contentLength)
	if !known || !bytes.HasPrefix(head, statusOK) {
		return 0, fmt.Errorf("unexpected response: %q", begin)
	}
	digits, _, _ := bytes.Cut(after, headEnd[:2])
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0, fmt.Errorf("unexpected response: %q", begin)
	}
	return len(head) + len(headEnd) + n, nil
}
