package httpapi_test

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func testLedger(t *testing.T, s *server, _ *testkit.Node) {
	p := s.user(t, "p", false)
	v := s.vault(t, p, "vault")
	k := s.token(t, p, auth.WalletsRead).bearer()
	const path = "/api/v1/wallets/vault/transactions?view=ledger"
	ask := func(path string) answer {
		t.Helper()
		return s.do(t, request{method: "GET", path: path, auth: []string{k}, header: map[string]string{"Accept": "text/csv"}})
	}
	lines := func(a answer) (lines []string) {
		t.Helper()
		for _, line := range testkit.Must(csv.NewReader(strings.NewReader(a.want(t, 200).body)).ReadAll())[1:] {
			lines = append(lines, strings.Join(line, "|"))
		}
		return lines
	}
	want := []string{
		"2026-12-01 05:00:00|vault|generate|50.0||50.0|5000000000||5000000000|" + v.receive[1] + "|||" + v.generated + "|0|confirmed|180|||",
		"2026-12-01 06:00:00|vault|receive|0.003||50.003|300000||5000300000|" + v.receive[0] + "|" + v.note + "||" + v.received + "|0|confirmed|181|||",
		"2026-12-01 07:00:00|vault|send|-0.001|0.00000332|50.00199668|-100000|332|5000199668|" + v.foreign + "|||" + v.sent + "|0|confirmed|182|" + v.label + "||",
		"2026-12-01 08:00:00|vault|receive|0.00007||50.00206668|7000||5000206668|" + v.receive[2] + "|||" + v.pending + "|0|mempool||||",
	}
	wantLines := func(path string, want ...string) answer {
		t.Helper()
		got := ask(path)
		if lines := lines(got); fmt.Sprint(lines) != fmt.Sprint(want) {
			t.Errorf("%s:\n%s\nwant\n%s", path, strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		return got
	}
	got := wantLines(path, want...)
	for name, want := range map[string]string{
		"Content-Type": "text/csv; charset=utf-8; header=present", "Content-Disposition": "attachment; filename=vault-ledger.csv",
		"Vary": "Accept", "X-As-Of-Height": "186", "X-As-Of-Hash": tipHash,
	} {
		t.Run(name, func(t *testing.T) {
			if got.header.Get(name) != want {
				t.Errorf("%s: %s, want %s", name, got.header.Get(name), want)
			}
		})
	}
	wantLines(path+"&order=desc", reversed(want)...)
	opening := "2026-12-01 12:15:00|vault|opening|50.003||50.003|5000300000||5000300000||||||||||"
	got = wantLines(path+"&tz=Asia/Kathmandu&since=2026-12-01T12:15:00%2B05:45&until=2026-12-01T08:00:00Z", opening, strings.Replace(want[2], "07:00", "12:45", 1))
	if name := got.header.Get("Content-Disposition"); name != "attachment; filename=vault-ledger-2026-12-01T121500+0545-to-2026-12-01T080000Z.csv" {
		t.Error(name)
	}
	wantLines(path+"&since=2026-12-02", "2026-12-02 00:00:00|vault|opening|50.00206668||50.00206668|5000206668||5000206668||||||||||")
	for _, path := range []string{path, "/api/v1/wallets/vault/transactions?dead=true"} {
		if got := ask(path + "&bom=true"); !strings.HasPrefix(got.want(t, 200).body, "\ufeffdate,") && !strings.HasPrefix(got.body, "\ufefftime,") {
			t.Errorf("%s: %q", path, got.body[:10])
		}
	}
	for _, query := range []string{"&tz=Mars", "&tz=Local", "&label=x", "&order=up", "&view=x", "&since=x", "&cursor=MSB4IHk", "&limit=2", "&since=2026-12-02&until=2026-12-01"} {
		ask(path+query).want(t, 400)
	}
	s.do(t, request{method: "GET", path: path, auth: []string{k}, header: map[string]string{"Accept": "application/json"}}).wantProblem(t, 400, "invalid_input")

	s.vault(t, p, "other")
	all := ask("/api/v1/transactions?view=ledger&since=2026-12-01")
	if got := lines(all); len(got) != 10 || !strings.Contains(got[0]+got[1], "|other|opening|0.0||0.0|") {
		t.Errorf("%s", all.body)
	}
}
