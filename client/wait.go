package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/api/v1"
)

// progress has the statuses of a proposal in their order. Further statuses are closed; the client
// keeps waiting at a status that it does not know.
var (
	progress = []string{"awaiting_approval", "created", "partially_signed", "complete", "broadcast", "confirmed"}
	closed   = []string{"cancelled", "expired", "rejected", "conflicted", "replaced"}
)

// pollInterval is the time between two requests of WaitFor.
const pollInterval = time.Second

// WaitFor waits until a proposal has reached a status, or one of several, and returns the
// proposal. A proposal has also reached the earlier statuses in the order awaiting_approval,
// created, partially_signed, complete, broadcast, confirmed. The error is [ErrProposalClosed] if the
// proposal gets a status from which it cannot reach the requested one, and the cause of ctx when ctx
// is done.
func (c *Client) WaitFor(ctx context.Context, wallet string, proposal ProposalRef, status ...string) (*v1.ProposalDetails, error) {
	if len(status) == 0 {
		return nil, invalid("WaitFor requires a status")
	}
	id, _ := refOf(proposal)
	var current *v1.ProposalDetails
	for {
		var options []CallOption
		if current != nil {
			options = append(options, IfNoneMatch(current))
		}
		switch found, err := c.GetProposal(ctx, wallet, ProposalID(id), options...); {
		case err == nil:
			current = found
		case errors.Is(err, ErrNotModified) && current != nil:
		default:
			return nil, err
		}
		if hasReached(current.Status, status) {
			return current, nil
		}
		if current.Status == "confirmed" || slices.Contains(closed, current.Status) {
			return nil, &Error{Code: ErrProposalClosed, Message: "the proposal is " + current.Status + reason(current), Attempts: 1}
		}
		if !sleep(ctx, pollInterval) {
			return nil, fmt.Errorf("client: the proposal is %s: %w", current.Status, context.Cause(ctx))
		}
	}
}

func reason(p *v1.ProposalDetails) string {
	if p.Reason == nil {
		return ""
	}
	return ": " + *p.Reason
}

// hasReached reports whether a proposal with the current status has reached one of the wanted ones.
func hasReached(current string, wanted []string) bool {
	passed := []string{current}
	if i := slices.Index(progress, current); i >= 0 {
		passed = progress[:i+1]
	}
	return slices.ContainsFunc(wanted, func(status string) bool { return slices.Contains(passed, status) })
}
