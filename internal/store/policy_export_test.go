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

// UsageOf returns what a new proposal sees of the windows of rules.
func UsageOf(ctx context.Context, s *Store) policy.Usage {
	return usage{rules: rules{ctx, s, s.reads(), true}}
}
