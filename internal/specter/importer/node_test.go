package importer_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/specter/importer"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// recordedNode starts a copy of the node that the recorded Specter Desktop used, with its
// wallets.
func recordedNode(t *testing.T) *testkit.Node {
	t.Helper()
	return testkit.BitcoindFrom(t, folders+"regtest-node.tar.gz", "-mocktime="+strconv.FormatInt(now.Unix(), 10))
}

func loaded(t *testing.T, n *testkit.Node) (names []string) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(n.CLI(t, "listwallets"), &names))
	slices.Sort(names)
	return names
}

// TestImport_AtItsNode checks that, with the node of Specter Desktop, wallets are adopted and
// pending PSBTs become proposals. A dry run reports the same without changing the database
// or the node, and a second import changes nothing.
func TestImport_AtItsNode(t *testing.T) {
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			n, h := recordedNode(t), open(t)
			h.atNode(t, n)
			_, err := h.users.CreateFirst(t.Context(), "")
			testkit.Check(t, err)
			before, was := h.state(t), loaded(t, n)
			planned := text(h.importFrom(t, folders+"real", true))
			if h.state(t) != before || !slices.Equal(loaded(t, n), was) {
				t.Errorf("the dry run changed the database or the node; loaded wallets %q", loaded(t, n))
			}
			done := text(h.importFrom(t, folders+"real", false))
			if diff := cmp.Diff(planned, done); diff != "" {
				t.Errorf("the dry run reported a different result: %s", diff)
			}
			golden(t, "real_at_its_node", done)

			admin := h.as(t, "admin")
			views, err := h.service().List(t.Context(), admin, "", 0)
			testkit.Check(t, err)
			for _, v := range views {
				if v.CoreName != "specter78f4d39c67b50e9e/"+v.Alias || v.Rescanning() {
					t.Errorf("%s: Core's wallet %s, rescan from %d", v.Alias, v.CoreName, v.RescanFrom)
				}
			}
			open, err := h.proposals().List(t.Context(), testkit.Access(t, h.service(), admin, "simple_one"), proposal.Filter{}, proposal.Cursor{}, 100)
			testkit.Check(t, err)
			if len(open) != 6 {
				t.Errorf("%d proposals", len(open))
			}
			_, err = h.proposals().Cancel(t.Context(), testkit.Access(t, h.service(), admin, "simple_one"), open[0].ID, nil)
			testkit.Check(t, err)
			again := h.importFrom(t, folders+"real", false)
			if n := again.Count(importer.KindProposal, importer.AlreadyImported); n != 8 || again.Count(importer.KindProposal, importer.Skipped) != 2 || again.Count(importer.KindProposal, importer.Imported) != 0 {
				t.Errorf("after a second import: %s", text(again))
			}
			if p, err := h.proposals().Get(t.Context(), testkit.Access(t, h.service(), admin, "simple_one"), open[0].ID); err != nil || p.Status != proposal.Cancelled {
				t.Errorf("the cancelled proposal is %s, %v", p.Status, err)
			}
		})
	}
}
