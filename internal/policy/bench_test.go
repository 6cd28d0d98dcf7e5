package policy

import (
	"fmt"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// sums is a usage with the sums of charges, in the order of time, for each rule.
type sums map[Charge][]charged

// Spent implements Usage.
func (s sums) Spent(subject string, after time.Time) (map[string]Spent, error) {
	spent := map[string]Spent{}
	for charge, all := range s {
		if charge.Subject != subject {
			continue
		}
		from := sort.Search(len(all), func(i int) bool { return all[i].at.After(after) })
		var sum Spent
		for _, c := range all[from:] {
			sum.Amount += c.amount
			sum.Count++
		}
		spent[charge.Rule] = sum
	}
	return spent, nil
}

// Frees implements Usage.
func (s sums) Frees(subject, rule string, after time.Time, amount btc.Amount, count int) (time.Time, error) {
	return charges(s[Charge{subject, rule}]).Frees(subject, rule, after, amount, count)
}

// BenchmarkEvaluate reports the 99th percentile of evaluations of 200 rules with 10,000
// spends. The last rule permits the payment, or none.
func BenchmarkEvaluate(b *testing.B) {
	for _, targets := range []int{5, MaxTargets} {
		for _, permits := range []bool{true, false} {
			b.Run(fmt.Sprintf("targets=%d/permits=%t", targets, permits), func(b *testing.B) {
				layers, usage := benchmarkLayers(targets, permits)
				pay := Payment{Network: btc.Main, Fee: 100, FeeRate: 1000, Confirmations: 6, Remaining: btc.BTC, At: monday}
				for i := range 5 {
					pay.Outputs = append(pay.Outputs, Output{Address: fmt.Sprintf("bc1q%038d", i), Amount: 1000, WalletIDs: []string{"w"}})
				}
				e := NewEvaluator()
				if err := e.Prepare(b.Context(), btc.Main, layers); err != nil {
					b.Fatal(err)
				}
				times := make([]time.Duration, 0, b.N)
				b.ReportAllocs()
				for b.Loop() {
					start := time.Now()
					d, err := e.Evaluate(pay, layers, usage)
					times = append(times, time.Since(start))
					if err != nil || (len(d.Refusals) == 0) != permits {
						b.Fatal(d.Refusals, err)
					}
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
			})
		}
	}
}

func benchmarkLayers(targets int, permits bool) ([]Layer, Usage) {
	p, usage := Policy{Allow: []Rule{}}, sums{}
	zone, err := loadZone("Europe/Zurich")
	if err != nil {
		panic(err)
	}
	for i := range MaxRules {
		r := Rule{
			Name: fmt.Sprintf("rule %03d", i), MaxPayment: ptr(btc.BTC), MaxRecipients: ptr(20), Fee: Fee{MaxRate: ptr(btc.FeeRate(50_000)), MaxPercent: ptr(5)},
			Hours: &Hours{Zone: zone, Days: []time.Weekday{1, 2, 3, 4, 5}, From: 8 * time.Hour, To: 18 * time.Hour}, Confirmations: 1, KeepAtLeast: ptr(btc.Amount(1)),
			Windows: []Window{{Per: day, MaxSat: ptr(btc.Amount(5000)), MaxCount: ptr(20)}, {Per: 30 * day, MaxSat: ptr(btc.Amount(5000))}},
		}
		for j := range targets {
			r.To = append(r.To, Target{Address: fmt.Sprintf("bc1q%038d", 10+i*MaxTargets+j)})
		}
		if i >= MaxRules/2 { // these cover the payment, but their windows are full, except perhaps the last
			r.To = append(r.To[:targets-2], Target{WalletID: "w"}, Target{Descriptor: wpkhDescriptor, UpTo: 1000})
		}
		if i == MaxRules-1 && permits {
			r.Windows[0].MaxSat, r.Windows[1].MaxSat = ptr(btc.BTC), ptr(btc.BTC)
			r.Windows[0].MaxCount = ptr(maxCount)
		}
		p.Allow = append(p.Allow, r)
	}
	const spends = 10_000
	for i := range spends {
		c := Charge{"s", p.Allow[i%MaxRules].Name}
		usage[c] = append(usage[c], charged{c, monday.Add(-30*day + time.Duration(i+1)*30*day/spends), 100})
	}
	return []Layer{{Kind: Wallet, Subject: "s", Policy: p}}, usage
}
