package historyexport

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

var at = time.Date(2026, 11, 30, 23, 59, 59, 500_000_000, time.FixedZone("", 3600))

func sample() wallet.Record {
	return wallet.Record{
		Alias: "vault", Label: `=HYPERLINK("http://evil.example","x")`, AddressLabel: "theirs", Confirmations: 3,
		Transaction: wallet.Transaction{
			Txid: strings.Repeat("ab", 32), Time: at, Category: wallet.Send, Flow: -150_000_332, Fee: new(btc.Amount(332)), VSize: 141,
			Address: "bcrt1qxyz", Raw: []byte{2, 0},
			State: wallet.State{
				Status: wallet.Confirmed, Block: &wallet.Block{Height: 186, Hash: strings.Repeat("0", 64), Time: at},
				Conflicts: []string{"cd", "ef"}, Replaceable: "no",
			},
			Outputs: []wallet.Output{
				{Vout: 0, Address: "bcrt1qxyz", Amount: 150_000_000, Label: "theirs", AddressLabel: "theirs"},
				{Vout: 1, Amount: 0},
				{Vout: 2, Address: "bcrt1qme", Amount: 7, Own: &wallet.Place{Branch: wallet.ChangeBranch, Index: 4}, Label: "a, \"b\"", AddressLabel: "own"},
				{Vout: 3, Address: "bcrt1qhers", Amount: 8},
			},
		},
	}
}

func yielding(n int, err error) iter.Seq2[wallet.Record, error] {
	return func(yield func(wallet.Record, error) bool) {
		for range n {
			if !yield(sample(), nil) {
				return
			}
		}
		if err != nil {
			yield(wallet.Record{}, err)
		}
	}
}

func TestWriteCSV(t *testing.T) {
	var out bytes.Buffer
	w := bufio.NewWriterSize(&out, 32<<10)
	if err := errors.Join(WriteCSV(w, false, yielding(1, nil)), w.Flush()); err != nil {
		t.Fatal(err)
	}
	want := "time,wallet,txid,status,confirmations,category,flow_sat,flow_btc,fee_sat,fee_btc,vsize,address,address_label,label," +
		"block_height,block_hash,block_time,replaceable,conflicts\r\n" +
		"2026-11-30T22:59:59Z,vault," + strings.Repeat("ab", 32) + ",confirmed,3,send,-150000332,-1.50000332,332,0.00000332,141,bcrt1qxyz bcrt1qhers," +
		`"theirs | a, ""b"" | own","'=HYPERLINK(""http://evil.example"",""x"")",186,` + strings.Repeat("0", 64) + ",2026-11-30T22:59:59Z,no,cd ef\r\n"
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 2 || len(lines[1]) != len(csvColumns) {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

// TestCSV_OwnAddresses checks that the CSV line of a received payment lists each of the
// wallet's own addresses once.
func TestCSV_OwnAddresses(t *testing.T) {
	own := &wallet.Place{}
	r := wallet.Record{Transaction: wallet.Transaction{Category: wallet.Mixed, Address: "a", Outputs: []wallet.Output{
		{Address: "a", Own: own}, {Address: "theirs"}, {Address: "b", Own: own}, {Address: "a", Own: own},
	}}}
	if got := addressesOf(r); got != "a b" {
		t.Errorf("got %q", got)
	}
	r.Outputs = nil
	if got := addressesOf(r); got != "a" {
		t.Errorf("got %q", got)
	}
}

func TestCSVText(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "rent": "rent", "a=b": "a=b", "x =b": "x =b", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1", "＝1": "'＝1", "'=1": "'=1",
	} {
		t.Run(text, func(t *testing.T) {
			if got := csvText(text); got != want {
				t.Errorf("%q becomes %q", text, got)
			}
		})
	}
}

func TestWriteLines(t *testing.T) {
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	if err := errors.Join(WriteLines(w, yielding(2, nil)), w.Flush()); err != nil {
		t.Fatal(err)
	}
	want := `{"txid":"` + strings.Repeat("ab", 32) + `","wallet":"vault","time":"2026-11-30T22:59:59.5Z","status":"confirmed","confirmations":3,` +
		`"block":{"height":186,"hash":"` + strings.Repeat("0", 64) + `","time":"2026-11-30T22:59:59.5Z"},"category":"send","flow_sat":-150000332,"fee_sat":332,` +
		`"vsize":141,"replaceable":"no","conflicts":["cd","ef"],"address":"bcrt1qxyz","address_label":"theirs","label":"=HYPERLINK(\"http://evil.example\",\"x\")",` +
		`"outputs":[{"vout":0,"address":"bcrt1qxyz","amount_sat":150000000,"mine":false,"branch":null,"index":null,"label":"theirs","address_label":"theirs"},` +
		`{"vout":1,"address":null,"amount_sat":0,"mine":false,"branch":null,"index":null,"label":"","address_label":""},` +
		`{"vout":2,"address":"bcrt1qme","amount_sat":7,"mine":true,"branch":"change","index":4,"label":"a, \"b\"","address_label":"own"},` +
		`{"vout":3,"address":"bcrt1qhers","amount_sat":8,"mine":false,"branch":null,"index":null,"label":"","address_label":""}],"hex":"0200"}` + "\n"
	if out.String() != want+want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
}

// TestExports_ReadError checks that an export returns the error that interrupted it.
func TestExports_ReadError(t *testing.T) {
	broken := errors.New("broken")
	for name, write := range map[string]func(*bufio.Writer, iter.Seq2[wallet.Record, error]) error{
		"CSV": func(w *bufio.Writer, records iter.Seq2[wallet.Record, error]) error {
			return WriteCSV(w, false, records)
		}, "lines": WriteLines,
	} {
		if err := write(bufio.NewWriter(&bytes.Buffer{}), yielding(3, broken)); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEmptyTransaction(t *testing.T) {
	got, err := json.Marshal(TransactionOf(wallet.Record{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"block":null`, `"fee_sat":null`, `"address":null`, `"conflicts":[]`, `"outputs":[]`} {
		if !bytes.Contains(got, []byte(part)) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
	if bytes.Contains(got, []byte("hex")) {
		t.Errorf("%s has an empty hex", got)
	}
}
