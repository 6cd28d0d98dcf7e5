package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	livenessPath = "/api/healthz/liveness"
	bearerPath   = "/api/v1/tokens/self" //nolint:gosec // a path and no credential

	fewConnections = 8    // of few clients
	bearerGoal     = 0.65 // minimum ratio to the bare server

	warmUp = 1500 * time.Millisecond // exceeds the delay until uses of tokens are stored
)

// The populations of the databases that are compared.
var (
	fewTokens      = population{users: tokensInUse, tokens: tokensInUse}
	importedTokens = population{users: tokensInUse, tokens: tokensInUse, imported: true}
	manyTokens     = population{users: 1_099, tokens: 100_000}
)

// target is a server and the requests that are sent to it.
type target struct {
	*server
	requests [][]byte
}

// comparison is a comparison of two servers: subject is measured against base.
type comparison struct {
	name, against string
	base, subject target
	least, most   float64 // limits of the ratio of subject to base; 0 means no limit
	// byProcessor is set to judge the ratio of the CPU times instead, which is less
	// affected by other load on the machine. This is for values that should be
	// equal, so that both limits matter.
	byProcessor bool
	connections int // 0 for those of the options
}

// measureRequests compares how many requests per second specterd and a bare server
// answer.
func measureRequests(ctx context.Context, b *bench) error {
	few, stop, err := prepare(ctx, b.binary, filepath.Join(b.dir, "few"), fewTokens)
	if err != nil {
		return err
	}
	defer stop()
	many, stop, err := prepare(ctx, b.binary, filepath.Join(b.dir, "many"), manyTokens)
	if err != nil {
		return err
	}
	defer stop()
	imported, stop, err := prepare(ctx, b.binary, filepath.Join(b.dir, "imported"), importedTokens)
	if err != nil {
		return err
	}
	defer stop()
	alive := target{few.server, [][]byte{request(livenessPath, "")}}
	sizes := map[string]int{}
	if sizes[livenessPath], err = alive.responseSize(ctx, b.options); err != nil {
		return err
	}
	if sizes[bearerPath], err = few.responseSize(ctx, b.options); err != nil {
		return err
	}
	bare, err := startBare(ctx, b.dir, sizes, unguarded)
	if err != nil {
		return err
	}
	defer bare.stop()
	shielded, err := startBare(ctx, b.dir, sizes, guarded)
	if err != nil {
		return err
	}
	defer shielded.stop()
	return compare(ctx, b.options, b.stdout, []comparison{
		{nameLiveness, "bare", target{bare, alive.requests}, alive, 0.9, 0, false, 0},
		{nameLiveness, guarded, target{shielded, alive.requests}, alive, 0, 0, false, 0},
		{nameLimit, "bare", target{bare, alive.requests}, target{shielded, alive.requests}, 0, 0, false, 0},
		{nameBearer, "bare", target{bare, few.requests}, few, bearerGoal, 0, false, 0},
		{nameBearerFew, "bare", target{bare, few.requests}, few, bearerGoal, 0, false, fewConnections},
		{nameImportedTokens, "own tokens", few, imported, 0.9, 1.1, true, 0},
		{nameManyTokens, "100 tokens", few, many, 0.9, 1.1, true, 0},
	})
}

// compare runs the requested comparisons and prints the table.
func compare(ctx context.Context, o options, out *results, comparisons []comparison) error {
	table := newTable(out)
	for _, c := range comparisons {
		if !o.only.MatchString(c.name) {
			continue
		}
		r, err := c.run(ctx, o)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", c.name, err), table.Flush())
		}
		table.add(c, r)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "guarded is the bare server with specterd's headers and time limits; %s is that one beside the bare one.\n\n", nameLimit)
	return err
}

// prepare starts a specterd with the given population.
func prepare(ctx context.Context, binary, folder string, c population) (target, func(), error) {
	key := newKey()
	secrets, err := seed(ctx, folder, key, c)
	if err != nil {
		return target{}, nil, err
	}
	s, err := startSpecterd(ctx, binary, folder, key)
	if err != nil {
		return target{}, nil, err
	}
	return bearers(s, secrets), s.stop, nil
}

// bearers returns a target whose requests use each of the tokens in turn.
func bearers(s *server, secrets []string) target {
	t := target{server: s}
	for _, secret := range secrets {
		t.requests = append(t.requests, request(bearerPath, secret))
	}
	return t
}

// request returns a GET request. It does not contain the port, so that it has the
// same size for every server.
func request(path, token string) []byte {
	text := "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: specterd-bench\r\nAccept: */*\r\n"
	if token != "" {
		text += "Authorization: Bearer " + token + "\r\n"
	}
	return []byte(text + "\r\n")
}

// responseSize returns the mean size of a response including headers, measured
// after the first use of every token has been stored.
func (t target) responseSize(ctx context.Context, o options) (int, error) {
	if _, err := t.round(ctx, o.connections, warmUp); err != nil {
		return 0, err
	}
	r, err := t.round(ctx, o.connections, warmUp/5)
	return r.size(), err
}

// round is the result of one round, or the medians of many.
type round struct {
	load
	processor time.Duration // per request
}

func (r round) size() int { return (r.Bytes + r.Requests/2) / r.Requests }

func (t target) round(ctx context.Context, connections int, duration time.Duration) (round, error) {
	before := t.processorTime()
	l, err := job{Address: t.address, Requests: t.requests, Connections: connections, Duration: duration}.run(ctx)
	if err != nil {
		select {
		case <-t.process.Done():
			err = fmt.Errorf("%w; the server ended (%s): %s", err, fmt.Sprint(t.process.Err()), t.lastWords())
		default:
		}
		return round{}, err
	}
	r := round{load: l, processor: (t.processorTime() - before) / time.Duration(l.Requests)}
	return r, os.Truncate(t.log, 0) // the log would grow to gigabytes
}

// result is the result of a comparison: the rounds of both sides in the order in
// which they ran.
type result struct{ base, subject []round }

// run alternates the sides: A B, B A, A B, and so on. The first round is a warm-up.
func (c comparison) run(ctx context.Context, o options) (result, error) {
	var r result
	for i := range o.rounds + 1 {
		sides := []struct {
			target
			rounds *[]round
		}{{c.base, &r.base}, {c.subject, &r.subject}}
		if i%2 == 1 {
			slices.Reverse(sides)
		}
		for _, side := range sides {
			duration := o.roundTime
			if i == 0 {
				duration = min(warmUp, o.roundTime)
			}
			one, err := side.round(ctx, cmp.Or(c.connections, o.connections), duration)
			if err != nil {
				return r, err
			}
			if i > 0 {
				*side.rounds = append(*side.rounds, one)
			}
		}
	}
	const tolerance = 50 // the sizes of the responses may differ by 2 %
	a, b := r.base[0].size(), r.subject[0].size()
	if max(a, b)-min(a, b) > a/tolerance {
		return r, fmt.Errorf("the responses differ in size: %d and %d bytes", a, b)
	}
	return r, nil
}

// ratios returns the ratios of adjacent rounds in ascending order.
func (r result) ratios(of func(round) float64) []float64 {
	ratios := make([]float64, len(r.base))
	for i := range ratios {
		ratios[i] = of(r.subject[i]) / of(r.base[i])
	}
	slices.Sort(ratios)
	return ratios
}

// ordered returns the values of f in ascending order.
func ordered[T any](all []T, f func(T) float64) []float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = f(one)
	}
	slices.Sort(values)
	return values
}

func median(ordered []float64) float64 { return ordered[len(ordered)/2] }
