package system

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
)

// revealAddresses reveals addresses of all wallets.
func (s *soak) revealAddresses(ctx context.Context, r *rand.Rand) {
	for s.answered(ctx, 5) {
		s.do(ask{method: http.MethodPost, path: "/api/v1/wallets/" + s.vault(r).alias + "/addresses", body: map[string]any{}, may: []int{created, badGateway, unavailable}}, nil)
	}
}

// freezeIn freezes and unfreezes UTXOs of one wallet, in which no other worker does.
func (s *soak) freezeIn(ctx context.Context, r *rand.Rand, v *vault) {
	path := "/api/v1/wallets/" + v.alias + "/utxos"
	may := []int{noContent, unknown, conflict, badGateway, unavailable}
	for s.answered(ctx, 3) {
		var utxos struct {
			Items []struct {
				Txid   string
				Vout   int
				Frozen bool
			}
		}
		s.do(ask{method: http.MethodGet, path: path, may: []int{ok}}, &utxos)
		var free, frozen []string
		for _, c := range utxos.Items {
			at := fmt.Sprintf("%s/%s:%d/freeze", path, c.Txid, c.Vout)
			if c.Frozen {
				frozen = append(frozen, at)
			} else {
				free = append(free, at)
			}
		}
		switch {
		case len(frozen) > 0 && (len(frozen) > 3 || r.IntN(2) == 0):
			s.do(ask{method: http.MethodDelete, path: frozen[r.IntN(len(frozen))], may: may}, nil)
		case len(free) > 2: // some for proposals
			s.do(ask{method: http.MethodPut, path: free[r.IntN(len(free))], may: may}, nil)
		}
	}
}

// changeMember adds a user to wallets, and removes them.
func (s *soak) changeMember(ctx context.Context, r *rand.Rand, user string) {
	for s.answered(ctx, 3) {
		path := "/api/v1/wallets/" + s.vault(r).alias + "/members/" + user
		if r.IntN(2) == 0 {
			s.do(ask{method: http.MethodPut, path: path, body: map[string]any{"role": "viewer"}, may: []int{ok, created, unavailable}}, nil)
		} else {
			s.do(ask{method: http.MethodDelete, path: path, may: []int{noContent, unknown, unavailable}}, nil)
		}
	}
}

// tidy cancels the oldest open proposals of a wallet, which no other worker may know after a kill,
// and sometimes starts a rescan.
func (s *soak) tidy(ctx context.Context, r *rand.Rand, v *vault) {
	path := "/api/v1/wallets/" + v.alias
	for s.answered(ctx, 50) {
		var open struct{ Items []proposed }
		s.do(ask{method: http.MethodGet, path: path + "/proposals?status=created", may: []int{ok, http.StatusTooManyRequests}}, &open)
		for _, p := range open.Items[min(len(open.Items), 10):] {
			s.cancel(path+"/proposals/"+p.ID, "proposal "+path+"/proposals/"+p.ID)
		}
		if r.IntN(5) == 0 {
			s.do(ask{method: http.MethodPost, path: path + "/rescan", body: map[string]any{"from": 0}, may: []int{http.StatusAccepted, conflict, badGateway, unavailable}}, nil)
		}
	}
}
