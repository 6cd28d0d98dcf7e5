package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// printMachine prints the properties of the machine and the settings of the run.
func printMachine(o options, stdout io.Writer) error {
	database := "SQLite (WAL, synchronous FULL)"
	if o.postgres {
		database = "PostgreSQL on this machine, with default settings but without syncs of the disk"
	}
	_, err := fmt.Fprintf(stdout, "%s, %s %s/%s, %d processors (%s), load average before: %s\n"+
		"specterd with its default settings and the API on: %s, log at info into a file\n"+
		"%d connections; %d rounds of %s on each side in turn, of which the medians are given\n\n",
		clock().UTC().Format("2006-01-02 15:04 UTC"), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), processorModel(), loadAverage(), database, o.connections, o.rounds, o.roundTime)
	return err
}

func processorModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// isQuiet reports whether at most half of a processor was busy in the last minute.
func isQuiet() bool {
	load, err := strconv.ParseFloat(loadAverage(), 64)
	return err != nil || load <= 0.5
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// table is the table of comparisons, one per line.
type table struct {
	*tabwriter.Writer

	out *results
}

func newTable(out *results) table {
	t := table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), out}
	t.line("", "", "requests/s", "", "", "", "", "", "p50/p99 in ms", "", "processor µs/request", "", "")
	t.line("name", "base", "base", "specterd", "ratio", "min–max", "goal", "verdict", "base", "specterd", "base", "specterd", "ratio")
	return t
}

func (t table) line(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) }

func (t table) add(c comparison, r result) {
	medians := func(format string, f func(round) float64) (base, subject string) {
		return fmt.Sprintf(format, median(ordered(r.base, f))), fmt.Sprintf(format, median(ordered(r.subject, f)))
	}
	ratios := r.ratios(round.perSecond)
	ratio := median(ratios)
	baseSpeed, speed := medians("%.0f", round.perSecond)
	baseP50, p50 := medians("%.2f", func(r round) float64 { return milliseconds(r.P50) })
	baseP99, p99 := medians("%.2f", func(r round) float64 { return milliseconds(r.P99) })
	processor := func(r round) float64 { return r.processor.Seconds() * 1e6 }
	baseCost, cost := medians("%.1f", processor)
	cheapness := 1 / median(r.ratios(processor))
	judged := ratio
	if c.byProcessor {
		judged = cheapness
	}
	goal, good := "none", ""
	if c.least > 0 {
		goal, good = fmt.Sprintf("≥ %.2f", c.least), t.out.verdict(judged >= c.least && (c.most == 0 || judged <= c.most))
	}
	if c.byProcessor {
		goal = fmt.Sprintf("µs %.2f–%.2f", c.least, c.most)
	}
	t.line(c.name, c.against, baseSpeed, speed, fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.2f–%.2f", ratios[0], ratios[len(ratios)-1]),
		goal, good,
		baseP50+"/"+baseP99, p50+"/"+p99, baseCost, cost, fmt.Sprintf("%.2f", cheapness))
}

// results is where all results are printed. It counts the results worse than their goals.
type results struct {
	io.Writer

	missed int
}

func (r *results) verdict(good bool) string {
	if good {
		return "ok"
	}
	r.missed++
	return "MISSED"
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }
