package zmq

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

const (
	// handshakeTime is the time limit for connecting and subscribing.
	handshakeTime = 10 * time.Second
	// maxFrame exceeds the maximum size of a transaction by consensus.
	maxFrame  = 4 << 20
	maxFrames = 8
)

// The parts of ZMTP 3.0 that a subscriber requires (rfc.zeromq.org/spec/23).
const (
	flagMore    = 1
	flagLong    = 2
	flagCommand = 4

	greetingSize  = 64
	greetingStart = "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f"
	version3      = 3
	mechanism     = "NULL" // without authentication
	ready         = "\x05READY"
	subscribe     = "\x01"
)

var (
	errNotZMQ    = errors.New("the peer does not support ZMTP 3")
	errMechanism = errors.New("the publisher requires authentication")
	errFrame     = errors.New("a malformed or oversized message")
)

// conn is a connection to a publisher.
type conn struct {
	net.Conn

	in *bufio.Reader
}

// dial connects to a publisher and subscribes.
func dial(ctx context.Context, from source) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	stream, err := new(net.Dialer).DialContext(ctx, "tcp", from.address)
	if err != nil {
		return nil, err
	}
	c := &conn{stream, bufio.NewReader(stream)}
	done := context.AfterFunc(ctx, c.close)
	err = c.handshake(from.topics)
	if !done() {
		err = fmt.Errorf("no handshake: %w", ctx.Err())
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) close() { _ = c.Close() }

func (c *conn) handshake(topics []string) error {
	greeting := make([]byte, greetingSize)
	copy(greeting, greetingStart)
	greeting[10] = version3
	copy(greeting[12:32], mechanism)
	if _, err := c.Write(greeting); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.in, greeting); err != nil {
		return err
	}
	switch {
	case greeting[0] != greetingStart[0], greeting[9] != greetingStart[9], greeting[10] < version3:
		return errNotZMQ
	case string(bytes.TrimRight(greeting[12:32], "\x00")) != mechanism:
		return errMechanism
	}
	const properties = "\x0bSocket-Type\x00\x00\x00\x03SUB"
	if err := c.writeFrame(flagCommand, ready+properties); err != nil {
		return err
	}
	flags, body, err := c.readFrame()
	if err != nil {
		return err
	}
	if flags&flagCommand == 0 || !bytes.HasPrefix(body, []byte(ready)) {
		return errNotZMQ
	}
	for _, topic := range topics {
		if err := c.writeFrame(0, subscribe+topic); err != nil {
			return err
		}
	}
	return nil
}

// writeFrame writes a frame of at most 255 bytes.
func (c *conn) writeFrame(flags byte, body string) error {
	head := []byte{flags, byte(len(body))} //nolint:gosec // what we send is short
	_, err := c.Write(slices.Concat(head, []byte(body)))
	return err
}

// readMessage reads the frames of a message.
func (c *conn) readMessage() ([][]byte, error) {
	var frames [][]byte
	for len(frames) < maxFrames {
		flags, body, err := c.readFrame()
		switch {
		case err != nil:
			return nil, err
		case flags&flagCommand != 0: // such as PING, which version 3.0 does not have
			continue
		}
		if frames = append(frames, body); flags&flagMore == 0 {
			return frames, nil
		}
	}
	return nil, errFrame
}

func (c *conn) readFrame() (flags byte, body []byte, err error) {
	var head [8]byte
	if flags, err = c.in.ReadByte(); err != nil {
		return 0, nil, err
	}
	length := head[7:]
	if flags&flagLong != 0 {
		length = head[:]
	}
	if _, err := io.ReadFull(c.in, length); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint64(head[:])
	if size > maxFrame || flags&^(flagMore|flagLong|flagCommand) != 0 {
		return 0, nil, errFrame
	}
	body = make([]byte, size)
	_, err = io.ReadFull(c.in, body)
	return flags, body, err
}
