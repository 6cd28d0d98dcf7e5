package v1_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestRequests(t *testing.T) {
	for want, request := range map[string]any{
		`{}`:                             v1.ChangeWalletRequest{},
		`{"max_fee_rate_sat_vb":2.5}`:    v1.ChangeWalletRequest{MaxFeeRate: v1.Set(v1.FeeRate(2.5))},
		`{"max_fee_rate_sat_vb":null}`:   v1.ChangeWalletRequest{MaxFeeRate: v1.Clear[v1.FeeRate]()},
		`{"wallets":["a"],"kinds":null}`: v1.ChangeWebhookRequest{Wallets: v1.Set([]string{"a"}), Kinds: v1.Clear[[]string]()},
		`{"description":"shop"}`:         v1.CreateTokenRequest{Description: "shop"},
		`{"description":"shop","scopes":["node:read"],"policy":{"version":1},"wallets":[]}`:  v1.CreateTokenRequest{Description: "shop", Scopes: []string{"node:read"}, Policy: v1.Document(`{"version":1}`), Wallets: []string{}},
		`{"recipients":[{"address":"a","amount_sat":5}],"replaceable":false,"dry_run":true}`: v1.CreateProposalRequest{Recipients: []v1.Recipient{{Address: "a", Amount: new(int64(5))}}, Replaceable: new(false), DryRun: true},
		`{"fee_rate_sat_vb":0.001}`:       v1.BumpProposalRequest{FeeRate: new(v1.FeeRate(0.001))},
		`{"from":186}`:                    v1.StartRescanRequest{From: v1.AtHeight(186)},
		`{"from":"now"}`:                  v1.StartRescanRequest{From: v1.Now()},
		`{"from":"2026-01-31T11:00:00Z"}`: v1.StartRescanRequest{From: v1.AtTime(time.Date(2026, 1, 31, 12, 0, 0, 5, time.FixedZone("", 3600)))},
		`{"label":""}`:                    v1.LabelOutputRequest{Label: new("")},
		`{"policy":null}`:                 v1.PutPolicyRequest{},
	} {
		t.Run(want, func(t *testing.T) {
			if got := string(testkit.Value(json.Marshal(request))(t)); got != want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestChange(t *testing.T) {
	for text, want := range map[string]struct {
		value *v1.FeeRate
		isSet bool
	}{`{}`: {nil, false}, `{"max_fee_rate_sat_vb": null}`: {nil, true}, `{"max_fee_rate_sat_vb": 2.5}`: {new(v1.FeeRate(2.5)), true}} {
		t.Run(text, func(t *testing.T) {
			var r v1.ChangeWalletRequest
			testkit.Check(t, json.Unmarshal([]byte(text), &r))
			got, isSet := r.MaxFeeRate.Get()
			if isSet != want.isSet || r.MaxFeeRate.IsZero() == isSet || (got == nil) != (want.value == nil) || got != nil && *got != *want.value {
				t.Errorf("got %v, %v", got, isSet)
			}
		})
	}
	if c := v1.Set(5); json.Unmarshal([]byte(`"x"`), &c) == nil {
		t.Error("a text is accepted as a number")
	}
}

func TestDocument(t *testing.T) {
	text := []byte(`{"version":1}`)
	var d v1.Document
	testkit.Check(t, d.UnmarshalJSON(text))
	text[2] = 'x' // d must be a copy
	if got := string(testkit.Value(json.Marshal(d))(t)); got != `{"version":1}` {
		t.Errorf("got %s", got)
	}
	if got := string(testkit.Value(json.Marshal(v1.Document(nil)))(t)); got != "null" {
		t.Errorf("got %s", got)
	}
}

func TestVersions(t *testing.T) {
	read := v1.ProposalDetails{ProposalSummary: v1.ProposalSummary{ID: new("p")}, Version: 7}
	dryRun := v1.ProposalDetails{Version: 7}
	listed := v1.ProposalDetails{ProposalSummary: read.ProposalSummary}
	for name, test := range map[string]struct {
		of       interface{ Ref() (string, string) }
		id, etag string
	}{
		"a proposal that was read": {read, "p", `"7"`},
		"a cancelled proposal":     {v1.CancelledProposal{ProposalDetails: read}, "p", `"7"`},
		"a proposal of a list":     {read.ProposalSummary, "p", ""},
		"without an ETag":          {listed, "p", ""},
		"a dry run":                {dryRun, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if id, etag := test.of.Ref(); id != test.id || etag != test.etag {
				t.Errorf("got %q and %q", id, etag)
			}
		})
	}
}
