package store

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
)

// TimeEvaluation returns the time for evaluating the policies of a new proposal in a transaction.
func TimeEvaluation(ctx context.Context, s *Store, p *proposal.Proposal, m proposal.Moment) (took time.Duration, err error) {
	err = s.inReadTx(ctx, func(q *db.Queries) error {
		began := time.Now()
		r := rules{ctx, s, q, true}
		layers, err := r.Layers(p)
		if err != nil {
			return err
		}
		_, err = r.Evaluate(p, layers, m)
		took = time.Since(began)
		return err
	})
	return took, err
}

// UsageWithout returns what a replacement sees of the windows of rules that takes over what other
// payments count for.
func UsageWithout(ctx context.Context, s *Store, ids ...string) (policy.Usage, error) {
	u := usage{rules: rules{ctx, s, s.reads(), true}}
	for _, id := range ids {
		if err := u.exclude(&proposal.Proposal{ID: id}); err != nil {
			return nil, err
		}
	}
	return u, nil
}
