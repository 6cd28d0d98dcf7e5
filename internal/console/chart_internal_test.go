package console

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/qrterm"
	"github.com/specterd/specterd/internal/wallet"
)

var chartStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func trend(opening btc.Amount, balances ...btc.Amount) wallet.Trend {
	return wallet.Trend{Since: chartStart, Step: time.Hour, Opening: opening, Balances: balances}
}

func TestChartOf(t *testing.T) {
	for name, test := range map[string]struct {
		trend      wallet.Trend
		line       string
		top, count btc.Amount // of the labels
	}{
		"empty":           {trend(0, 0, 0), "M0 140H720", 1, 2},
		"steps":           {trend(100, 100, 300, 300, 150), "M0 93.3H180V0H540V70H720", 300, 4},
		"from nothing":    {trend(0, 50_000_000), "M0 140H0V23.3H720", 60_000_000, 4},
		"to nothing":      {trend(50_000_000, 50_000_000, 0), "M0 23.3H360V140H720", 60_000_000, 4},
		"below 0 is 0":    {trend(10, -5), "M0 0H0V140H720", 10, 3},
		"all the bitcoin": {trend(btc.MaxMoney, btc.MaxMoney), "M0 42H720", 3_000_000_000_000_000, 4},
	} {
		t.Run(name, func(t *testing.T) {
			c := chartOf(test.trend, chartStart.Add(time.Duration(len(test.trend.Balances))*time.Hour))
			if c.Line != test.line || c.Area != test.line+"V140H0z" {
				t.Errorf("line %s, area %s", c.Line, c.Area)
			}
			if len(c.Y) != int(test.count) || c.Y[0] != test.top || c.Y[len(c.Y)-1] != 0 {
				t.Errorf("labels %v", c.Y)
			}
		})
	}
}

func TestNiceStep(t *testing.T) {
	for most, want := range map[btc.Amount]btc.Amount{0: 1, 1: 1, 3: 1, 4: 2, 7: 5, 30: 10, 31: 20, 70: 25, 75: 25, 76: 50, 56_400_000: 20_000_000, btc.MaxMoney: 1_000_000_000_000_000} {
		if got := niceStep(most, 3); got != want || got*3 < most {
			t.Errorf("%d: a step of %d, not %d", most, got, want)
		}
	}
}

// TestChart_Table checks that the table has few rows, of which the first is the current balance.
func TestChart_Table(t *testing.T) {
	for _, n := range []int{1, 31, 32, 400} {
		balances := make([]btc.Amount, n)
		for i := range balances {
			balances[i] = btc.Amount(i)
		}
		now := chartStart.Add(time.Duration(n)*time.Hour - 10*time.Minute)
		rows := chartOf(trend(0, balances...), now).Rows
		if len(rows) > maxTableRows || rows[0].Balance != btc.Amount(n-1) || !rows[0].At.Equal(now) {
			t.Errorf("%d steps: %d rows, first %v", n, len(rows), rows[0])
		}
		for i := 1; i < len(rows); i++ {
			if want := chartStart.Add(time.Duration(rows[i].Balance+1) * time.Hour); !rows[i].At.Equal(want) {
				t.Errorf("%d steps: row %d has the time %v, not %v", n, i, rows[i].At, want)
			}
		}
	}
}

// TestWholeHistory checks the number of steps and that the first transaction is in the chart.
func TestWholeHistory(t *testing.T) {
	now := chartStart
	for _, age := range []time.Duration{time.Second, time.Hour, 100 * 24 * time.Hour, 15 * 365 * 24 * time.Hour} {
		since, step := wholeHistory(now.Add(-age), now)
		if steps := now.Sub(since)/step + 1; steps > maxChartSteps || !since.Before(now.Add(-age)) || age > time.Hour && steps < maxChartSteps/2 {
			t.Errorf("an age of %v: %d steps since %v", age, steps, now.Sub(since))
		}
	}
	for _, first := range []time.Time{{}, now.Add(time.Hour)} {
		if since, _ := wholeHistory(first, now); !since.Equal(now.Add(-24 * time.Hour)) {
			t.Errorf("without a history, the chart begins at %v", since)
		}
	}
}

func TestSparkline(t *testing.T) {
	for want, tr := range map[string]wallet.Trend{
		`d="M0 12H80"`:           trend(7, 7, 7),
		`d="M0 22H40V2H80"`:      trend(0, 0, 9),
		`d="M0 2H0V22H40V12H80"`: trend(10, 0, 5),
	} {
		if got := string(sparkline(tr)); !strings.Contains(got, want) {
			t.Errorf("%v: %s lacks %s", tr.Balances, got, want)
		}
	}
}

func TestSharesOf(t *testing.T) {
	if got := sharesOf(0, 0, 0); got[0].Width+got[1].Width+got[2].Width != 0 {
		t.Errorf("nothing has %v", got)
	}
	got := sharesOf(100, 0, 1)
	if got[1].Width != 0 || got[2].Width < 2 || got[2].X+got[2].Width < 399.9 || got[2].X+got[2].Width > 400.1 || got[0].Width < 390 {
		t.Errorf("got %v", got)
	}
}

