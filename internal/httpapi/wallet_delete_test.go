package httpapi_test

import "testing"

// TestDeleteWallet checks that the parameter files determines whether the wallet files on the
// node are deleted, and that the wallet is kept if specterd cannot delete them.
func TestDeleteWallet(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p := s.user(t, "p", false)
		k := s.token(t, p, 0).bearer()
		ours, foreign := s.wallet(t, p, "ours", "owner"), s.wallet(t, p, "foreign", "owner")
		s.sql(t, "UPDATE wallets SET core_name = 'specterd-1' WHERE wallet_id = $1", ours)
		before := s.dump(t, false)
		for _, query := range []string{"?files=", "?files=Delete", "?files=all", "?files=delete%20", "?files=1"} {
			s.call(t, "DELETE", "/api/v1/wallets/ours"+query, k, "").wantProblem(t, 400, "invalid_input")
		}
		s.call(t, "DELETE", "/api/v1/wallets/ours?files=keep&files=delete", k, "").wantProblem(t, 400, "invalid_input")
		got := s.call(t, "DELETE", "/api/v1/wallets/ours?files=delete", k, "")
		got.want(t, 409, "SPECTER_NODE_WALLET_FOLDER")
		got.wantProblem(t, 409, "wallet_directory_unknown")
		s.call(t, "DELETE", "/api/v1/wallets/foreign?files=delete", k, "").wantProblem(t, 409, "wallet_files_foreign")
		s.call(t, "DELETE", "/api/v1/wallets/none?files=delete", k, "").wantProblem(t, 404, "wallet_not_found")
		if after := s.dump(t, false); before != after {
			t.Errorf("a refused request changed the database:\n%s\nbefore:\n%s", after, before)
		}
		s.call(t, "DELETE", "/api/v1/wallets/ours?files=keep", k, "").want(t, 204)
		s.call(t, "DELETE", "/api/v1/wallets/foreign", k, "").want(t, 204)
		for _, id := range []string{ours, foreign} {
			s.sql(t, "DELETE FROM wallets WHERE wallet_id = $1 AND stage = 'removing' AND NOT delete_files", id)
		}
	})
}
