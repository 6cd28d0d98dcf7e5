package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestSpends_Model_Concurrent makes random payments, replacements, dry runs and changes of
// status, time and policies, also in two processes at once, and compares each result and what
// counts under each rule with a model that sums all payments each time.
func TestSpends_Model_Concurrent(t *testing.T) {
	many := testkit.Size(1500, 1_000_000)
	if text := os.Getenv("SPECTERD_OPERATIONS"); text != "" {
		var err error
		many, err = strconv.Atoi(text)
		testkit.Check(t, err)
	}
	seed := testkit.Seed(t)
	for name, open := range map[string]func(testing.TB) *fixture{"sqlite": openSQLite, "postgres": openPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done, results := 0, map[string]int{}
			for part := uint64(0); done < many && !t.Failed(); part++ {
				before := done
				t.Run(fmt.Sprint(part), func(t *testing.T) { // a database of its own
					m := newSpendModel(t, open(t), rand.New(rand.NewPCG(seed, part)), results)
					for range min(operationsInOneDatabase, many-done) {
						done++
						if m.step(); t.Failed() {
							t.Logf("SPECTERD_SEED=%d, part %d, after %d operations", seed, part, done)
							return
						}
					}
				})
				if done == before {
					return // the part was skipped, because the database is not available
				}
			}
			if !t.Failed() {
				testkit.Figure(t, "%s: %d operations: %v; 0 overspends, 0 wrong refusals", name, done, results)
			}
		})
	}
}

const operationsInOneDatabase = 10_000

// modelRule is a rule of the model.
type modelRule struct {
	name       string
	maxPayment btc.Amount // 0 for none
	per        time.Duration
	maxSat     btc.Amount
	maxCount   int
	approvals  int
}

// payment is a payment in the model.
type modelPayment struct {
	id, wallet string
	amount     btc.Amount // with the fee
	at         time.Time
	status     proposal.Status
	sent       bool
	replaces   *modelPayment
	replacedBy []*modelPayment
	rules      map[string]string // by subject
	stored     proposal.Proposal
}

// spendModel is the model, and the stores that it is compared with.
type spendModel struct {
	*fixture
	r        *rand.Rand
	results  map[string]int
	stores   []*store.Store
	wallets  []wallet.Wallet
	users    []auth.User
	tokens   map[string][]string // subjects of the layers of tokens, by id
	ids      []string            // of tokens; the first is empty
	policies map[string][]modelRule
	payments []*modelPayment
	doubt    time.Duration // by which the clock is ahead of the last trusted time
	number   int
}

func newSpendModel(t *testing.T, b *fixture, r *rand.Rand, results map[string]int) *spendModel {
	t.Helper()
	m := &spendModel{fixture: b, r: r, results: results, stores: []*store.Store{b.Store}, tokens: map[string][]string{}, ids: []string{""}, policies: map[string][]modelRule{}}
	m.start()
	t.Cleanup(func() { testkit.Check(t, m.stores[1].Close()) })
	for _, name := range []string{"alice", "bob"} {
		m.users = append(m.users, b.user(name, false))
	}
	for _, name := range []string{"vault", "cash"} {
		m.wallets = append(m.wallets, b.wallet(m.users[0], name))
	}
	parent := b.token(m.users[0], "parent", "")
	child := b.token(m.users[0], "child", parent.ID)
	m.tokens[parent.ID], m.tokens[child.ID] = []string{"token:p"}, []string{"token:c", "token:p"}
	m.ids = append(m.ids, parent.ID, child.ID)
	m.setTokenPolicy(parent.ID, "p")
	m.setTokenPolicy(child.ID, "c")
	m.changePolicy("server")
	for _, w := range m.wallets {
		m.changePolicy("wallet:" + w.ID)
	}
	m.changePolicy("member:" + m.wallets[0].ID + ":" + m.users[1].ID)
	return m
}

