package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is a row of a table of durations or memory sizes; comparisons of requests
// per second have a table of their own.
type figure struct {
	name, what     string
	value, against string // the result, and the value that it is compared with
	ratio, spread  string // ratio to that value, and the range of the ratio or, without a ratio, of the value
	processor      string // the ratio of the servers' CPU times
	goal           string
	good           bool
}

// printFigures prints a table of figures, followed by an empty line.
func printFigures(out *results, figures []figure) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) }
	line("name", "what", "figure", "beside", "ratio", "min–max", "processor", "goal", "verdict")
	for _, f := range figures {
		judged := ""
		if f.goal != "" {
			judged = out.verdict(f.good)
		}
		line(f.name, f.what, f.value, f.against, f.ratio, f.spread, f.processor, f.goal, judged)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

// compared fills in a figure for the duration of subject, which may be at most a
// multiple of the duration of base. The ratio is the median of the ratios of
// adjacent turns.
func compared(f figure, base, subject side, most float64) figure {
	ratios := make([]float64, len(base.took))
	for i := range ratios {
		ratios[i] = subject.took[i].Seconds() / base.took[i].Seconds()
	}
	slices.Sort(ratios)
	f.value = duration(middle(subject.took))
	f.ratio = fmt.Sprintf("%.2f", median(ratios))
	f.spread = fmt.Sprintf("%.2f–%.2f", ratios[0], ratios[len(ratios)-1])
	f.processor = fmt.Sprintf("%.2f", subject.processor().Seconds()/base.processor().Seconds())
	f.goal, f.good = fmt.Sprintf("≤ %.2f", most), median(ratios) <= most
	return f
}

// timed fills in a figure for a duration.
func timed(f figure, took []time.Duration) figure {
	f.value = duration(middle(took))
	f.spread = duration(slices.Min(took)) + "–" + duration(slices.Max(took))
	return f
}

// within fills in a figure like timed, and judges whether all durations are within
// a limit.
func within(f figure, took []time.Duration, most time.Duration) figure {
	f = timed(f, took)
	f.goal, f.good = "all ≤ "+duration(most), slices.Max(took) <= most
	return f
}

// medianWithin fills in a figure like timed, and judges whether the median is within a limit.
func medianWithin(f figure, took []time.Duration, most time.Duration) figure {
	f = timed(f, took)
	f.goal, f.good = "≤ "+duration(most), middle(took) <= most
	return f
}

// middle returns the median of durations, which need not be sorted.
func middle(took []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2]
}

// duration formats a duration with three digits and its unit.
func duration(d time.Duration) string {
	value, unit := d.Seconds(), "s"
	switch {
	case d < time.Millisecond:
		value, unit = value*1e6, "µs"
	case d < time.Second:
		value, unit = value*1e3, "ms"
	}
	digits := 2
	for limit := 10.0; value >= limit && digits > 0; limit *= 10 {
		digits--
	}
	return fmt.Sprintf("%.*f %s", digits, value, unit)
}
