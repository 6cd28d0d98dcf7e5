package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"
)

// The hash is what docs/sql.md says, so that others can verify it.
func TestSeal(t *testing.T) {
	e := Entry{ID: 7, Event: Event{
		At: time.UnixMicro(1_800_000_000_000_001), UserID: "u", UserName: "Ünal", Address: "::1",
		Action: "token.create", Target: "t", Outcome: "ok", Detail: "a:b,",
	}}
	e.SealBehind(Entry{Position: 2, Hash: "ff"})
	sum := sha256.Sum256([]byte("2:ff,1:3,1:7,16:1800000000000001,1:u,5:Ünal,0:,3:::1,12:token.create,1:t,2:ok,4:a:b,,"))
	if e.Position != 3 || e.PreviousHash != "ff" || e.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("got %+v", e)
	}
}
