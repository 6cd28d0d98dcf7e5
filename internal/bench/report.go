package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// printMachine says what the figures were measured on.
func printMachine(ctx context.Context, o options, stdout io.Writer) error {
	sqlite, err := sqliteVersion(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s, %s %s/%s, %d processors (%s), load average before %s\n"+
		"specterd with its default settings: SQLite %s (WAL, synchronous FULL), log at info into a file\n"+
		"%d connections, %d rounds of %s on each side in turn; requests per second are medians of the rounds\n\n",
		clock().UTC().Format("2006-01-02 15:04 UTC"), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), processorModel(), loadAverage(), sqlite, o.connections, o.rounds, o.roundTime)
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

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// table is one line for each comparison.
type table struct{ *tabwriter.Writer }

func newTable(stdout io.Writer) table {
	t := table{tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)}
	_, _ = fmt.Fprintln(t, "name\tagainst\tits req/s\treq/s\tratio\tmin–max\tbar\tverdict\tits p50, p99\tp50, p99\tprocessor time for a request")
	return t
}

func (t table) add(c comparison, r result) {
	against := "bare"
	bar := fmt.Sprintf("≥ %.2f", c.least)
	if c.name == nameManyTokens {
		against = fmt.Sprintf("%d tokens", tokensInUse)
		bar = fmt.Sprintf("%.2f–%.2f", c.least, c.most)
	}
	ratios := r.ratios(func(r round) float64 { return r.perSecond() })
	ratio := ratios[len(ratios)/2]
	latency := func(rounds []round) string {
		return milliseconds(median(rounds, func(r round) time.Duration { return r.P50 })) + ", " +
			milliseconds(median(rounds, func(r round) time.Duration { return r.P99 }))
	}
	perSecond := func(r round) float64 { return r.perSecond() }
	processor := func(r round) time.Duration { return r.processor }
	_, _ = fmt.Fprintf(t, "%s\t%s\t%.0f\t%.0f\t%.2f\t%.2f–%.2f\t%s\t%s\t%s\t%s\t%s\n", c.name, against,
		median(r.base, perSecond), median(r.subject, perSecond), ratio, ratios[0], ratios[len(ratios)-1],
		bar, verdict(ratio >= c.least && ratio <= c.most), latency(r.base), latency(r.subject),
		fmt.Sprintf("%s to %s", median(r.base, processor), median(r.subject, processor)))
}

func verdict(good bool) string {
	if good {
		return "ok"
	}
	return "BELOW BAR"
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1e3) }
