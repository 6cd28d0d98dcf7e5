package evasion

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// attempt is an attempt to evade policies. After its steps, which check the responses, the
// verdict is the same for all attempts.
type attempt struct {
	name  string
	laws  map[string]string // policies by layer: server, wallet and member:NAME
	steps func(w *world)
}

// kind is a group of attempts. Its control shows that the same requests pass if a policy
// permits them.
type kind struct {
	control  attempt
	attempts []attempt
}

// kinds are the attempts by kind.
var kinds = map[string]kind{
	"approvals":    {approvalControl, approvalAttempts},
	"change":       {changeControl, changeAttempts},
	"destinations": {destinationControl, destinationAttempts},
	"fees":         {feeControl, feeAttempts},
	"bumps":        {bumpControl, bumpAttempts},
	"clock":        {clockControl, clockAttempts},
	"imports":      {importControl, importAttempts},
	"loosening":    {loosenControl, loosenAttempts},
	"members":      {memberControl, memberAttempts},
	"splits":       {splitControl, splitAttempts},
	"tokens":       {tokenControl, tokenAttempts},
	"v1alpha":      {alphaControl, alphaAttempts},
}

const wantAttempts = 200

func TestEvasion(t *testing.T) {
	t.Parallel()
	total := 0
	for _, k := range kinds {
		total += len(k.attempts)
	}
	for name, e := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, e)
			begin := time.Now()
			for _, kind := range slices.Sorted(maps.Keys(kinds)) {
				t.Run(kind, func(t *testing.T) { w.run(t, kinds[kind]) })
			}
			testkit.Figure(t, "%d attempts to evade policies on %s in %s", total, name, time.Since(begin).Round(time.Second))
		})
	}
	if total < wantAttempts {
		t.Errorf("%d attempts, want %d", total, wantAttempts)
	}
}

// run makes all attempts of a kind, after its control.
func (w *world) run(t *testing.T, k kind) {
	w.open(t)
	seen := map[string]bool{}
	for i, a := range append([]attempt{k.control}, k.attempts...) {
		name := a.name
		if i == 0 {
			name = "control: " + name
		}
		if seen[name] {
			t.Errorf("two attempts have the name %q", name)
		}
		seen[name] = true
		t.Run(fmt.Sprintf("%03d %s", i, name), func(t *testing.T) {
			w.begin(t)
			defer func() { w.t = t }()
			for _, layer := range slices.Sorted(maps.Keys(a.laws)) {
				w.law(layer, a.laws[layer])
			}
			a.steps(w)
			w.verdict()
		})
	}
}
