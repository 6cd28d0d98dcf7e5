package console

import (
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// The size of the balance chart and of a sparkline, in units of their own. The style sheet
// scales them.
const (
	chartWidth, chartHeight = 720.0, 140.0
	sparkWidth, sparkHeight = 80.0, 24.0
)

// shortChart is the length of time below which labels of dates would be the same.
const shortChart = 4 * 24 * time.Hour

// maxTableRows is the maximum number of rows of the table beside a chart.
const maxTableRows = 31

// chart is the balance of a wallet over time: paths for an SVG, the labels of the axes, and a
// table with the same content.
type chart struct {
	Line, Area, Grid    string
	Y                   []btc.Amount // labels, from the highest to 0
	X                   []time.Time
	Short               bool // whether the labels of X need the time of day
	Opening, Last, Most btc.Amount
	Since, Until        time.Time
	Rows                []chartRow // the latest first
}

// chartRow is a row of the table beside a chart.
type chartRow struct {
	At      time.Time
	Balance btc.Amount
}

// chartOf draws a trend until now.
func chartOf(t wallet.Trend, now time.Time) chart {
	c := chart{Opening: t.Opening, Last: t.Opening, Most: t.Opening, Since: t.Since, Until: now}
	for _, balance := range t.Balances {
		c.Most, c.Last = max(c.Most, balance), balance
	}
	step := niceStep(c.Most, 3)
	top := step
	for top < c.Most {
		top += step
	}
	for y := top; y >= 0; y -= step {
		c.Y = append(c.Y, y)
		c.Grid += "M0 " + decimal(chartHeight*(1-float64(y)/float64(top))) + "H" + decimal(chartWidth)
	}
	c.Line = stepLine(t, chartWidth, func(b btc.Amount) float64 { return chartHeight * (1 - float64(max(b, 0))/float64(top)) })
	c.Area = c.Line + "V" + decimal(chartHeight) + "H0z"
	labels := 4
	if c.Short = now.Sub(t.Since) < shortChart; c.Short {
		labels = 2
	}
	for i := range labels {
		c.X = append(c.X, t.Since.Add(now.Sub(t.Since)*time.Duration(i)/time.Duration(labels-1)))
	}
	c.Rows = rowsOf(t, now)
	return c
}

// rowsOf returns at most maxTableRows balances of a trend, the latest first.
func rowsOf(t wallet.Trend, now time.Time) (rows []chartRow) {
	every := (len(t.Balances) + maxTableRows - 1) / maxTableRows
	for i := len(t.Balances) - 1; i >= 0; i -= every {
		at := t.Since.Add(time.Duration(i+1) * t.Step)
		if at.After(now) {
			at = now
		}
		rows = append(rows, chartRow{at, t.Balances[i]})
	}
	return rows
}

// sparkline returns a small chart without axes, which shows the shape of a trend only.
func sparkline(t wallet.Trend) template.HTML {
	low, high := t.Opening, t.Opening
	for _, b := range t.Balances {
		low, high = min(low, b), max(high, b)
	}
	const margin = 2.0
	line := stepLine(t, sparkWidth, func(b btc.Amount) float64 {
		if low == high {
			return sparkHeight / 2
		}
		return margin + (sparkHeight-2*margin)*(1-float64(b-low)/float64(high-low))
	})
	return template.HTML(`<svg class="spark" viewBox="0 0 ` + decimal(sparkWidth) + ` ` + decimal(sparkHeight) + `" preserveAspectRatio="none" aria-hidden="true"><path class="line" d="` + line + `"/></svg>`) //nolint:gosec // numbers
}

// stepLine returns a path that changes its height at the steps in which the balance changes.
func stepLine(t wallet.Trend, width float64, height func(btc.Amount) float64) string {
	var b strings.Builder
	b.WriteString("M0 " + decimal(height(t.Opening)))
	last := t.Opening
	for i, balance := range t.Balances {
		if balance == last {
			continue
		}
		b.WriteString("H" + decimal(width*float64(i)/float64(len(t.Balances))) + "V" + decimal(height(balance)))
		last = balance
	}
	b.WriteString("H" + decimal(width))
	return b.String()
}

// niceStep returns the smallest number with one significant digit of 1, 2 or 5, or of 25, of
// which the given count is at least most.
func niceStep(most btc.Amount, count int64) btc.Amount {
	least := float64(max(most, 1)) / float64(count)
	unit := math.Pow(10, math.Floor(math.Log10(least)))
	for _, digit := range []float64{1, 2, 2.5, 5, 10} {
		if step := btc.Amount(digit * unit); float64(step) >= least {
			return step
		}
	}
	return btc.Amount(10 * unit)
}

// decimal returns a number with at most one decimal.
func decimal(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// share is a part of a whole, for the bar with the parts of a balance.
type share struct{ X, Width float64 }

// Path returns the path of a part in a bar that is 400 wide and 10 high.
func (s share) Path() string {
	return "M" + decimal(s.X) + " 0h" + decimal(s.Width) + "v10h-" + decimal(s.Width) + "z"
}

// sharesOf divides a bar of 400 units among parts, with gaps between them. Parts of 0 have no
// width; others have at least 2 units.
func sharesOf(parts ...btc.Amount) []share {
	const width, gap, least = 400.0, 1.5, 2.0
	var total btc.Amount
	shown := 0
	for _, p := range parts {
		if p > 0 {
			total += p
			shown++
		}
	}
	out := make([]share, len(parts))
	if shown == 0 {
		return out
	}
	free := width - gap*float64(shown-1) - least*float64(shown)
	x := 0.0
	for i, p := range parts {
		if p <= 0 {
			continue
		}
		out[i] = share{x, least + free*float64(p)/float64(total)}
		x += out[i].Width + gap
	}
	return out
}
