package console_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestPolicy_Affected changes a policy while proposals are open. The review of the change lists
// them, and a released one shows at once, on its page and in the API, that its approvals are void.
func TestPolicy_Affected(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		t.Helper()
		const page, warning = "/wallets/treasury/policy", "The spending policies have changed"
		alice, bob := s.user(t, "alice", false), s.user(t, "bob", false)
		w := alice.funded("treasury")
		alice.member(w.alias, bob, "signer")
		set := func(count string) {
			alice.api("PUT", "/api/v1"+page, map[string]any{"policy": json.RawMessage(
				`{"version": 1, "allow": [{"name": "large", "approvals": {"count": ` + count + `, "not_proposer": true, "above_sat": 50000}}]}`)})
		}
		set("1")
		to := purseAddress(t, s.node)
		alice.get("/wallets/treasury/send").submit("/wallets/treasury/send", address1, to, amount1, "100000", "fee_rate_sat_vb", "5", "target_blocks", "own", "action", "preview").
			want(http.StatusOK, "Before it can be signed:", "requires 1 approval", "Policy of the wallet, rule large")
		made := alice.proposeWith(w.alias, "new roof")
		path := pageOf(made)
		made = bob.api("POST", "/api/v1"+path+"/approve", map[string]any{})
		version := alice.file("/api/v1" + path).header.Get("ETag")
		alice.get(path).want(http.StatusOK, "Next: sign with your device").lacks(warning)

		alice.get(page+"/edit").submit(page+"/edit", "allow[0].approvals.count", "2").
			want(http.StatusOK, "Open proposals are affected", "Their approvals do not count any more", "new roof")
		alice.get(page+"/edit").submit(page+"/edit").want(http.StatusOK, "The policy is the same as before. Nothing was changed.").lacks("Open proposals are affected")
		set("2")
		alice.get(path).want(http.StatusOK, warning, "approvals from before do not count")
		got := alice.file("/api/v1" + path)
		if !strings.Contains(got.body, `"code":"policy_changed"`) || got.header.Get("ETag") == version {
			t.Errorf("with the ETag %s, before %s: %s", got.header.Get("ETag"), version, got.body)
		}
		signed := alice.sign(made, w.signers[0], w.signers[1]).want(http.StatusOK, "The payment has enough signatures.").lacks("It can be broadcast now.")
		if n := strings.Count(signed.body, "policies have changed"); n != 1 {
			t.Errorf("the page says %d times that the policies have changed: %s", n, signed.text())
		}
		set("1")
		alice.get(path).want(http.StatusOK).lacks(warning)
	}, onOwnNode)
}

// TestPolicy_AffectedMember lists the proposals of a member whose policy changes, also if other
// members have many newer ones.
func TestPolicy_AffectedMember(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	bob := s.user(t, "bob", false)
	alice.member(w.alias, bob, "proposer")
	bob.proposeWith(w.alias, "paint")
	const others = 26
	amounts := map[string]any{}
	for range others {
		amounts[alice.address(w.alias, "")] = 0.01
	}
	s.node.WalletCLI(t, purse, "send", amounts)
	alice.pay(w.alias, alice.address(w.alias, ""), "0.01")
	for range others {
		alice.proposeWith(w.alias, "new roof")
	}
	const page = "/wallets/treasury/members/bob/policy"
	p := alice.get(page+"/edit?preset=petty-cash").submit(page+"/edit").want(http.StatusOK, "Open proposals are affected", "paint")
	if strings.Contains(p.text(), "new roof") {
		t.Errorf("the proposals of another member are listed: %s", p.text())
	}
	const own = "/wallets/treasury/members/alice/policy"
	p = alice.get(own+"/edit?preset=petty-cash").submit(own+"/edit").want(http.StatusOK, "Show all proposals")
	if n := strings.Count(p.text(), "new roof"); n != 10 {
		t.Errorf("%d proposals are listed", n)
	}
}

// TestSend_ReplacedLabel shows in the preview that a label of an address replaces another one.
func TestSend_ReplacedLabel(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	to := purseAddress(t, s.node)
	alice.api("POST", "/api/v1/wallets/"+w.alias+"/proposals", map[string]any{
		"recipients": []any{map[string]any{"address": to, "amount_sat": 100_000, "label": "new roof"}}, "fee_rate_sat_vb": 5,
	})
	alice.pay(w.alias, alice.address(w.alias, ""), "0.5")
	const path, notice = "/wallets/treasury/send", "The label of an address is replaced"
	preview := func(label string) *document {
		return alice.get(path).submit(path, address1, to, amount1, "100000", "recipients[0].label", label, "fee_rate_sat_vb", "5", "target_blocks", "own", "action", "preview")
	}
	preview("garden chairs").want(http.StatusOK, notice, "“new roof” becomes “garden chairs”, also for earlier payments to this address.")
	for _, label := range []string{"new roof", ""} {
		preview(label).want(http.StatusOK, "Create proposal").lacks(notice)
	}
}

// TestSign_Files adds the signatures of several files at once, or none if one of them is of another
// payment.
func TestSign_Files(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	alice.pay(w.alias, alice.address(w.alias, ""), "0.5")
	made, other := alice.propose(w.alias), alice.propose(w.alias)
	signed := func(p map[string]any, signer int) file {
		return file{"file", "s.psbt", s.node.Sign(t, psbtOf(t, p), w.signers[signer])}
	}
	path := pageOf(made) + "/signatures"
	alice.upload(path, nil, signed(made, 0), signed(other, 1)).want(http.StatusBadRequest, "This file signs another payment. Nothing was added.")
	alice.get(pageOf(made)).want(http.StatusOK, "0 of 2 signatures")
	alice.upload(path, nil, signed(made, 0), signed(made, 1)).want(http.StatusOK, "It can be broadcast now.")
}
