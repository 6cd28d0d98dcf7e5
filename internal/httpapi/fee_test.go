package httpapi_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/nodestatus"
)

func TestFees(t *testing.T) {
	t.Parallel()
	s := start(t)
	k := s.token(t, s.user(t, "p", false), auth.NodeRead).bearer()
	known := nodestatus.Snapshot{Chain: "main", MempoolMinFee: "0.00001001"}
	s.node.status.Store(&nodestatus.Status{Reachable: true, Snapshot: known, Fees: nodestatus.Fees{
		At: s.clock.now(), PerKvB: []btc.Amount{123_456, 20_000, 10_500, 0, 1000, 1001, 1},
	}})
	s.call(t, "GET", "/api/v1/fees", k, "").want(t, 200).wantJSON(t, `{"estimates": [
		{"target_blocks": 2, "fee_rate_sat_vb": 123.456, "fee_source": "estimate"}, {"target_blocks": 3, "fee_rate_sat_vb": 20, "fee_source": "estimate"}, {"target_blocks": 6, "fee_rate_sat_vb": 10.5, "fee_source": "estimate"},
		{"target_blocks": 12, "fee_rate_sat_vb": null, "fee_source": "fallback"}, {"target_blocks": 24, "fee_rate_sat_vb": 1, "fee_source": "minimum"}, {"target_blocks": 144, "fee_rate_sat_vb": 1.001, "fee_source": "minimum"},
		{"target_blocks": 1008, "fee_rate_sat_vb": 0.001, "fee_source": "minimum"}],
		"mempool_minimum_sat_vb": 1.001, "max_fee_rate_sat_vb": 100, "updated_at": "2026-12-01T10:00:00.25Z"}`)
	s.node.status.Store(&nodestatus.Status{Problem: fault.New(fault.Unavailable, "node_unavailable", "away").WithRetryAfter(5 * time.Second), Snapshot: known})
	if got := s.call(t, "GET", "/api/v1/fees", k, "").wantProblem(t, 503, "node_unavailable"); got.header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
}
