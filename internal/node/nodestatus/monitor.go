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

// Options are optional settings of a Monitor.
type Options struct {
	// Interval is the time between polls; zero means two seconds. While the node does not
	// respond, the time doubles after each poll, up to five seconds.
	Interval time.Duration
	// Identity is consulted at the first contact and when the chain or the genesis
	// block changes; nil accepts any chain.
	Identity Identity
}

// Monitor polls a node and stores its Status. It is safe for concurrent use.
type Monitor struct {
	log      *slog.Logger
	rpc      RPC
	now      func() time.Time
	interval time.Duration
	identity Identity

	status atomic.Pointer[Status]

	polling  chan struct{} // held while polling; guards the following fields
	checked  chainID       // the chain that was last passed to identity, and the result
	accessAt time.Time     // time of the last access check; zero to repeat it
	logged   string        // the last logged state
}

// chainID is a chain and the result of checking it.
type chainID struct {
	chain, genesis string
	problem        *fault.Error
}

// New returns a Monitor, which has no information until Run or Check has polled.
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
	m.status.Store(&Status{Problem: problem("the Bitcoin node has not been contacted yet; try again shortly", nil)})
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

// Status returns the result of the last poll without waiting.
func (m *Monitor) Status() Status { return *m.status.Load() }

// Ready returns Status().Ready().
func (m *Monitor) Ready() *fault.Error { return m.Status().Ready() }

// Check polls the node once, after a running poll has ended, and returns the new
// status, or the previous one if ctx ends first.
func (m *Monitor) Check(ctx context.Context) Status {
	select {
	case m.polling <- struct{}{}:
	case <-ctx.Done():
		return m.Status()
	}
	defer func() { <-m.polling }()
	next := m.poll(ctx)
	if ctx.Err() != nil {
		return m.Status() // the poll was interrupted and yields no information
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
	if snapshot.Uptime < next.Uptime { // the node was restarted
		m.accessAt = time.Time{}
	}
	next.Reachable, next.LastContact, next.Snapshot = true, next.CheckedAt, snapshot
	if next.Problem = m.checkChain(ctx, snapshot.Chain, snapshot.Genesis); next.Problem == nil {
		next.Problem = lacking
	}
	return next
}

// updateAccess checks which methods the node allows, if that is due.
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

// without returns the status after a poll that failed with err. A reachable node that
// is busy keeps its status for busyPatience.
func (m *Monitor) without(next Status, err error) Status {
	next.CheckedAt = m.now()
	if next.Reachable && errors.Is(err, rpcclient.ErrBusy) && next.CheckedAt.Sub(next.LastContact) < busyPatience {
		return next
	}
	m.accessAt = time.Time{}
	next.Reachable, next.Problem = false, asFault(err)
	return next
}

// checkChain consults the identity about a new chain. If the identity fails, for
// example because the database is unavailable, the next poll tries again.
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
		return problem("the chain of the Bitcoin node has not been verified yet; try again shortly", err)
	}
	m.checked = chainID{chain: chain, genesis: genesis}
	if err != nil {
		m.checked.problem = asFault(err)
	}
	return m.checked.problem
}

// report logs the state if it differs from the last one.
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

// asFault returns the fault in err's chain, which may be shown to users, or
// ErrInvalidResponse if there is none.
func asFault(err error) *fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return rpcclient.ErrInvalidResponse.WithCause(err)
}

// problem returns an ErrUnavailable with the given message and cause.
func problem(message string, cause error) *fault.Error {
	return fault.New(fault.Unavailable, rpcclient.ErrUnavailable.Code, "%s", message).WithRetryAfter(retryAfter).WithCause(cause)
}
