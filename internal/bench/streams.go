package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	streams       = 1_000
	streamUsers   = 20 // a user may open 100
	streamChanges = 30
	streamGoal    = 500 * time.Millisecond
	streamMemory  = 32_000 // bytes per stream
	// besideStreams is the maximum ratio of the duration of a change beside the streams to
	// its duration without any.
	besideStreams = 3.0
)

// measureStreams measures the time from a change until all open event streams have its
// event, what streams add to the duration of the change, and their memory use.
func measureStreams(ctx context.Context, b *bench) error {
	s, tokens, up, err := b.serveMembers(ctx, walletSizes[0], streamUsers)
	if err != nil {
		return err
	}
	defer up.stop()
	c := &changer{reader: newReader(up, s), arrived: make(chan struct{}, streams)}
	if err := c.rename(ctx); err != nil { // a warm-up
		return err
	}
	if err := up.calm(ctx); err != nil {
		return err
	}
	alone, err := c.repeat(ctx, 0)
	if err != nil {
		return err
	}
	pause(ctx, untilGivenBack)
	before, _ := up.memory()
	closeAll, err := c.openStreams(ctx, tokens)
	if err != nil {
		return err
	}
	defer closeAll()
	beside, err := c.repeat(ctx, streams)
	if err != nil {
		return err
	}
	pause(ctx, untilGivenBack)
	after, _ := up.memory()
	each := (after - before) / streams
	call := compared(figure{name: nameStreams, what: fmt.Sprintf("a change beside %d event streams", streams)}, side{took: alone.answered}, side{took: beside.answered}, besideStreams)
	call.processor, call.against = "", "without streams: "+duration(middle(alone.answered))
	return printFigures(b.stdout, []figure{
		within(figure{name: nameStreams, what: fmt.Sprintf("until %d event streams have a change; %d changes", streams, streamChanges)}, beside.arrived, streamGoal),
		call,
		{
			name: nameStreams, what: "memory for each idle stream", value: fmt.Sprintf("%.1f kB", float64(each)/1e3),
			goal: fmt.Sprintf("≤ %d kB", streamMemory/1000), good: each <= streamMemory,
		},
	})
}

// changer makes changes of a wallet, and waits for their events.
type changer struct {
	*reader
	changes int
	arrived chan struct{} // receives an item when a stream has the event of a change
}

// changesTook are the durations of changes until they were answered, and until their events
// had arrived.
type changesTook struct{ answered, arrived []time.Duration }

// repeat makes changes, each of which must arrive at a number of streams.
func (c *changer) repeat(ctx context.Context, at int) (took changesTook, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for range streamChanges {
		start := clock()
		if err := c.rename(ctx); err != nil {
			return took, err
		}
		took.answered = append(took.answered, clock().Sub(start))
		for range at {
			select {
			case <-c.arrived:
			case <-ctx.Done():
				return took, fmt.Errorf("wait for the event of a change: %w", ctx.Err())
			}
		}
		took.arrived = append(took.arrived, clock().Sub(start))
	}
	return took, nil
}

// rename gives the wallet another name.
func (c *changer) rename(ctx context.Context) error {
	c.changes++
	_, err := c.do(ctx, http.MethodPatch, walletPath, fmt.Sprintf(`{"name": "renamed %d"}`, c.changes), http.StatusOK)
	return err
}

// openStreams opens the event streams and returns when all have begun.
func (c *changer) openStreams(ctx context.Context, tokens []string) (closeAll func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	transport := &http.Transport{DisableCompression: true}
	var running sync.WaitGroup
	closeAll = func() {
		cancel()
		running.Wait()
		transport.CloseIdleConnections()
	}
	for i := range streams {
		r := &reader{seeded: seeded{token: tokens[i%len(tokens)]}, server: c.server, http: &http.Client{Transport: transport}}
		body, err := r.open(ctx, "/api/v1/events?after=latest", "text/event-stream")
		if err != nil {
			closeAll()
			return nil, err
		}
		running.Go(func() {
			defer func() { _ = body.Close() }()
			for lines := bufio.NewScanner(body); lines.Scan(); {
				if lines.Text() == "event: wallet.renamed" {
					c.arrived <- struct{}{}
				}
			}
		})
	}
	return closeAll, nil
}
