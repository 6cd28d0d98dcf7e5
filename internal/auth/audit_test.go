package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"
)

// TestSeal checks the hash of an entry. Its computation is documented in docs/sql.md, so
// that others can verify the audit log.
func TestSeal(t *testing.T) {
	e := Entry{ID: 7, Event: Event{
		At: time.UnixMicro(1_800_000_000_000_001), UserID: "u", UserName: "Ünal", Address: "::1",
		Action: "token.create", Target: "t", Outcome: "ok", Detail: "a:b,",
	}}
	e.SealAfter(Entry{Position: 2, Hash: "ff"})
	sum := sha256.Sum256([]byte("2:ff,1:3,1:7,16:1800000000000001,1:u,5:Ünal,0:,3:::1,12:token.create,1:t,2:ok,4:a:b,,"))
	if e.Position != 3 || e.PreviousHash != "ff" || e.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("got %+v", e)
	}
}

// TestSharedDetail checks that wallet data in events of older versions is not
// shown.
func TestSharedDetail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ action, detail, want string }{
		{"proposal.create", "wallet 7; txid ab", "wallet 7"},
		{"psbt.create", "wallet 7; txid ab; 0.1 BTC; fee 0.001 BTC", "wallet 7"},
		{"psbt.create", "wallet 7", "wallet 7"},
		{"psbt.sign", "wallet 7; by d34db33f", "wallet 7"},
		{"psbt.broadcast", "wallet 7; txid ab", "wallet 7"},
		{"wallet.create", `"Savings", wpkh, 1 of 1, from block 5`, ""},
		{"wallet.rename", `"Savings", before "Rent"`, ""},
		{"wallet.alias", "savings, before rent", ""},
		{"wallet.delete", `"Savings, \"old\"", files kept`, "files kept"},
		{"wallet.delete", "files kept", "files kept"},
		{"wallet.label", "3 labels", "3 labels"},
		{"wallet.files_delete", "specter/savings", ""},
		{"utxo.freeze", "ab:1", ""},
		{"coin.unfreeze", "ab:1", ""},
		{"member.put", "bob as viewer", "bob as viewer"},
		{"token.create", "scopes node:read; until 2026-01-01T00:00:00Z", "scopes node:read; until 2026-01-01T00:00:00Z"},
	} {
		t.Run(c.action, func(t *testing.T) {
			if got := (Event{Action: c.action, Detail: c.detail}).SharedDetail(); got != c.want {
				t.Errorf("%s, %s: %q, want %q", c.action, c.detail, got, c.want)
			}
		})
	}
}
