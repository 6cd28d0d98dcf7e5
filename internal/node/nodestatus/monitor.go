package nodestatus

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

const (
	defaultInterval = 2 * time.Second
	maxBackoff      = 5 * time.Second
	busyPatience    = 30 * time.Second
)

// Options are what may be left out when making a Monitor.
type Options struct {
	// Interval is the time between polls; zero means two seconds. While the node
	// does not answer the time doubles, up to five seconds.
	Interval time.Duration
	// Identity is asked at the first contact and when the chain or the genesis
	// block changes; nil takes any chain.
	Identity Identity
}

// Monitor polls a node and keeps its Status. It is safe for concurrent use.
type Monitor struct {
	log      *slog.Logger
	rpc      RPC
	now      func() time.Time
	interval time.Duration
	identity Identity

	status atomic.Pointer[Status]

	polling  chan struct{} // held by the one who polls, who alone uses what follows
	checked  chainID       // what identity was last asked about, and said
	accessAt time.Time     // when the node was last asked which methods it allows; zero for again
	logged   string        // the state that was last logged
}

// chainID is a chain, and what is wrong with it.
type chainID struct {
	chain, genesis string
	problem        *fault.Error
}

// New returns a Monitor, which knows nothing until Run or Check has polled.
func New(log *slog.Logger, rpc RPC, now func() time.Time, opts Options) *Monitor {
	m := &Monitor{
		log: log, rpc: rpc, now: now,
		interval: opts.Interval,
		identity: opts.Identity,
		polling:  make(chan struct{}, 1),
	}
	if m.interval <= 0 {
		m.interval = defaultInterval
	}
	m.status.Store(&Status{Problem: problem("the Bitcoin node has not been asked yet; try again shortly", nil)})
	return m
}

// Run polls until ctx ends, and then returns nil.
func (m *Monitor) Run(ctx context.Context) error {
	wait := time.NewTimer(0)
	defer wait.Stop()
	pause := m.interval
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		if m.Check(ctx).Reachable {
			pause = m.interval
		} else {
			pause = min(2*pause, maxBackoff)
		}
		wait.Reset(pause)
	}
}

// Status returns what the last poll found, without waiting.
func (m *Monitor) Status() Status { return *m.status.Load() }

// Ready is Status().Ready().
func (m *Monitor) Ready() *fault.Error { return m.Status().Ready() }

// Check polls the node once, after a poll that is under way, and returns what
// is then known. Where ctx ends first, that is what was known before.
func (m *Monitor) Check(ctx context.Context) Status {
	select {
	case m.polling <- struct{}{}:
	case <-ctx.Done():
		return m.Status()
	}
	defer func() { <-m.polling }()
	next := m.poll(ctx)
	if ctx.Err() != nil {
		return m.Status() // the poll was cut short, which says nothing of the node
	}
	m.status.Store(&next)
	m.report(next)
	return next
}

func (m *Monitor) poll(ctx context.Context) Status {
	next := m.Status()
	if err := m.updateAccess(ctx, &next); err != nil {
		return m.without(next, err)
	}
	lacking := next.access.problem()
	var forFees []rpcclient.Request
	if next.feesDue(m.now(), next.access) {
		forFees = feeRequests()
	}
	snapshot, err := fetch(ctx, m.rpc, forFees, next.access)
	switch {
	case lacking != nil && errors.Is(err, rpcclient.ErrMethodForbidden):
		next.CheckedAt, next.Reachable, next.Problem = m.now(), false, lacking
		return next
	case err != nil:
		return m.without(next, err)
	}
	next.CheckedAt = m.now()
	if forFees != nil {
		next.Fees = feesOf(forFees, next.CheckedAt)
	}
	if snapshot.Uptime < next.Uptime { // it was restarted
		m.accessAt = time.Time{}
	}
	next.Reachable, next.LastContact, next.Snapshot = true, next.CheckedAt, snapshot
	if next.Problem = m.checkChain(ctx, snapshot.Chain, snapshot.Genesis); next.Problem == nil {
		next.Problem = lacking
	}
	return next
}

// updateAccess asks which methods the node allows, where it is time to.
func (m *Monitor) updateAccess(ctx context.Context, next *Status) error {
	now := m.now()
	if !m.accessAt.IsZero() && now.Sub(m.accessAt) < accessInterval {
		return nil
	}
	may, err := checkAccess(ctx, m.rpc)
	if err == nil {
		next.access, m.accessAt = may, now
	}
	return err
}

// without returns the status after a poll that brought nothing because of err. A
// node that was there just now and is busy is as it was.
func (m *Monitor) without(next Status, err error) Status {
	next.CheckedAt = m.now()
	if next.Reachable && errors.Is(err, rpcclient.ErrBusy) && next.CheckedAt.Sub(next.LastContact) < busyPatience {
		return next
	}
	m.accessAt = time.Time{}
	next.Reachable, next.Problem = false, asFault(err)
	return next
}

// checkChain asks the identity about a chain that is another than before. An
// answer that is no verdict, such as that of a database that is away, is asked
// for again at the next poll.
func (m *Monitor) checkChain(ctx context.Context, chain, genesis string) *fault.Error {
	if m.identity == nil {
		return nil
	}
	if m.checked.chain == chain && m.checked.genesis == genesis {
		return m.checked.problem
	}
	err := m.identity.CheckChain(ctx, chain, genesis)
	if err != nil && !errors.Is(err, ErrWrongChain) {
		m.checked = chainID{}
		return problem("it is not known yet whether the Bitcoin node is on the right chain; try again shortly", err)
	}
	m.checked = chainID{chain: chain, genesis: genesis}
	if err != nil {
		m.checked.problem = asFault(err)
	}
	return m.checked.problem
}

// report logs a state that is another than the last.
func (m *Monitor) report(s Status) {
	state := "node reached"
	if s.Problem != nil {
		state = s.Problem.Code
	}
	if state == m.logged {
		return
	}
	m.logged = state
	switch {
	case s.Problem == nil:
		m.log.Info("node reached", "chain", s.Chain, "blocks", s.Blocks, "version", s.Version, "subversion", s.Subversion)
	case errors.Is(s.Problem, ErrWrongChain):
		m.log.Error("node wrong chain", "chain", s.Chain, "genesis", s.Genesis, "error", s.Problem)
	case s.Reachable && s.Problem.Code == rpcclient.ErrUnavailable.Code:
		m.log.Error("node chain unchecked", "chain", s.Chain, "error", s.Problem)
	case errors.Is(s.Problem, ErrWalletDisabled), errors.Is(s.Problem, rpcclient.ErrMethodForbidden), errors.Is(s.Problem, rpcclient.ErrMethodUnknown):
		m.log.Error("node configuration unusable", "code", s.Problem.Code, "error", s.Problem)
	default:
		m.log.Warn("node lost", "code", s.Problem.Code, "error", s.Problem)
	}
}

// asFault returns the fault in err's chain, which may be shown, and where there
// is none a bad answer: the node refused what every node answers.
func asFault(err error) *fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return rpcclient.ErrBadAnswer.Because(err)
}

// problem is ErrUnavailable with a message of ours.
func problem(message string, cause error) *fault.Error {
	return fault.New(fault.Unavailable, rpcclient.ErrUnavailable.Code, "%s", message).After(retryAfter).Because(cause)
}
