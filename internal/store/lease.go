package store

import (
	"context"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// TakeLease implements schedule.Leases. It also takes over a lease that ends more than
// clock.Jump after until, which only a process with a wrong clock can have taken.
func (s *Store) TakeLease(ctx context.Context, name, holder string, now, until time.Time) (taken bool, err error) {
	err = s.inRowTx(ctx, func(q *db.Queries) error {
		n, err := q.TakeLease(ctx, db.TakeLeaseParams{
			Name: name, Holder: holder, Until: sqltype.Time{Time: until}, Now: sqltype.Time{Time: now}, Latest: sqltype.Time{Time: until.Add(clock.Jump)},
		})
		if err != nil {
			return fmt.Errorf("take a lease: %w", err)
		}
		taken = n > 0
		return nil
	})
	return taken && err == nil, err
}

// ReleaseLease implements schedule.Leases.
func (s *Store) ReleaseLease(ctx context.Context, name, holder string) error {
	return s.inRowTx(ctx, func(q *db.Queries) error {
		if err := q.ReleaseLease(ctx, db.ReleaseLeaseParams{Name: name, Holder: holder}); err != nil {
			return fmt.Errorf("release a lease: %w", err)
		}
		return nil
	})
}
