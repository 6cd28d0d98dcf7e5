package evasion

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const day = 24 * time.Hour

// delayed requires an approval and a delay.
const delayed = `{"version":1,"allow":[{"name":"later","approvals":{"count":1,"not_proposer":true},"delay":"2h"}]}`

var clockControl = attempt{"windows and delays end if the server starts with a later clock", map[string]string{"wallet": budget}, withClock(func(w *world) {
	w.proposer.propose(pay(150_000)).ok()
	w.forward(25 * time.Hour)
	w.proposer.propose(pay(150_000)).ok()
	w.law("wallet", delayed)
	id := w.signer.propose(pay(50_000)).has(awaiting).id()
	w.second.on(id, "approve").has(awaiting)
	w.forward(3 * time.Hour)
	w.until(id, "created")
})}

// withClock sets the clock back after the steps.
func withClock(steps func(w *world)) func(w *world) {
	return func(w *world) {
		defer func() {
			w.jump(-time.Duration(w.late.Load()))
			w.restart(w.t)
		}()
		steps(w)
		w.verdict()
	}
}

// forward lets time pass: the clock is not in doubt afterwards.
func (w *world) forward(d time.Duration) {
	w.t.Helper()
	w.verdict()
	w.stop()
	w.jump(d)
	w.passed += max(d, 0)
	w.start(w.t)
}

// spentAround attempts to pay 150,000 satoshis before and 60,000 after jumps of the clock.
func spentAround(name string, jumps ...time.Duration) attempt {
	return attempt{name, map[string]string{"wallet": budget}, withClock(func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		for _, d := range jumps {
			w.jump(d)
			w.proposer.fresh().propose(pay(60_000)).refused("policy_refused")
		}
	})}
}

// spentBetween attempts to pay 150,000 satoshis after the first jump and 60,000 after the others.
func spentBetween(name string, first time.Duration, jumps ...time.Duration) attempt {
	return attempt{name, map[string]string{"wallet": budget}, withClock(func(w *world) {
		w.jump(first)
		w.proposer.fresh().propose(pay(150_000)).ok()
		for _, d := range jumps {
			w.jump(d)
			w.proposer.fresh().propose(pay(60_000)).refused("policy_refused")
		}
	})}
}

// doubted makes attempts with a payment that awaits the end of a delay, while the clock is in doubt.
func doubted(name string, steps func(w *world, id string)) attempt {
	return attempt{name, map[string]string{"wallet": delayed}, withClock(func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		steps(w, id)
		w.owner.on(id, "").has(awaiting)
		w.jump(-time.Duration(w.late.Load())) // for the verdict
	})}
}

// restored makes attempts after the server was restored from a backup.
func restored(name, policy string, steps func(w *world, restore func())) attempt {
	return attempt{name, map[string]string{"wallet": policy}, func(w *world) {
		steps(w, w.restore)
	}}
}

// hoursAfter returns a policy that permits payments only within an hour that begins after a time.
func (w *world) hoursAfter(d time.Duration) string {
	from := w.now().UTC().Add(d)
	to := from.Add(time.Hour).Format("15:04")
	if to < from.Format("15:04") {
		to = "24:00"
	}
	return fmt.Sprintf(`{"version":1,"allow":[{"name":"hours","hours":{"zone":"UTC","from":%q,"to":%q}}]}`, from.Format("15:04"), to)
}