// TestDiagramOf checks that bands have heights in proportion to known amounts, and equal ones
// otherwise, and that their texts stay inside.
func TestDiagramOf(t *testing.T) {
	amount := func(n btc.Amount) *btc.Amount { return &n }
	d := diagramOf([]diagramEnd{{Amount: amount(300)}, {Amount: amount(100)}}, []diagramEnd{{Amount: amount(350)}, {}, {Amount: amount(10)}})
	if d.Height != 90 || len(d.Bands) != 5 {
		t.Fatalf("height %v, %d bands", d.Height, len(d.Bands))
	}
	heights := bandHeights([]diagramEnd{{Amount: amount(300)}, {Amount: amount(100)}})
	if heights[0]-diagramThin != 3*(heights[1]-diagramThin) || heights[0]+heights[1] != diagramTrunk {
		t.Errorf("known amounts have %v", heights)
	}
	if heights := bandHeights([]diagramEnd{{Amount: amount(300)}, {}}); heights[0] != heights[1] {
		t.Errorf("unknown amounts have %v", heights)
	}
	for i, b := range d.Bands {
		if b.Y <= 0 || b.Y >= d.Height || (b.Anchor == "end") != (i < 2) || !strings.HasSuffix(b.Path, "z") {
			t.Errorf("band %d: %+v", i, b)
		}
	}
	payment := []diagramEnd{{Amount: amount(1_000_000)}, {Amount: amount(1)}}
	for _, d := range []diagram{diagramOf(payment[:1], payment), diagramOf(payment, payment[:1]), diagramOf(payment[:1], payment[:1])} {
		for _, b := range d.Bands {
			for _, y := range heightsIn(t, b.Path) {
				if y < 0 || y > d.Height {
					t.Errorf("the band %s is cut off: %v is outside of 0 to %v", b.Path, y, d.Height)
				}
			}
		}
	}
}

// heightsIn returns the vertical coordinates of a path: every second number, and the one of V.
func heightsIn(t *testing.T, path string) (out []float64) {
	t.Helper()
	for command := range strings.FieldsFuncSeq(strings.NewReplacer("M", "\nM", "C", "\nC", "V", "\nV", "z", "").Replace(path), func(r rune) bool { return r == '\n' }) {
		for i, text := range strings.Fields(command[1:]) {
			y, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if command[0] == 'V' || i%2 == 1 {
				out = append(out, y)
			}
		}
	}
	return out
}

// TestDrawQR decodes the modules of a drawing.
func TestDrawQR(t *testing.T) {
	const text = "BITCOIN:BCRT1QDMEAJWC9H9HWAPXK9TYK7CJ28NSFXUDKQ6PM45NF4FN8VJM6S69QJW4ZJH"
	svg, err := drawQR(text, `<label> "x"`)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := qrterm.VersionFor([]string{text})
	code, _ := qrterm.Encode(text, v)
	bits, _ := gozxing.NewBitMatrix(code.Size, code.Size)
	for _, row := range strings.Split(strings.Split(strings.Split(string(svg), `d="M`)[1], `"`)[0], "M") {
		drawRow(t, bits, row)
	}
	got, err := decoder.NewDecoder().DecodeWithoutHint(bits)
	if err != nil || got.GetText() != text {
		t.Errorf("decoded %v, %v", got, err)
	}
	for _, part := range []string{`aria-label="&lt;label&gt; &#34;x&#34;"`, `viewBox="-4 -4 `, `class="qr"`} {
		if !strings.Contains(string(svg), part) {
			t.Errorf("the drawing lacks %s", part)
		}
	}
}

// drawRow sets the bits of a path such as "0 3.5h7m2 0h1".
func drawRow(t *testing.T, bits *gozxing.BitMatrix, row string) {
	t.Helper()
	x, y := 0, 0
	for i, part := range strings.Split(row, "m") {
		var skip, width int
		if i == 0 {
			if _, err := fmt.Sscanf(part, "%d %d.5h%d", &x, &y, &width); err != nil {
				t.Fatal(part, err)
			}
		} else if _, err := fmt.Sscanf(part, "%d 0h%d", &skip, &width); err != nil {
			t.Fatal(part, err)
		}
		x += skip
		for range width {
			bits.Set(x, y)
			x++
		}
	}
}

func TestPaymentURI(t *testing.T) {
	for _, test := range []struct {
		address string
		amount  btc.Amount
		label   string
		want    string
	}{
		{"bc1qxyz", 0, "", "BITCOIN:BC1QXYZ"},
		{"tb1pxyz", 150_000, "", "BITCOIN:TB1PXYZ?amount=0.0015"},
		{"bcrt1qxyz", 0, "a b&c=é+", "BITCOIN:BCRT1QXYZ?label=a%20b%26c%3D%C3%A9%2B"},
		{"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", 1, "x", "bitcoin:1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2?amount=0.00000001&label=x"},
		{"2N3oefVeg6stiTb5Kh3ozCSkaqmx91FDbsm", 0, "", "bitcoin:2N3oefVeg6stiTb5Kh3ozCSkaqmx91FDbsm"},
	} {
		t.Run(test.want, func(t *testing.T) {
			if got := paymentURI(test.address, test.amount, test.label); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
	p, err := btc.ParsePayment(paymentURI("bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x", 150_000, "a b&c=é+"), btc.Regtest)
	if err != nil || p.Address != "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x" || p.Amount != 150_000 || p.Label != "a b&c=é+" {
		t.Errorf("it is read as %+v, %v", p, err)
	}
}