// randomRules returns two rules: small payments, and large ones that require an approval.
func (m *spendModel) randomRules() ([]modelRule, string) {
	long := time.Duration(1 + 9*m.r.IntN(2)) // some windows are longer than a day
	rules := []modelRule{
		{name: "a small", maxPayment: btc.Amount(1000 + m.r.IntN(4000)), per: time.Hour, maxSat: btc.Amount(5000 + m.r.IntN(30_000)), maxCount: 2 + m.r.IntN(12)},
		{name: "b large", per: long * 3 * time.Hour, maxSat: btc.Amount(long) * btc.Amount(20_000+m.r.IntN(60_000)), maxCount: 100 * int(long), approvals: 1},
	}
	text := `{"version":1,"allow":[`
	for i, rule := range rules {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"name":%q,`, rule.name)
		if rule.maxPayment > 0 {
			text += fmt.Sprintf(`"max_payment_sat":%d,`, rule.maxPayment)
		}
		text += fmt.Sprintf(`"windows":[{"per":"%dh","max_sat":%d,"max_count":%d}]`, int(rule.per.Hours()), rule.maxSat, rule.maxCount)
		if rule.approvals > 0 {
			text += `,"approvals":{"count":1}`
		}
		text += "}"
	}
	return rules, text + "]}"
}

func (m *spendModel) changePolicy(subject string) {
	rules, document := m.randomRules()
	m.policies[subject] = rules
	m.setPolicy(subject, document)
}

func (m *spendModel) setTokenPolicy(id, policyID string) {
	rules, document := m.randomRules()
	m.policies["token:"+policyID] = rules
	m.exec("UPDATE tokens SET policy = $1, policy_id = $2 WHERE token_id = $3", document, policyID, id)
}

// count returns what a payment counts for under a rule.
func (x *modelPayment) count(subject, rule string) (btc.Amount, int) {
	if !x.mayConfirm() || x.rules[subject] != rule {
		return 0, 0
	}
	if highest := x.highest(subject, rule); highest > 0 {
		return max(0, x.amount-highest), 0
	}
	return x.amount, 1
}

// mayConfirm reports whether a payment is active, or was sent before it was replaced, and no
// replacement is confirmed.
func (x *modelPayment) mayConfirm() bool {
	return x.status.Active() || x.status == proposal.Replaced && x.sent && !x.isReplacementConfirmed()
}

func (x *modelPayment) isReplacementConfirmed() bool {
	return slices.ContainsFunc(x.replacedBy, func(y *modelPayment) bool {
		return y.status == proposal.Confirmed || y.isReplacementConfirmed()
	})
}

// highest returns the highest amount of the replacements under a rule that are active or were
// sent; 0 for none.
func (x *modelPayment) highest(subject, rule string) (most btc.Amount) {
	for _, y := range x.replacedBy {
		most = max(most, y.highest(subject, rule))
		if (y.status.Active() || y.status == proposal.Replaced && y.sent) && y.rules[subject] == rule {
			most = max(most, y.amount)
		}
	}
	return most
}

// counted returns what counts under a rule after a time.
func (m *spendModel) counted(subject, rule string, after time.Time) (sum btc.Amount, n int) {
	for _, x := range slices.Backward(m.payments) {
		if x.at.Before(after.Add(-6 * time.Hour)) { // they are in order, except for jumps of the clock
			break
		}
		if x.at.After(after) {
			amount, count := x.count(subject, rule)
			sum, n = sum+amount, n+count
		}
	}
	return sum, n
}

// try adds a payment to the model and returns whether all layers permit it. If they do not, the
// model does not change.
func (m *spendModel) try(x *modelPayment, subjects []string) bool {
	was := proposal.Status("")
	if x.replaces != nil {
		if was = x.replaces.status; was.Open() {
			x.replaces.status = proposal.Replaced
		}
	}
	end := m.now
	if m.doubt > 0 {
		end = end.Add(-m.doubt)
	}
	m.payments = append(m.payments, x)
	if x.replaces != nil {
		x.replaces.replacedBy = append(x.replaces.replacedBy, x)
	}
	for _, subject := range subjects {
		permitted := false
		for _, rule := range m.policies[subject] {
			x.rules[subject] = rule.name
			sum, n := m.counted(subject, rule.name, end.Add(-rule.per))
			if permitted = (rule.maxPayment == 0 || x.amount-500 <= rule.maxPayment) && sum <= rule.maxSat && n <= rule.maxCount; permitted {
				if rule.approvals > 0 {
					x.status = proposal.AwaitingApproval
				}
				break
			}
		}
		if !permitted {
			m.undo(x, was)
			return false
		}
	}
	return true
}

func (m *spendModel) undo(x *modelPayment, was proposal.Status) {
	m.payments = m.payments[:len(m.payments)-1]
	if x.replaces != nil {
		x.replaces.status = was
		x.replaces.replacedBy = x.replaces.replacedBy[:len(x.replaces.replacedBy)-1]
	}
}

// draft returns a random payment with its layers.
func (m *spendModel) draft(replaces *modelPayment) (*modelPayment, []string) {
	m.number++
	w := m.wallets[m.r.IntN(len(m.wallets))]
	if replaces != nil {
		w = m.wallets[slices.IndexFunc(m.wallets, func(w wallet.Wallet) bool { return w.ID == replaces.wallet })]
	}
	u, token := m.users[m.r.IntN(len(m.users))], ""
	if u.ID == m.users[0].ID {
		token = m.ids[m.r.IntN(len(m.ids))]
	}
	x := &modelPayment{wallet: w.ID, amount: btc.Amount(700 + m.r.IntN(6000)), at: m.now, status: proposal.Created, replaces: replaces, rules: map[string]string{}}
	p := pays(m.fixture, w, m.number, x.amount)
	p.Creator = proposal.Actor{UserID: u.ID, UserName: u.Name, TokenID: token}
	if replaces != nil {
		p.Inputs, p.ReplacesID = replaces.stored.Inputs, replaces.id
	}
	x.id, x.stored = p.ID, p
	subjects := []string{"server", "wallet:" + w.ID}
	if member := "member:" + w.ID + ":" + u.ID; m.policies[member] != nil {
		subjects = append(subjects, member)
	}
	return x, append(subjects, m.tokens[token]...)
}

func (m *spendModel) moment() proposal.Moment {
	return proposal.Moment{Network: btc.Regtest, Now: m.now, Trusted: m.now.Add(-m.doubt)}
}

// add stores a payment in one of the processes.
func (m *spendModel) add(s *store.Store, x *modelPayment) error {
	_, err := s.AddProposal(m.t.Context(), x.stored, m.moment(), nil, auth.Event{At: m.now, Action: "proposal.create"})
	return err
}

func (m *spendModel) step() {
	m.t.Helper()
	s := m.stores[m.r.IntN(len(m.stores))]
	switch n := m.r.IntN(100); {
	case n < 30:
		m.create(s, nil, false)
	case n < 40:
		m.create(s, nil, true)
	case n < 55:
		if x := m.pick(proposal.AwaitingApproval, proposal.Created, proposal.Broadcast); x != nil {
			m.create(s, x, m.r.IntN(4) == 0)
		}
	case n < 62:
		m.race()
	case n < 90:
		m.move(s)
	case n < 96:
		m.now, m.doubt = m.now.Add(time.Duration(m.r.IntN(20))*time.Minute), 0
	case n < 98: // the clock jumps ahead, and is set back later
		jump := time.Duration(1+m.r.IntN(5)) * time.Hour
		m.now, m.doubt = m.now.Add(jump), jump
		m.create(s, nil, false)
		m.now, m.doubt = m.now.Add(-jump), 0
	default:
		subjects := []string{"server", "wallet:" + m.wallets[0].ID, "wallet:" + m.wallets[1].ID}
		m.changePolicy(subjects[m.r.IntN(len(subjects))])
		m.results["policy changed"]++
	}
	if m.r.IntN(50) == 0 {
		m.compare()
	}
	if m.r.IntN(500) == 0 {
		testkit.Check(m.t, m.stores[1].Close())
		m.start()
		m.results["restart"]++
	}
}

// start opens the database in a second process.
func (m *spendModel) start() {
	m.t.Helper()
	s, err := store.Open(m.t.Context(), m.options)
	testkit.Check(m.t, err)
	m.stores = append(m.stores[:1], s)
}

// pick returns a random payment of the last ones with a status; nil if there is none.
func (m *spendModel) pick(statuses ...proposal.Status) *modelPayment {
	last := m.payments[max(0, len(m.payments)-60):]
	var found []*modelPayment
	for _, x := range last {
		if len(statuses) == 0 || slices.Contains(statuses, x.status) {
			found = append(found, x)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[m.r.IntN(len(found))]
}

// create creates a payment, or tries it in a dry run.
func (m *spendModel) create(s *store.Store, replaces *modelPayment, dryRun bool) {
	m.t.Helper()
	x, subjects := m.draft(replaces)
	was := proposal.Status("")
	if replaces != nil {
		was = replaces.status
	}
	want := m.try(x, subjects)
	var err error
	if dryRun {
		_, err = s.TryProposal(m.t.Context(), x.stored, m.moment(), nil)
		if want {
			m.undo(x, was)
		}
	} else {
		err = m.add(s, x)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code == proposal.ErrPolicyRefused.Code && !want && m.doubt == 0 {
		m.checkPermittedAt(x, subjects, f.PermittedAt)
	}
	switch isTaken := errors.Is(err, proposal.ErrUTXOReserved); {
	case isTaken: // another open replacement has the inputs
		if want && !dryRun {
			m.undo(x, was)
		}
		m.results["taken"]++
	case err != nil && !errors.Is(err, proposal.ErrPolicyRefused):
		m.t.Error(err)
	case (err == nil) != want:
		m.t.Errorf("the payment %+v of %v: %v, and the model permits it: %v", x, subjects, err, want)
	case dryRun:
		m.results["dry run"]++
	case want:
		what := "created"
		if replaces != nil {
			what = "replacement created"
		}
		m.results[what]++
	default:
		m.results["refused"]++
	}
}

// race creates two payments at once. The results must be those of one of the two orders.
func (m *spendModel) race() {
	m.t.Helper()
	var xs [2]*modelPayment
	var subjects [2][]string
	for i := range xs {
		xs[i], subjects[i] = m.draft(nil)
	}
	var errs [2]error
	var wait sync.WaitGroup
	for i := range xs {
		s := m.stores[i%len(m.stores)]
		wait.Go(func() { errs[i] = m.add(s, xs[i]) })
	}
	wait.Wait()
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		before := len(m.payments)
		matches := true
		for _, i := range order {
			xs[i].status, xs[i].rules = proposal.Created, map[string]string{}
			permitted := m.try(xs[i], subjects[i])
			matches = matches && permitted == (errs[i] == nil) && (!permitted || m.hasRules(xs[i]))
		}
		if matches {
			m.results["race"]++
			return
		}
		m.payments = m.payments[:before]
	}
	m.t.Errorf("two payments at once: %v, which is not possible in any order", errs)
}

// hasRules reports whether the store has charged the same rules for a payment.
func (m *spendModel) hasRules(x *modelPayment) bool {
	var want []string
	for subject, rule := range x.rules {
		want = append(want, subject+" "+rule)
	}
	slices.Sort(want)
	got := strings.Split(m.rows("SELECT subject, rule FROM spends WHERE proposal_id = $1", x.id), "\n")
	slices.Sort(got)
	return slices.Equal(got, want)
}

// move changes the status of a payment.
func (m *spendModel) move(s *store.Store) {
	m.t.Helper()
	x := m.pick()
	if x == nil {
		return
	}
	to := []proposal.Status{
		proposal.Cancelled, proposal.Expired, proposal.Rejected, proposal.Broadcast, proposal.Confirmed, proposal.Conflicted, proposal.Replaced, proposal.Created,
	}[m.r.IntN(8)]
	_, err := s.UpdateProposal(m.t.Context(), x.wallet, x.id, func(u *proposal.Update) error {
		u.Status, u.Changed = to, true
		u.Steps = append(u.Steps, proposal.Step{At: m.now, Action: string(to)})
		return nil
	})
	switch {
	case err == nil:
		x.status = to
		x.sent = x.sent || to == proposal.Broadcast || to == proposal.Confirmed
		m.results[string(to)]++
	case !errors.Is(err, proposal.ErrUTXOReserved): // by its replacement
		m.t.Error(err)
	}
}

// compare compares what counts under each rule.
func (m *spendModel) compare() {
	m.t.Helper()
	for subject, rules := range m.policies {
		for _, rule := range rules {
			sum, n := m.counted(subject, rule.name, time.Time{})
			if got, want := m.fixture.counted(subject, rule.name), fmt.Sprintf("%d %d", sum, n); got != want {
				m.t.Errorf("%s, %s: %s counts, want %s", subject, rule.name, got, want)
			}
		}
	}
}