var clockAttempts = []attempt{
	spentAround("the clock jumps forward beyond the window", 25*time.Hour),
	spentAround("the clock jumps forward and back", 25*time.Hour, -25*time.Hour),
	spentAround("the clock jumps forward in two steps", 13*time.Hour, 13*time.Hour),
	spentAround("the clock jumps back beyond the window", -25*time.Hour),
	spentAround("the clock jumps back and forward", -25*time.Hour, 50*time.Hour),
	spentAround("the clock jumps forward by a year", 300*day),
	spentAround("the clock moves by less than a jump", 9*time.Minute, -18*time.Minute),
	spentBetween("a payment while the clock is ahead", 25*time.Hour, -25*time.Hour),
	spentBetween("a payment while the clock is behind", -25*time.Hour, 25*time.Hour),
	spentBetween("a payment while the clock is behind, which then jumps forward", -25*time.Hour, 50*time.Hour),
	{"the server restarts after a payment", map[string]string{"wallet": budget}, func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		w.restart(w.t)
		w.proposer.propose(pay(60_000)).refused("policy_refused")
	}},
	{"the server restarts with an earlier clock", map[string]string{"wallet": budget}, withClock(func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		w.forward(-25 * time.Hour)
		w.proposer.fresh().propose(pay(60_000)).refused("policy_refused")
	})},
	{"the server restarts just before the end of the window", map[string]string{"wallet": budget}, withClock(func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		w.forward(day - 2*time.Minute)
		w.proposer.propose(pay(60_000)).refused("policy_refused")
	})},
	doubted("an approval after a jump beyond the delay", func(w *world, id string) {
		w.jump(3 * time.Hour)
		w.second.on(id, "approve").has(awaiting)
		w.signer.on(id, "broadcast").refused(awaiting)
	}),
	doubted("an approval before a jump beyond the delay, and a rejected request after it", func(w *world, id string) {
		w.second.on(id, "approve").has(awaiting)
		w.jump(3 * time.Hour)
		w.second.on(id, "approve").has(awaiting)
		w.owner.on(id, "approve").has(awaiting)
		w.signer.on(id, "broadcast").refused(awaiting)
	}),
	{"a bump after a jump beyond the delay", map[string]string{"wallet": delayed}, withClock(func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		w.second.on(id, "approve").has(awaiting)
		w.jump(3 * time.Hour)
		next := w.signer.bump(id, 9).has(awaiting).id()
		w.second.on(next, "approve").has(awaiting)
	})},
	{"a payment while the clock is behind, approved when it is back", map[string]string{"wallet": delayed}, withClock(func(w *world) {
		w.jump(-3 * time.Hour)
		id := w.signer.fresh().propose(pay(50_000)).has(awaiting).id()
		w.jump(3 * time.Hour)
		w.second.on(id, "approve").has(awaiting)
		w.signer.on(id, "broadcast").refused(awaiting)
	})},
	{"a change requested while the clock is behind", map[string]string{"wallet": strings.Replace(guarded, `"approvals":2`, `"approvals":1`, 1)}, withClock(func(w *world) {
		w.jump(-3 * day)
		w.pendingOr(w.owner.fresh().do("PUT", policyPath, `{"policy": `+double+`}`))
		w.jump(3 * day)
		w.restart(w.t)
		changes := w.owner.do("GET", policyPath+"/changes", nil).ok()
		if !strings.Contains(changes.body, "olga") {
			w.t.Errorf("the change is not pending any more: %s", changes.short())
		}
		w.proposer.propose(pay(250_000)).refused("policy_refused")
	})},
	{"a broadcast after a jump beyond the delay of a new policy", nil, withClock(func(w *world) {
		id := w.signer.propose(pay(50_000)).has("created").id()
		w.signer.sign(id).ok()
		w.law("wallet", `{"version":1,"allow":[{"name":"later","delay":"2h"}]}`)
		w.jump(3 * time.Hour)
		w.signer.on(id, "broadcast").refused("policy_changed")
		w.jump(-3 * time.Hour)
		w.signer.on(id, "").has(awaiting)
	})},
	{"a pending change after a jump beyond its delay", map[string]string{"wallet": guarded}, withClock(func(w *world) {
		r := w.put("wallet", wider("", ""))
		w.jump(3 * day)
		w.partner.do("POST", policyPath+"/changes/"+w.pendingID(r)+"/approve", nil).ok()
		w.proposer.propose(pay(250_000)).refused("policy_refused")
		w.pendingOr(w.put("wallet", wider("", "")))
		w.proposer.propose(pay(250_000)).refused("policy_refused")
	})},
	{"a jump into the permitted hours", nil, withClock(func(w *world) {
		w.law("wallet", w.hoursAfter(90*time.Minute))
		w.proposer.propose(pay(10_000)).refused("policy_refused")
		w.jump(100 * time.Minute)
		w.proposer.propose(pay(10_000)).refused("policy_refused")
	})},
	{"a broadcast outside of the permitted hours", nil, withClock(func(w *world) {
		w.law("wallet", w.hoursAfter(-10*time.Minute))
		id := w.signer.propose(pay(10_000)).has("created").id()
		w.signer.sign(id).ok()
		w.forward(2 * time.Hour)
		w.signer.on(id, "broadcast").refused("policy_refused")
	})},
	restored("the budget after a restore", budget, func(w *world, restore func()) {
		w.proposer.propose(pay(150_000)).ok()
		restore()
		w.proposer.propose(pay(60_000)).refused("policy_refused")
	}),
	restored("a pending change after a restore", guarded, func(w *world, restore func()) {
		w.pendingOr(w.put("wallet", wider("", "")))
		restore()
		changes := w.owner.do("GET", policyPath+"/changes", nil).ok()
		if !strings.Contains(changes.body, "olga") {
			w.t.Errorf("the change is not pending any more: %s", changes.short())
		}
		w.proposer.propose(pay(250_000)).refused("policy_refused")
	}),
	restored("a payment that awaits approval after a restore", approve, func(w *world, restore func()) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		restore()
		w.signer.on(id, "").has(awaiting)
		w.signer.on(id, "approve").refused("not_an_approver")
		w.signer.upload(id, w.signed(w.stored(id))).refused(awaiting)
	}),
}

// restore backs the server up and restores the backup into another database.
func (w *world) restore() {
	w.t.Helper()
	folder := w.home
	path := filepath.Join(folder, unique("backup"))
	testkit.Must(w.BackUp(w.t.Context(), path))
	w.stop()
	testkit.Check(w.t, w.db.Close())
	w.database, w.spare = w.spare[0], w.spare[1:]
	w.cfg.DataFolder, w.cfg.DatabaseURL = filepath.Join(folder, unique("data")), config.Secret(w.database)
	w.cfg.SecretKey = config.Secret(unique("another signing key of the tests, 32 bytes or more "))
	a := app.New(w.cfg, "test", w.Log, w.now)
	f := testkit.Value(backup.Open(path))(w.t)
	testkit.Value(a.Restore(w.t.Context(), auth.Operator("test"), f, "backup"))(w.t)
	w.connect(w.t)
	w.start(w.t)
	for _, c := range []*caller{w.owner, w.partner, w.signer, w.second, w.proposer, w.viewer, w.outsider} {
		t, r := c.basic().token("", fields{"lifetime": "360 days", "description": unique("base")})
		r.ok()
		c.auth, c.id = t.auth, t.id
	}
	testkit.Eventually(w.t, "the vault is usable", func() bool { return w.owner.send("GET", "{v}", nil).status == 200 })
}
