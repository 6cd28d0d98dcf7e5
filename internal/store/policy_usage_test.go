package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// spend is a row of spends as the test remembers it.
type spend struct {
	subject, rule  string
	at             time.Time
	amount, counts int64
}

// TestSpendSums_Random compares the use of windows with a sum over all spends, after random
// changes of the spends by SQL, also without some of them, which a replacement takes over. Many
// times are at the limits of 10 minutes and days.
func TestSpendSums_Random(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		rnd := rand.New(rand.NewPCG(1, 2))
		day := b.now.Truncate(24 * time.Hour)
		near := func() time.Time {
			unit := []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour}[rnd.IntN(3)]
			return day.Add(-time.Duration(rnd.Int64N(int64(12*24*time.Hour/unit))) * unit).Add(time.Duration(rnd.IntN(5)-2) * time.Microsecond)
		}
		some := func() spend {
			return spend{[]string{"server", "wallet:w"}[rnd.IntN(2)], []string{"day", "other"}[rnd.IntN(2)], near(), rnd.Int64N(1000), rnd.Int64N(2)}
		}
		have := map[string]spend{}
		for i := range testkit.Size(300, 3000) {
			id, x := fmt.Sprint("p", rnd.IntN(150)), some()
			switch _, exists := have[id]; {
			case !exists:
				b.exec("INSERT INTO spends (proposal_id, subject, rule, at, amount_sat, counted_sat, counts) VALUES ($1, $2, $3, $4, 1000, $5, $6)", id, x.subject, x.rule, x.at.UnixMicro(), x.amount, x.counts)
				have[id] = x
			case rnd.IntN(3) == 0:
				b.exec("DELETE FROM spends WHERE proposal_id = $1", id)
				delete(have, id)
			default:
				b.exec("UPDATE spends SET subject = $2, rule = $3, at = $4, counted_sat = $5, counts = $6 WHERE proposal_id = $1", id, x.subject, x.rule, x.at.UnixMicro(), x.amount, x.counts)
				have[id] = x
			}
			if i%3 != 0 {
				continue
			}
			counts := maps.Clone(have)
			var ignored []string
			for _, id := range slices.Sorted(maps.Keys(have))[:rnd.IntN(min(len(have), 5)+1)] {
				ignored = append(ignored, id)
				delete(counts, id)
			}
			usage, err := store.UsageWithout(t.Context(), b.Store, ignored...)
			testkit.Check(t, err)
			checkUsage(t, usage, counts, some(), rnd)
		}
	})
}

// checkUsage compares the use of the rule of a spend after its time with the remembered rows.
func checkUsage(t *testing.T, usage policy.Usage, have map[string]spend, of spend, rnd *rand.Rand) {
	t.Helper()
	after := of.at
	var later []spend
	var want policy.Spent
	for _, x := range have {
		if x.subject == of.subject && x.rule == of.rule && x.at.After(after) {
			later = append(later, x)
			want.Amount += btc.Amount(x.amount)
			want.Count += int(x.counts)
		}
	}
	got, err := usage.Spent(of.subject, after)
	if testkit.Check(t, err); got[of.rule] != want {
		t.Fatalf("after %s: %+v, want %+v", after, got, want)
	}
	if want.Amount == 0 || want.Count == 0 {
		return
	}
	amount, count := 1+rnd.Int64N(int64(want.Amount)), 1+rnd.IntN(want.Count)
	slices.SortFunc(later, func(x, y spend) int { return x.at.Compare(y.at) })
	var wantAt time.Time
	missing, number := amount, int64(count)
	for _, x := range later {
		missing -= x.amount
		number -= x.counts
		if missing <= 0 && number <= 0 {
			wantAt = x.at
			break
		}
	}
	at, err := usage.Frees(of.subject, of.rule, after, btc.Amount(amount), count)
	if testkit.Check(t, err); !at.Equal(wantAt) {
		t.Fatalf("after %s, %d sat and %d payments are reached at %s, want %s", after, amount, count, at, wantAt)
	}
}
