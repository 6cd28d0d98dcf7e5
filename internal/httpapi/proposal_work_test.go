package httpapi_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/psbt"
)

// testProposalWork checks that cheap checks precede the parsing of a posted PSBT, and that the
// number of ETags in a request is limited.
func testProposalWork(t *testing.T, w *spending) {
	made := w.propose(t, "proposer", "").want(t, 201)
	id := "/" + made.text("id") + "/signatures"
	post := func(path, role, tags string) answer {
		header := map[string]string{"Content-Type": "application/octet-stream"}
		if tags != "" {
			header["If-Match"] = tags
		}
		// A transaction with as many empty witness items as the size limit allows.
		body := append([]byte("\x02\x00\x00\x00\x00\x01\x01"), make([]byte, 41)...)
		body = append(body, "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\xfe\x00\x00\x3f\x00"...)
		body = append(body, make([]byte, 0x3f0000+4)...)
		if len(body) > psbt.MaxSize || !bytes.HasPrefix(body, []byte{2}) {
			t.Fatal(len(body))
		}
		return w.ask(t, "POST", path, role, string(body), header)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	post("/none/signatures", "signer", "").wantProblem(t, 404, "proposal_not_found")
	runtime.ReadMemStats(&after)
	if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 100 { // other tests allocate as well
		t.Errorf("%d MiB were allocated for a proposal that does not exist", mib)
	}
	post(id, "viewer", "").wantProblem(t, 403, "insufficient_role")
	sixteen := strings.TrimSuffix(strings.Repeat(`"9", `, 16), ", ")
	post(id, "signer", sixteen).wantProblem(t, 412, "proposal_changed")
	post(id, "signer", sixteen+`, "1"`).wantProblem(t, 400, "invalid_input").want(t, 400, "If-Match: must not have more than 16 ETags")
	post(id, "signer", "").wantProblem(t, 400, "invalid_psbt").want(t, 400, "a witness must not have more than 100 items")
	w.ask(t, "DELETE", "/"+made.text("id"), "proposer", "", map[string]string{"If-Match": `"8", "9"`}).wantProblem(t, 412, "proposal_changed")
	w.ask(t, "DELETE", "/"+made.text("id"), "proposer", "", map[string]string{"If-Match": `"8", "1"`}).want(t, 200)
	post(id, "signer", "").wantProblem(t, 409, "invalid_status")
}
