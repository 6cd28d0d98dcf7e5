package event_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
)

// TestParseKinds: groups and single kinds are accepted, and everything else refused.
func TestParseKinds(t *testing.T) {
	for list, want := range map[string]int{"": 0, "member": 3, "member,proposal.signed": 4, "utxo.frozen": 1} {
		t.Run(list, func(t *testing.T) {
			if got, err := event.ParseKinds("kinds", list); err != nil || len(got) != want {
				t.Errorf("%q is %v, %v", list, got, err)
			}
		})
	}
	for _, list := range []string{"x", ",", "member,", "member.", "mem", "transaction.*", "Member"} {
		if got, err := event.ParseKinds("kinds", list); err == nil {
			t.Errorf("%q is %v", list, got)
		}
	}
}

// TestKinds_Scopes: each kind needs one scope besides events:read, and a kind of a group
// without an entry in the table needs all.
func TestKinds_Scopes(t *testing.T) {
	scopes := map[auth.Scopes]int{}
	for _, k := range event.Kinds() {
		if group, name, ok := strings.Cut(string(k), "."); !ok || group == "" || name == "" {
			t.Errorf("the kind %q", k)
		}
		scopes[k.Scope()]++
		if !event.ReadScopes.Has(k.Scope()) {
			t.Errorf("the kind %q requires %s, which is not a scope of readers", k, k.Scope())
		}
	}
	if scope := event.Kind("invoice.paid").Scope(); scope != auth.AllScopes {
		t.Errorf("a kind of an unknown group needs only %s", scope)
	}
	if scope := event.DeviceRenamed.Scope(); scope != auth.WalletsRead {
		t.Errorf("device.renamed needs %s", scope)
	}
	if len(scopes) != 6 || scopes[auth.PoliciesRead] != 4 || scopes[auth.ProposalsRead] != 14 || scopes[auth.TokensRead] != 4 || scopes[auth.NodeRead] != 4 || scopes[auth.WebhooksRead] != 2 {
		t.Errorf("%v", scopes)
	}
}

// TestEncode: the data of an event of a wallet begins with the wallet and the number.
func TestEncode(t *testing.T) {
	for _, c := range []struct {
		wallet  string
		payload any
		want    string
	}{
		{"w", event.UTXOData{Txid: "t", Vout: 1}, `{"wallet_id":"w","n":7,"txid":"t","vout":1}`},
		{"w", struct{}{}, `{"wallet_id":"w","n":7}`},
		{"", event.TokenData{TokenID: "t"}, `{"token_id":"t","description":""}`},
	} {
		t.Run(c.wallet, func(t *testing.T) {
			if got, err := event.Encode(c.wallet, 7, c.payload); err != nil || string(got) != c.want {
				t.Errorf("%s, %v, not %s", got, err, c.want)
			}
		})
	}
}

// TestFold_Refuses: events that are missing, repeated or contradict each other are errors.
func TestFold_Refuses(t *testing.T) {
	height := 5
	in := func(n int64, kind event.Kind, payload any) event.Event {
		data, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		return event.Event{N: n, Kind: kind, Data: data}
	}
	mempool, block := event.TxState{Status: "mempool"}, event.TxState{Status: "confirmed", Height: &height, Hash: "h"}
	tx := func(before *event.TxState, after event.TxState) event.TransactionData {
		return event.TransactionData{Txid: "t", Before: before, After: after}
	}
	created := event.ProposalData{ProposalID: "p", After: event.ProposalState{Status: "created"}}
	signed := event.ProposalData{ProposalID: "p", Before: &event.ProposalState{Status: "complete"}, After: event.ProposalState{Status: "broadcast"}}
	seen, confirmed := in(1, event.TransactionSeen, tx(nil, mempool)), in(2, event.TransactionConfirmed, tx(&mempool, block))
	final := tx(&block, block)
	for name, events := range map[string][]event.Event{
		"gap":         {seen, in(3, event.TransactionConfirmed, tx(&mempool, block))},
		"repetition":  {seen, seen},
		"late":        {confirmed},
		"other state": {seen, in(2, event.TransactionConfirmed, tx(&block, block))},
		"new again":   {seen, in(2, event.TransactionConfirmed, tx(nil, block))},
		"final twice": {seen, confirmed, in(3, event.TransactionFinal, final), in(4, event.TransactionFinal, final)},
		"proposal":    {in(1, event.ProposalCreated, created), in(2, event.ProposalBroadcast, signed)},
		"proposals":   {in(1, event.ProposalCreated, created), in(2, event.ProposalCreated, created)},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := event.Fold(events); err == nil {
				t.Errorf("%s: %+v", name, s)
			}
		})
	}
	s, err := event.Fold([]event.Event{
		seen, confirmed, in(3, event.TransactionFinal, final), in(4, event.ProposalCreated, created),
		in(5, event.WalletSynced, event.SyncData{Imported: 3}), in(6, event.TransactionUnconfirmed, tx(&block, mempool)),
	})
	if got := fmt.Sprint(s.Transactions["t"].Status, s.Final, s.Proposals, s.Imported, s.Announced, s.N); err != nil || got != "mempoolmap[] map[p:created] 3 map[t:true] 6" {
		t.Errorf("%s, %v", got, err)
	}
}

var codeSpan = regexp.MustCompile("`([a-z._]+)`")

// TestKinds_Documented: docs/events.md has each kind once, and no other.
func TestKinds_Documented(t *testing.T) {
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Kinds\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []event.Kind
	for row := range strings.Lines(section) {
		if !strings.HasPrefix(row, "| `") {
			continue
		}
		group := ""
		for _, span := range codeSpan.FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
			name := span[1]
			if strings.HasPrefix(name, ".") { // the group of the kind before it
				name = group + name
			}
			group, _, _ = strings.Cut(name, ".")
			documented = append(documented, event.Kind(name))
		}
	}
	want := event.Kinds()
	slices.Sort(want)
	slices.Sort(documented)
	if !slices.Equal(documented, want) {
		t.Errorf("docs/events.md has the kinds\n%v, want\n%v", documented, want)
	}
}
