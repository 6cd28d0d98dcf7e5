package httpapi_test

import (
	"strings"
	"testing"
)

// testProposalFees checks that owners can limit the fee rate of proposals within the limit of
// the server, and that both API versions refuse higher rates.
func testProposalFees(t *testing.T, w *spending) {
	wallet := strings.TrimSuffix(w.path, "/proposals")
	change := func(role, body string) answer { return w.call(t, "PATCH", wallet, w.role[role], body) }
	change("signer", `{"max_fee_rate_sat_vb": 3}`).wantProblem(t, 403, "insufficient_role")
	for body, message := range map[string]string{
		`{"max_fee_rate_sat_vb": 100.001}`:            "must be at most 100, the maximum of the server",
		`{"max_fee_rate_sat_vb": 0}`:                  "must be a number of sat/vB above 0",
		`{"max_fee_rate_sat_vb": "3"}`:                "must be a number of sat/vB above 0",
		`{"max_fee_rate_sat_vb": 3, "name": "Other"}`: "must be changed in a request without other fields",
	} {
		change("owner", body).want(t, 400, `"field":"max_fee_rate_sat_vb"`, message)
	}
	change("owner", `{}`).wantProblem(t, 400, "no_changes")
	change("signer", `{"final_after": 3}`).wantProblem(t, 403, "insufficient_role")
	for _, body := range []string{`{"final_after": 0}`, `{"final_after": 1001}`, `{"final_after": 3, "name": "Other"}`} {
		change("owner", body).want(t, 400, `"field":"final_after"`)
	}
	change("owner", `{"final_after": 3, "max_fee_rate_sat_vb": 3}`).want(t, 400, "must be changed in a request without other fields")
	change("owner", `{"final_after": 3}`).want(t, 200, `"final_after":3`)
	change("owner", `{"max_fee_rate_sat_vb": 3.25}`).want(t, 200, `"max_fee_rate_sat_vb":3.25`)
	w.call(t, "GET", wallet, w.role["viewer"], "").want(t, 200, `"max_fee_rate_sat_vb":3.25`)

	refused := w.propose(t, "proposer", `, "max_fee_sat": 100000`)
	refused.wantProblem(t, 400, "fee_too_high").want(t, 400, `"field":"fee_rate_sat_vb"`, `"max_fee_rate_sat_vb":"3.25"`)
	estimated := `{"recipients": [{"address": "` + payee + `", "amount": 1000, "unit": "sat"}]%s}`
	alpha := func(more string) answer {
		return w.call(t, "POST", alphaWallets+"vault_23_fam/psbt", w.role["proposer"], strings.Replace(estimated, "%s", more, 1))
	}
	alpha(`, "fee_rate": 4`).want(t, 400, `"message":"fee_rate: must not exceed the wallet's maximum of 3.25 sat/vB`)
	alpha("").want(t, 400, `"message":"fee_rate: results in a fee of `) // the fee rate is the node's -fallbackfee

	change("owner", `{"max_fee_rate_sat_vb": null}`).want(t, 200, `"max_fee_rate_sat_vb":null`)
	w.propose(t, "proposer", `, "dry_run": true, "max_fee_sat": 100`).wantProblem(t, 400, "fee_too_high").want(t, 400, `"max_fee_sat":"100"`)
	w.propose(t, "proposer", `, "dry_run": true`).want(t, 200, `"warnings":[]`)

	const warning = `"warnings":[{"code":"high_fee","message":"the fee of `
	small := `{"recipients": [{"address": "` + payee + `", "amount_sat": 5000}], "fee_rate_sat_vb": 20`
	w.ask(t, "POST", "", "proposer", small+`, "dry_run": true}`, nil).want(t, 200, warning)
	made := w.ask(t, "POST", "", "proposer", small+`}`, nil).want(t, 201, warning)
	w.ask(t, "GET", "/"+made.text("id"), "viewer", "", nil).want(t, 200, warning)
	w.ask(t, "DELETE", "/"+made.text("id"), "proposer", "", nil)
	if got := alpha(`, "fee_rate": 20`); strings.Contains(got.want(t, 200).body, "warning") {
		t.Errorf("v1alpha has warnings: %s", got.body)
	}
}
