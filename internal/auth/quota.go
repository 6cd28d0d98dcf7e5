package auth

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// Quota is the name of a limit on the number of a user's objects.
type Quota string

// The quotas. A new quota requires an entry in quotas and in the store's table of
// counted objects.
const (
	QuotaWallets         Quota = "wallets"
	QuotaTokens          Quota = "tokens"
	QuotaProposals       Quota = "open_proposals"
	QuotaRescans         Quota = "rescans"
	QuotaIdempotencyKeys Quota = "idempotency_keys"
	QuotaLabels          Quota = "labels"
	QuotaFrozen          Quota = "frozen_utxos"
	QuotaAddresses       Quota = "addresses"
	QuotaInvitations     Quota = "invitations"
	QuotaWebhooks        Quota = "webhooks"
)

// QuotaInfo describes a quota.
type QuotaInfo struct {
	Quota Quota
	// Default is the limit that applies unless the settings or an admin set another
	// one.
	Default int64
	// PerWallet is set for objects that are counted per wallet. The limit of the
	// user who adds an object applies.
	PerWallet bool
	Means     string // description of the counted objects
	remedy    string
}

// quotas describes all quotas, in the order in which they are listed to users.
var quotas = []QuotaInfo{
	{QuotaWallets, 1000, false, "wallets that the user is a member of", "delete or leave one"},
	{QuotaTokens, 10_000, false, "tokens, expired ones included", "delete some"},
	{QuotaProposals, 1000, false, "open proposals that the user created", "cancel some, or let them expire"},
	{QuotaRescans, 100, false, "queued and running rescans that the user requested", "wait until one has ended, or stop one"},
	{QuotaIdempotencyKeys, 100_000, false, "stored responses to requests with an Idempotency-Key; they are kept for 24 hours", "repeat the request without a key, or later"},
	{QuotaInvitations, 200, false, "open invitations that the user sent", "withdraw some, or wait until some are accepted or expire"},
	{QuotaWebhooks, 100, false, "webhooks, disabled ones included", "delete some"},
	{QuotaLabels, 1_000_000, true, "labels in a wallet", "delete some"},
	{QuotaFrozen, 100_000, true, "frozen UTXOs in a wallet", "unfreeze some"},
	{QuotaAddresses, 1_000_000, true, "addresses that can be revealed or requested in a wallet, on each branch", "use addresses that were revealed before"},
}

// Quotas returns all quotas, in the order in which they are listed to users.
func Quotas() []QuotaInfo { return slices.Clone(quotas) }

// Info returns the description of a quota. It returns false if the quota does not
// exist.
func (q Quota) Info() (QuotaInfo, bool) {
	i := slices.IndexFunc(quotas, func(info QuotaInfo) bool { return info.Quota == q })
	if i < 0 {
		return QuotaInfo{}, false
	}
	return quotas[i], true
}

// MaxQuota is the maximum limit that can be set.
const MaxQuota = 1_000_000_000

// Limits maps quotas to limits. The default applies to quotas that are not in the
// map.
type Limits map[Quota]int64

// ParseLimits parses limits such as "wallets=10,tokens=100". It returns nil for
// blank text, and an error for an unknown quota or an invalid limit.
func ParseLimits(text string) (Limits, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	limits := Limits{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, value, _ := strings.Cut(item, "=")
		limit, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			limit = -1
		}
		quota := Quota(strings.TrimSpace(name))
		if err := checkLimit(quota, limit); err != nil {
			return nil, err
		}
		limits[quota] = limit
	}
	return limits, nil
}

func checkLimit(q Quota, limit int64) error {
	if _, ok := q.Info(); !ok {
		names := make([]string, len(quotas))
		for i, info := range quotas {
			names[i] = string(info.Quota)
		}
		return fault.InvalidField("quotas", "must name only %s", strings.Join(names, ", "))
	}
	if limit < 0 || limit > MaxQuota {
		return fault.InvalidField("quotas", "%s must be between 0 and %d", q, MaxQuota)
	}
	return nil
}

// String returns the limits in the format of ParseLimits.
func (l Limits) String() string {
	var items []string
	for _, quota := range slices.Sorted(maps.Keys(l)) {
		items = append(items, fmt.Sprintf("%s=%d", quota, l[quota]))
	}
	return strings.Join(items, ",")
}

// Of returns the limit of a quota for a user whose own limits are l, on a server
// with the given limits.
func (l Limits) Of(q Quota, server Limits) int64 {
	if limit, ok := l[q]; ok {
		return limit
	}
	if limit, ok := server[q]; ok {
		return limit
	}
	info, _ := q.Info()
	return info.Default
}

// With returns the limits after a change. A nil value in change resets a quota to
// the default. It returns an error for an unknown quota or an invalid limit, and
// does not change l.
func (l Limits) With(change map[Quota]*int64) (Limits, error) {
	changed := maps.Clone(l)
	if changed == nil {
		changed = Limits{}
	}
	for _, quota := range slices.Sorted(maps.Keys(change)) {
		limit := change[quota]
		if limit == nil {
			limit = new(int64)
			delete(changed, quota)
		} else {
			changed[quota] = *limit
		}
		if err := checkLimit(quota, *limit); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// ErrQuotaExceeded is returned if an object would exceed a quota.
var ErrQuotaExceeded = fault.New(fault.Conflict, "quota_exceeded", "a quota is exceeded")

// Exceeded returns an ErrQuotaExceeded with a message that names the quota, the
// limit and the remedy.
func (q Quota) Exceeded(limit int64) error {
	info, _ := q.Info()
	return ErrQuotaExceeded.
		WithMessage("the quota %s is exceeded: at most %d %s; %s, or ask an admin for a higher limit", q, limit, info.Means, info.remedy).
		WithDetail("quota", string(q)).WithDetail("limit", strconv.FormatInt(limit, 10))
}

// QuotaUse is the usage of a quota by a user.
type QuotaUse struct {
	QuotaInfo
	Limit int64
	Own   bool // whether an admin set the limit for this user
	// Used is the number of objects. If the quota is per wallet, it is the largest
	// number in any of the user's wallets.
	Used int64
}

// QuotaStore counts the objects of users.
type QuotaStore interface {
	// QuotaUse returns the limits and the usage of a user, in the order of Quotas.
	QuotaUse(ctx context.Context, userID string) ([]QuotaUse, error)
}
