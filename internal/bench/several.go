package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/specterd/specterd/internal/testenv/pgserver"
)

const (
	severalGoal = 1.7
	// held is the fraction of a processor that each process gets in the second
	// comparison, which is for machines with too few processors to run several
	// processes at full speed.
	held = 0.2
)

// measureSeveral compares one process with two on one PostgreSQL database. Two are
// faster only if processors are idle, so it repeats the comparison with each
// process limited to a fraction of a processor.
func measureSeveral(ctx context.Context, b *bench) error {
	processes, err := startSeveral(ctx, b)
	if err != nil {
		return err
	}
	for _, p := range processes {
		defer p.stop()
	}
	free, err := b.severalTurns(ctx, processes)
	if err != nil {
		return err
	}
	f := free.figure("as they are")
	f.goal, f.good = fmt.Sprintf("≥ %.1f where processors are free", severalGoal), free.ratio() >= severalGoal || free.busy[0] > float64(runtime.NumCPU())/severalGoal
	figures := []figure{f}
	release, err := hold(processes)
	if err != nil {
		f := figure{name: nameSeveral, what: "held to a part of a processor each", value: "not measured: " + err.Error()}
		return printFigures(b.stdout, append(figures, f))
	}
	slow, err := b.severalTurns(ctx, processes)
	if err = errors.Join(err, release()); err != nil {
		return err
	}
	f = slow.figure(fmt.Sprintf("held to %.0f %% of a processor each", held*100))
	f.goal, f.good = fmt.Sprintf("≥ %.1f", severalGoal), slow.ratio() >= severalGoal
	return printFigures(b.stdout, append(figures, f))
}

// startSeveral starts two processes on one PostgreSQL database.
func startSeveral(ctx context.Context, b *bench) ([]target, error) {
	postgres, err := pgserver.Start(ctx)
	if err != nil {
		return nil, err
	}
	url, err := postgres.Create(ctx, "bench", pgserver.Empty)
	if err != nil {
		return nil, err
	}
	key := newKey()
	db, err := openStore(ctx, url)
	if err != nil {
		return nil, err
	}
	secrets, err := makeTokens(ctx, db, key)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	var processes []target
	for i := range 2 {
		folder := filepath.Join(b.dir, fmt.Sprintf("several-%d", i))
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		s, err := startSpecterd(ctx, b.binary, folder, key, "SPECTER_DATABASE_URL="+url)
		if err != nil {
			return nil, err
		}
		processes = append(processes, bearers(s, secrets))
	}
	return processes, nil
}

// several is the result of comparing one process (index 0) with two (index 1), in
// turns.
type several struct {
	perSecond [2][]float64
	ratios    []float64  // ratios of two processes to one, per round
	busy      [2]float64 // average number of busy processors of the machine
}

func (s several) ratio() float64 { return median(slices.Sorted(slices.Values(s.ratios))) }

func (s several) figure(how string) figure {
	one, two := median(slices.Sorted(slices.Values(s.perSecond[0]))), median(slices.Sorted(slices.Values(s.perSecond[1])))
	ratios := slices.Sorted(slices.Values(s.ratios))
	return figure{
		name: nameSeveral, what: "bearer requests to two processes on PostgreSQL, " + how,
		value:   fmt.Sprintf("%.0f/s, %.1f of %d processors busy", two, s.busy[1], runtime.NumCPU()),
		against: fmt.Sprintf("to one: %.0f/s, %.1f busy", one, s.busy[0]),
		ratio:   fmt.Sprintf("%.2f", s.ratio()), spread: fmt.Sprintf("%.2f–%.2f", ratios[0], ratios[len(ratios)-1]),
	}
}

// severalTurns alternates between load on the first process only and load on both.
func (b *bench) severalTurns(ctx context.Context, processes []target) (several, error) {
	var s several
	for i := range b.rounds + 1 {
		var both [2]float64
		for _, n := range [][]int{{0, 1}, {1, 0}}[i%2] {
			before, start := machineTime(), clock()
			speed, err := b.loadAll(ctx, processes[:n+1])
			if err != nil {
				return s, err
			}
			both[n] = speed
			if i > 0 { // the first round is a warm-up and is not counted
				s.perSecond[n] = append(s.perSecond[n], speed)
				s.busy[n] += (machineTime() - before).Seconds() / clock().Sub(start).Seconds() / float64(b.rounds)
			}
		}
		if i > 0 {
			s.ratios = append(s.ratios, both[1]/both[0])
		}
	}
	return s, nil
}

// loadAll sends requests to all given processes at once, with the same total number
// of connections, and returns the requests per second.
func (b *bench) loadAll(ctx context.Context, processes []target) (float64, error) {
	speeds := make([]float64, len(processes))
	running, ctx := errgroup.WithContext(ctx)
	for i, p := range processes {
		running.Go(func() error {
			r, err := p.round(ctx, b.connections/len(processes), b.roundTime)
			speeds[i] = r.perSecond()
			return err
		})
	}
	err := running.Wait()
	var sum float64
	for _, speed := range speeds {
		sum += speed
	}
	return sum, err
}

// machineTime returns the busy time of all processors since boot: the first line of
// /proc/stat, without idle and iowait (proc(5)).
func machineTime() time.Duration {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	var ticks int
	for i, field := range strings.Fields(line) {
		if n, err := strconv.Atoi(field); err == nil && i != 4 && i != 5 && i <= 8 {
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}

// hold limits each process to a fraction of a processor, the constant held, until
// release is called. It uses control groups (cgroups(7), version 1 or 2).
func hold(processes []target) (release func() error, err error) {
	var undo []func() error
	release = func() error {
		var err error
		for _, one := range undo {
			err = errors.Join(err, one())
		}
		return err
	}
	const period = 20_000 // microseconds
	for i, p := range processes {
		root, file, quota := "/sys/fs/cgroup", "cpu.max", fmt.Sprintf("%d %d", int(period*held), period)
		if _, err := os.Stat(root + "/cpu/cpu.cfs_quota_us"); err == nil {
			root, file, quota = root+"/cpu", "cpu.cfs_quota_us", strconv.Itoa(int(period*held))
		}
		group := filepath.Join(root, fmt.Sprintf("specterd-bench-%d-%d", os.Getpid(), i))
		if err := os.Mkdir(group, 0o755); err != nil { //nolint:gosec // a control group, not a folder
			return nil, errors.Join(err, release())
		}
		undo = append(undo, func() error { return os.Remove(group) })
		if file != "cpu.max" {
			err = os.WriteFile(filepath.Join(group, "cpu.cfs_period_us"), []byte(strconv.Itoa(period)), 0o600)
		}
		err = errors.Join(err, os.WriteFile(filepath.Join(group, file), []byte(quota), 0o600))
		for folder := range p.processes() {
			pid := []byte(filepath.Base(folder))
			err = errors.Join(err, os.WriteFile(filepath.Join(group, "cgroup.procs"), pid, 0o600))
			undo = append([]func() error{func() error { return os.WriteFile(filepath.Join(root, "cgroup.procs"), pid, 0o600) }}, undo...)
		}
		if err != nil {
			return nil, errors.Join(err, release())
		}
	}
	return release, nil
}
