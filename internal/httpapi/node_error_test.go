package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestNodeErrors_InBothVersions checks the errors if the configured node is another HTTP
// server. A wallet without a free change address gets a different error, because specterd
// checks for a free change address before it calls the node.
func TestNodeErrors_InBothVersions(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	t.Cleanup(other.Close)
	s := start(t, func(s *setup) { s.nodeURL = other.URL })
	p := s.user(t, "p", false)
	id := s.wallet(t, p, "mine", "owner")
	k := s.token(t, p, 0).bearer()
	const (
		v1, alpha = "/api/v1/wallets/mine/proposals", "/api/v1alpha/wallets/mine/psbt"
		payment   = `{"recipients": [{"address": "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x", "amount_sat": 1000}], "fee_rate_sat_vb": 2}`
		asBefore  = `{"recipients": [{"address": "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x", "amount": 1000, "unit": "sat"}], "fee_rate": 2}`
	)
	s.call(t, "POST", v1, k, payment).wantProblem(t, http.StatusConflict, "too_many_proposals")
	s.call(t, "POST", alpha, k, asBefore).want(t, http.StatusConflict, `{"message":"open proposals have all`)
	s.sql(t, "UPDATE wallets SET range_end = 1 WHERE wallet_id = $1", id)
	s.sql(t, "INSERT INTO addresses (wallet_id, branch, address_index, address) VALUES ($1, 1, 0, $2)", id, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
	s.call(t, "POST", v1, k, payment).wantProblem(t, http.StatusBadGateway, "node_invalid_response")
	s.call(t, "POST", alpha, k, asBefore).want(t, http.StatusBadGateway, `{"message":"invalid response from the Bitcoin node`)
}
