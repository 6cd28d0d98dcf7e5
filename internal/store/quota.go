package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
)

// counts has, for each quota except QuotaAddresses, the query that counts the objects of a
// user or in a wallet.
var counts = map[auth.Quota]func(q *db.Queries, ctx context.Context, subjectID string) (int64, error){
	auth.QuotaWallets:         (*db.Queries).CountWalletsOfUser,
	auth.QuotaTokens:          (*db.Queries).CountTokensOfUser,
	auth.QuotaProposals:       (*db.Queries).CountOpenProposalsOfUser,
	auth.QuotaRescans:         (*db.Queries).CountScansOfUser,
	auth.QuotaIdempotencyKeys: (*db.Queries).CountIdempotencyKeysOfUser,
	auth.QuotaInvitations:     (*db.Queries).CountInvitationsByUser,
	auth.QuotaWebhooks:        (*db.Queries).CountWebhooksOfUser,
	auth.QuotaLabels:          (*db.Queries).CountLabelsOfWallet,
	auth.QuotaFrozen:          (*db.Queries).CountFrozenOfWallet,
}

// withSubjectLock calls do, a transaction that charges a quota, while no other such
// transaction for the same user or wallet runs in this process. Otherwise PostgreSQL
// would abort all but one of them, and they would be retried.
func (s *Store) withSubjectLock(ctx context.Context, subjectID string, do func() error) error {
	done, err := s.quotaLocks.Lock(ctx, subjectID)
	if err != nil {
		return err
	}
	defer done()
	return do()
}

// inQuotaTx runs body as inTx does, within withSubjectLock.
func (s *Store) inQuotaTx(ctx context.Context, subjectID string, body func(*db.Queries) error) error {
	return s.withSubjectLock(ctx, subjectID, func() error { return s.inTx(ctx, body) })
}

// quotaTx returns inQuotaTx for a user or wallet.
func (s *Store) quotaTx(subjectID string) transaction {
	return func(ctx context.Context, body func(*db.Queries) error) error {
		return s.inQuotaTx(ctx, subjectID, body)
	}
}

// charge adds the number more, which may be negative, to the use of a quota: by a user or,
// if the quota is per wallet, in a wallet. It must be called after the objects have been
// inserted or deleted. It returns auth.ErrQuotaExceeded if the limit is now exceeded; the
// transaction must then not be committed. If userID is empty, the objects were created by
// the command line, which is not limited.
//
// The table quota_use stores an upper bound of the number of objects. The rows are
// counted only if this bound reaches the limit, so that an insert takes the same time
// regardless of the number of rows. Concurrent inserts conflict on the row in quota_use,
// on both databases and at each isolation level.
func (s *Store) charge(ctx context.Context, q *db.Queries, quota auth.Quota, userID, subjectID string, more int64) error {
	limit := int64(math.MaxInt64)
	if userID != "" {
		var err error
		if limit, err = s.limit(ctx, q, quota, userID); err != nil {
			return err
		}
	}
	n, err := q.RaiseQuotaUse(ctx, db.RaiseQuotaUseParams{More: more, SubjectID: subjectID, Quota: string(quota), Most: limit})
	if err != nil {
		return fmt.Errorf("raise the use of a quota: %w", err)
	}
	if n > 0 {
		return nil
	}
	if err := q.HoldQuotaUse(ctx, db.HoldQuotaUseParams{SubjectID: subjectID, Quota: string(quota)}); err != nil {
		return fmt.Errorf("lock the use of a quota: %w", err)
	}
	used, err := counts[quota](q, ctx, subjectID)
	if err != nil {
		return fmt.Errorf("count the use of a quota: %w", err)
	}
	if more > 0 && used > limit {
		return quota.Exceeded(limit)
	}
	if err := q.SetQuotaUse(ctx, db.SetQuotaUseParams{Used: used, SubjectID: subjectID, Quota: string(quota)}); err != nil {
		return fmt.Errorf("set the use of a quota: %w", err)
	}
	return nil
}

// chargeUser calls charge for a quota that is counted per user.
func (s *Store) chargeUser(ctx context.Context, q *db.Queries, quota auth.Quota, userID string) error {
	return s.charge(ctx, q, quota, userID, userID, 1)
}

// checkLimit returns auth.ErrQuotaExceeded if the value of far is above the user's limit. It
// is for QuotaAddresses, which limits an index instead of a number of objects.
func (s *Store) checkLimit(ctx context.Context, q *db.Queries, quota auth.Quota, userID string, far int64) error {
	limit, err := s.limit(ctx, q, quota, userID)
	if err == nil && far > limit {
		err = quota.Exceeded(limit)
	}
	return err
}

// limit returns the limit of a quota for a user.
func (s *Store) limit(ctx context.Context, q *db.Queries, quota auth.Quota, userID string) (int64, error) {
	own, err := ownLimits(ctx, q, userID)
	return own.Of(quota, s.quotas), err
}

// ownLimits returns the limits that an admin set for a user, or none if the user was
// deleted.
func ownLimits(ctx context.Context, q *db.Queries, userID string) (auth.Limits, error) {
	text, err := q.QuotasOfUser(ctx, userID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, translate(fmt.Errorf("select the quotas of a user: %w", err))
	}
	return limitsOf(text), nil
}

// limitsOf parses limits from the database. An invalid value, which may have been written
// outside of specterd, must not lock a user out: the defaults apply instead.
func limitsOf(text string) auth.Limits {
	limits, err := auth.ParseLimits(text)
	if err != nil {
		return nil
	}
	return limits
}

// QuotaUse implements auth.QuotaStore.
func (s *Store) QuotaUse(ctx context.Context, userID string) ([]auth.QuotaUse, error) {
	var uses []auth.QuotaUse
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		own, err := ownLimits(ctx, q, userID)
		if err != nil {
			return err
		}
		uses = nil
		for _, info := range auth.Quotas() {
			use := auth.QuotaUse{QuotaInfo: info, Limit: own.Of(info.Quota, s.quotas)}
			_, use.Own = own[info.Quota]
			if use.Used, err = usedOf(ctx, q, info, userID); err != nil {
				return fmt.Errorf("count the use of a quota: %w", err)
			}
			uses = append(uses, use)
		}
		return nil
	})
	return uses, err
}

func usedOf(ctx context.Context, q *db.Queries, info auth.QuotaInfo, userID string) (int64, error) {
	switch {
	case info.Quota == auth.QuotaAddresses:
		return q.LongestRangeOfUser(ctx, userID)
	case info.PerWallet:
		return q.MostUsedOfWallets(ctx, db.MostUsedOfWalletsParams{UserID: userID, Quota: string(info.Quota)})
	}
	return counts[info.Quota](q, ctx, userID)
}
