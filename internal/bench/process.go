package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const tick = 10 * time.Millisecond // unit of the times in /proc/PID/stat

// processorTime returns the CPU time of the server. It returns zero on systems without /proc.
func (s *server) processorTime() time.Duration {
	var ticks int
	for _, fields := range s.processes() {
		for _, field := range fields[11:13] { // utime, stime
			n, _ := strconv.Atoi(field)
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}

// threadTime returns the same as processorTime, but with nanosecond resolution
// (proc(5), schedstat). It counts existing threads only, which is sufficient
// because Go rarely ends threads.
func (s *server) threadTime() time.Duration {
	var sum time.Duration
	for folder := range s.processes() {
		threads, _ := filepath.Glob(folder + "/task/[0-9]*/schedstat")
		for _, thread := range threads {
			text, _ := os.ReadFile(thread) //nolint:gosec // in /proc
			running, _, _ := strings.Cut(string(text), " ")
			n, _ := strconv.ParseInt(running, 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// processes returns the processes in the server's process group, except for the shell that
// watches the server and takes 4 MB. The keys are their directories in /proc; the values are the
// fields of the file stat from the third field on, which follows the name in parentheses (proc(5)).
func (s *server) processes() map[string][]string {
	all := map[string][]string{}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, "stat")) //nolint:gosec // in /proc
		if err != nil {
			continue // it has ended
		}
		end := strings.LastIndexByte(string(text), ')')
		if strings.HasSuffix(string(text[:end+1]), "(sh)") {
			continue
		}
		fields := strings.Fields(string(text[end+1:]))
		if len(fields) >= 13 && fields[2] == strconv.Itoa(s.group) {
			all[folder] = fields
		}
	}
	return all
}

// memory returns the server's current memory use in bytes, and the peak since the
// last call of forgetPeak.
func (s *server) memory() (now, peak int64) {
	for folder := range s.processes() {
		text, _ := os.ReadFile(filepath.Join(folder, "status")) //nolint:gosec // in /proc
		now += kilobytes(string(text), "VmRSS:")
		peak += kilobytes(string(text), "VmHWM:")
	}
	return now, peak
}

// written returns the part of the server's memory in bytes that is not backed by
// files.
func (s *server) written() (bytes int64) {
	for folder := range s.processes() {
		text, _ := os.ReadFile(filepath.Join(folder, "status")) //nolint:gosec // in /proc
		bytes += kilobytes(string(text), "RssAnon:")
	}
	return bytes
}

// peakUntil waits until a process ends, and returns its peak memory use in bytes.
// It polls the process, because the value that wait4(2) returns for a child
// includes the parent's memory at the start.
func peakUntil(pid int, ended <-chan error) (peak int64, err error) {
	const often = 20 * time.Millisecond
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return peak, err
		case <-tick.C:
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			peak = max(peak, kilobytes(string(text), "VmHWM:"))
		}
	}
}

func kilobytes(status, name string) int64 {
	_, after, _ := strings.Cut(status, name)
	digits, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n << 10
}

// forgetPeak resets the peak to the current memory use.
func (s *server) forgetPeak() error {
	for folder := range s.processes() {
		if err := os.WriteFile(filepath.Join(folder, "clear_refs"), []byte("5"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// calm waits until the server is idle. After its start, it checks its database, for
// example.
func (s *server) calm(ctx context.Context) error {
	const quiet = 20 * tick
	timer := time.NewTicker(quiet)
	defer timer.Stop()
	for before := -quiet; ; {
		now := s.processorTime()
		if now-before <= tick {
			return nil
		}
		before = now
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
