package backend_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestChain(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, n := t.Context(), s.core
	hashes := s.Mine(t, 12)

	tip, err := n.Tip(ctx)
	if want := (backend.Block{Hash: hashes[11], Height: 12}); err != nil || tip != want {
		t.Errorf("tip %v, %v; want %v", tip, err, want)
	}
	if hash, err := n.BlockHash(ctx, 3); err != nil || hash != hashes[2] {
		t.Errorf("block 3: %s, %v", hash, err)
	}
	_, err = n.BlockHash(ctx, 13)
	wantErr(t, err, backend.ErrBlockNotFound)

	h, err := n.BlockHeader(ctx, hashes[9])
	testkit.Check(t, err)
	var said struct{ Time, MedianTime int64 }
	testkit.Check(t, json.Unmarshal(s.CLI(t, "getblockheader", hashes[9]), &said))
	if h.Block != (backend.Block{Hash: hashes[9], Height: 10}) || h.Prev != hashes[8] || h.Confirmations != 3 ||
		h.Time.Unix() != said.Time || h.MedianTime.Unix() != said.MedianTime || h.Time.Equal(h.MedianTime) {
		t.Errorf("got %+v, node says %+v", h, said)
	}
	_, err = n.BlockHeader(ctx, noHash)
	wantErr(t, err, backend.ErrBlockNotFound)
	genesis, err := n.BlockHash(ctx, 0)
	testkit.Check(t, err)
	if h, err := n.BlockHeader(ctx, genesis); err != nil || h.Prev != "" || h.Height != 0 {
		t.Errorf("genesis: %+v, %v", h, err)
	}

	s.CLI(t, "invalidateblock", hashes[11])
	if h, err := n.BlockHeader(ctx, hashes[11]); err != nil || h.Confirmations != -1 {
		t.Errorf("stale: %+v, %v", h, err)
	}
}

// TestHeightAt compares HeightAt with a linear search through all headers of a chain
// whose timestamps are not ascending.
func TestHeightAt(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	start := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	var times []time.Time
	for i := range 60 {
		at := start.Add(time.Duration(i)*20*time.Minute + time.Duration(i*37%7-3)*15*time.Minute)
		s.CLI(t, "setmocktime", at.Unix())
		s.Mine(t, 1)
		var h struct{ Time int64 }
		testkit.Check(t, json.Unmarshal(s.CLI(t, "getblockheader", text(t, s.CLI(t, "getbestblockhash"))), &h))
		times = append(times, time.Unix(h.Time, 0))
	}
	if slices.IsSortedFunc(times, time.Time.Compare) {
		t.Fatal("the times only go up")
	}
	for at := start.Add(-time.Hour); at.Before(start.Add(26 * time.Hour)); at = at.Add(7 * time.Minute) {
		want := slices.IndexFunc(times, func(block time.Time) bool { return !block.Before(at.Add(-2 * time.Hour)) }) + 1
		if want == 0 {
			want = len(times)
		}
		if got, err := s.core.HeightAt(ctx, at); err != nil || got != int64(want) {
			t.Fatalf("at %v: got %d, %v; want %d", at, got, err, want)
		}
	}
	if got, err := s.core.HeightAt(ctx, time.Unix(0, 0)); err != nil || got != 0 {
		t.Errorf("before the genesis block: %d, %v", got, err)
	}
}

func TestMempoolAndFees(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	s.payer(t, "alice")
	confirmed := s.pay(t, "alice", anyoneAddress, "1")
	s.Mine(t, 1)
	waiting := s.pay(t, "alice", anyoneAddress, "1")

	txids := slices.Repeat([]string{waiting, confirmed, noHash}, 334)
	in, err := s.core.InMempool(ctx, txids)
	testkit.Check(t, err)
	if want := slices.Repeat([]bool{true, false, false}, 334); !slices.Equal(in, want) {
		t.Error("the wrong ones are in the mempool")
	}
	if _, err := s.core.InMempool(ctx, []string{"nonsense"}); err == nil {
		t.Error("nonsense is not in the mempool")
	}

	fee, err := s.core.EstimateFee(ctx, 6)
	testkit.Check(t, err)
	minimum, err := s.core.MempoolMinimum(ctx)
	testkit.Check(t, err)
	if fee != 0 || minimum != 1000 {
		t.Errorf("the estimate is %s, and the minimum %s", fee, minimum)
	}
}

func TestDescriptors(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, n := t.Context(), s.core
	const xpub = "tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P"

	info, err := n.DescriptorInfo(ctx, "wpkh("+xpub+"/0/*)")
	testkit.Check(t, err)
	if info.Canonical != "wpkh("+xpub+"/0/*)#"+info.Checksum || !info.IsRange || !info.IsSolvable || info.HasPrivateKeys || len(info.Expansion) != 0 {
		t.Errorf("got %+v", info)
	}
	both, err := n.DescriptorInfo(ctx, "wpkh("+xpub+"/<0;1>/*)")
	testkit.Check(t, err)
	if len(both.Expansion) != 2 || both.Expansion[0] != info.Canonical || both.Canonical != info.Canonical {
		t.Errorf("got %+v", both)
	}
	for _, bad := range []string{"", "foo", "wpkh(" + xpub + "/0/*)#aaaaaaaa"} {
		_, err := n.DescriptorInfo(ctx, bad)
		wantErr(t, err, backend.ErrDescriptor)
	}

	five, err := n.DeriveAddresses(ctx, info.Canonical, 0, 4)
	testkit.Check(t, err)
	two, err := n.DeriveAddresses(ctx, info.Canonical, 3, 4)
	testkit.Check(t, err)
	if len(five) != 5 || !slices.Equal(five[3:], two) {
		t.Errorf("got %v and %v", five, two)
	}
	addr, err := n.DescriptorInfo(ctx, "addr("+anyoneAddress+")")
	testkit.Check(t, err)
	if one, err := n.DeriveAddresses(ctx, addr.Canonical, 0, 9); err != nil || !slices.Equal(one, []string{anyoneAddress}) {
		t.Errorf("got %v, %v", one, err)
	}
	for _, bad := range []string{"wpkh(" + xpub + "/0/*)", "wpkh(" + xpub + "/0h/*)#aaaaaaaa", "nonsense"} {
		_, err := n.DeriveAddresses(ctx, bad, 0, 1)
		wantErr(t, err, backend.ErrDescriptor)
	}
	_, err = n.DeriveAddresses(ctx, info.Canonical, 4, 3)
	wantErr(t, err, backend.ErrDescriptor)
	checked := fmt.Sprintf("wpkh(%s/<0;1>/*)#%s", xpub, both.Checksum)
	_, err = n.DeriveAddresses(ctx, checked, 0, 1)
	wantErr(t, err, backend.ErrDescriptor)
}
