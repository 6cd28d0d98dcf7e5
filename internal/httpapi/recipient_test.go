package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

const otherPayee = "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x"

// testProposalRecipients tests the ways in which a request names recipients: addresses,
// bitcoin: URIs, CSV, data, and one address several times.
func testProposalRecipients(t *testing.T, w *spending) {
	ask := func(t *testing.T, members string) answer {
		t.Helper()
		return w.ask(t, "POST", "", "proposer", `{"fee_rate_sat_vb": 2, "dry_run": true, `+members+`}`, nil)
	}
	uri := strings.ToUpper("bitcoin:" + payee + "?amount=0.001&label=rent")
	table := "\ufeffaddress;amount_btc;label\r\n" + otherPayee + ";0.5;\"a; b\"\r\n" + uri + ";;\r\n"
	for name, c := range map[string]struct {
		members string
		want    []string
	}{
		"URI":                {`"recipients": [{"address": "` + uri + `"}]`, []string{`"amount_sat":100000,`}},
		"URI and amount":     {`"recipients": [{"address": "` + uri + `", "amount_sat": 100000}]`, []string{`"amount_sat":100000,`}},
		"CSV":                {`"recipients_csv": ` + string(testkit.Must(json.Marshal(table))), []string{`"amount_sat":50100000,`}},
		"data":               {`"recipients": [{"data": "6869"}]`, []string{`{"address":null,"amount_sat":0,"data":"6869","kind":"external","branch":null,"index":null,"recipient":0}`}},
		"one address, twice": {`"allow_duplicates": true, "recipients": [{"address": "` + payee + `", "amount_sat": 1000}, {"address": "` + uri + `"}]`, []string{`"amount_sat":101000,`, `"recipient":1}`}},
	} {
		t.Run(name, func(t *testing.T) { ask(t, c.members).want(t, 200, c.want...) })
	}
	for name, c := range map[string]struct {
		members, code string
		want          []string
	}{
		"other amount":      {`"recipients": [{"address": "` + uri + `", "amount_sat": 1}]`, "amount_mismatch", []string{`"field":"recipients[0].amount_sat"`}},
		"required":          {`"recipients": [{"address": "` + uri + `&REQ-POP=x"}]`, "invalid_payment_uri", []string{"req-pop"}},
		"no amount":         {`"recipients": [{"address": "` + payee + `"}]`, "invalid_input", []string{`"field":"recipients[0].amount_sat"`}},
		"no address":        {`"recipients": [{"amount_sat": 1000}]`, "invalid_input", []string{`"field":"recipients[0].address"`}},
		"no recipients":     {`"recipients": []`, "invalid_input", []string{`"field":"recipients"`}},
		"nothing":           {`"send_max": false`, "invalid_input", []string{`"field":"recipients"`}},
		"two problems":      {`"recipients": [{"address": "x", "amount_sat": 1}, {"address": "` + payee + `", "amount_sat": 0, "label": "a\nb"}]`, "invalid_input", []string{`"field":"recipients[1].amount_sat"`}},
		"CSV":               {`"recipients_csv": "address,amount_btc\nx,1\n` + payee + `,1.5e3"`, "invalid_csv", nil},
		"CSV, addresses":    {`"recipients_csv": "address,amount_btc\nx,1\ny,2"`, "invalid_address", []string{`{"field":"recipients_csv","message":"line 2, column address: `, `{"field":"recipients_csv","message":"line 3, column address: `}},
		"data not in hex":   {`"recipients": [{"data": "678"}]`, "invalid_input", []string{`"field":"recipients[0].data"`}},
		"empty data":        {`"recipients": [{"data": ""}]`, "invalid_input", []string{`"field":"recipients[0].data"`}},
		"too much data":     {`"recipients": [{"data": "` + strings.Repeat("00", 81) + `"}]`, "invalid_input", []string{"1 to 80 bytes"}},
		"one address twice": {`"recipients": [{"address": "` + payee + `", "amount_sat": 1000}, {"address": "` + uri + `"}]`, "duplicate_address", []string{"allow_duplicates"}},
	} {
		t.Run(name, func(t *testing.T) { ask(t, c.members).wantProblem(t, 400, c.code).want(t, 400, c.want...) })
	}
	made := w.ask(t, "POST", "", "proposer", `{"fee_rate_sat_vb": 2, "allow_duplicates": true, "recipients": [{"data": "6869"}, {"address": "`+uri+`"}, {"address": "`+payee+`", "amount_sat": 2000}]}`, nil).want(t, 201)
	w.ask(t, "GET", "/"+made.text("id"), "viewer", "", nil).want(t, 200, `"data":"6869"`, `"amount_sat":102000,`)
	alpha := w.call(t, "GET", "/api/v1alpha/wallets/vault_23_fam/psbt", w.role["viewer"], "").want(t, 200, `"address":"OP_RETURN 6869"`)
	if n := strings.Count(alpha.body, `"address":"`+payee+`"`); n != 2 {
		t.Errorf("v1alpha shows %d outputs to the address: %s", n, alpha.body)
	}
	w.ask(t, "DELETE", "/"+made.text("id"), "proposer", "", nil).want(t, 200)
}

// testAlphaRecipients checks that v1alpha also accepts bitcoin: URIs, which Specter Desktop
// refuses, and refuses an address twice, as Specter Desktop does.
func testAlphaRecipients(t *testing.T, w *spending) {
	const path = "/api/v1alpha/wallets/vault_23_fam/psbt"
	create := func(recipients string) answer {
		t.Helper()
		return w.call(t, "POST", path, w.role["proposer"], `{"recipients": [`+recipients+`], "fee_rate": 2}`)
	}
	one := fmt.Sprintf(`{"address": "bitcoin:%s?amount=0.001&label=x", "amount": 100000, "unit": "sat"}`, payee)
	made := create(one).want(t, 200, `"amount":[0.001]`)
	var result struct{ Tx struct{ Txid string } }
	testkit.Check(t, json.Unmarshal(testkit.Must(json.Marshal(made.fields["result"])), &result))
	list := w.ask(t, "GET", "?txid="+result.Tx.Txid, "viewer", "", nil).want(t, 200)
	w.ask(t, "DELETE", "/"+list.list("id")[0], "proposer", "", nil).want(t, 200)
	create(strings.Replace(one, "100000", "100001", 1)).want(t, 400, "recipients[0].amount: must be 100000")
	create(one+", "+one).want(t, 400, "recipients[1].address: must not be the address of another recipient; /api/v1 can")
	create(strings.ReplaceAll(one, payee, "x")+`, {"address": "`+payee+`", "amount": 22000000, "unit": "btc"}`).want(t, 400)
	create(strings.ReplaceAll(one, payee, "x")+`, {"address": "`+payee+`", "amount": 21000000, "unit": "btc"}, {"address": "`+otherPayee+`", "amount": 1, "unit": "btc"}`).
		want(t, 400, "recipients[0].address: ", "recipients[1].amount: ")
}
