package store

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMigration_DropsSignatures checks that proposals that an older version closed lose
// their signatures, and that other proposals keep theirs.
func TestMigration_DropsSignatures(t *testing.T) {
	t.Parallel()
	unsigned, err := base64.StdEncoding.DecodeString("cHNidP8BAFICAAAAARERERERERERERERERERERERERERERERERERERERERERAAAAAAD/////AegDAAAAAAAAFgAUIiIiIiIiIiIiIiIiIiIiIiIiIiIAAAAAAAAA")
	testkit.Check(t, err)
	signature := append(append([]byte{34, 2}, bytes.Repeat([]byte{3}, 33)...), 1, 0x30)
	signed := append(append(bytes.Clone(unsigned[:len(unsigned)-2]), signature...), 0, 0)
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, 16)
			p, err := s.provider()
			testkit.Check(t, err)
			exec(ctx, t, s, `INSERT INTO wallets (wallet_id, name, stage, core_name, script, required, receive_descriptor, change_descriptor, birth_height, created_at)
				VALUES ('w', 'w', 'ready', 'w', 'wpkh', 1, '', '', 0, 1)`)
			keeps := map[proposal.Status]bool{
				proposal.PartiallySigned: true, proposal.Complete: true, proposal.Broadcast: true, proposal.Confirmed: true, proposal.Conflicted: true,
				proposal.Cancelled: false, proposal.Expired: false, proposal.Replaced: false,
			}
			for status := range keeps {
				exec(ctx, t, s, fmt.Sprintf(`INSERT INTO psbts (psbt_id, wallet_id, txid, final_txid, status, status_at, version, user_id, user_name, token_id, created_at,
					expires_at, fee_sat, excess_fee_sat, vsize, fee_rate, target_blocks, replaceable, send_max, subtract_from, psbt, raw)
					VALUES ('%s', 'w', 'x', 'y', '%s', 1, 4, 'u', 'u', '', 1, 1, 5, 0, 150, 1000, 0, TRUE, FALSE, '[]', $1, $2)`, status, status), signed, []byte("raw"))
			}
			_, err = p.Up(ctx)
			testkit.Check(t, err)
			version := 5
			for range 2 { // nothing is left to do the second time
				testkit.Check(t, s.DropSignatures(ctx))
				for status, keep := range keeps {
					t.Run(fmt.Sprint(status), func(t *testing.T) {
						got, err := s.Proposal(ctx, "w", string(status))
						testkit.Check(t, err)
						packet, err := psbt.Parse(got.PSBT)
						testkit.Check(t, err)
						if has := packet.HasSignatures(); has != keep || has != (len(got.Raw) > 0) || has != (got.Version != version) {
							t.Errorf("the %s proposal: signatures %t, raw %q, version %d", status, has, got.Raw, got.Version)
						}
						if !keep && !bytes.Equal(got.PSBT, unsigned) {
							t.Errorf("the PSBT of the %s proposal is %x", status, got.PSBT)
						}
					})
				}
			}
			if due, err := s.hasSetting(ctx, settingDropSignatures); err != nil || due {
				t.Errorf("it is still due: %v", err)
			}
		})
	}
}
