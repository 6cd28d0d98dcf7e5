package proposal_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
)

// recipientsText returns recipients as address amount label, one per line.
func recipientsText(list []proposal.Recipient) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s %d %q\n", r.Address, r.Amount, r.Label)
	}
	return b.String()
}

func TestParseRecipientsCSV(t *testing.T) {
	const want = "a 100000 \"rent\"\nb 5000000000 \"x, y\"\n"
	for name, text := range map[string]string{
		"satoshis":     "address,amount_sat,label\na,100000,rent\nb,5000000000,\"x, y\"\n",
		"bitcoins":     "address,amount_btc,label\na,0.001,rent\nb,50.,\"x, y\"\n",
		"order, case":  "Label, AMOUNT_BTC ,Address\nrent, .00100000 ,a\n\"x, y\",0050,b",
		"semicolons":   "address;amount_sat;label\na;100000;rent\nb;5000000000;x, y\n",
		"tabs":         "address\tamount_sat\tlabel\na\t100000\trent\nb\t5000000000\tx, y\n",
		"CRLF and BOM": "\ufeffaddress,amount_sat,label\r\na,100000,rent\r\nb,5000000000,\"x, y\"\r\n",
		"CR":           "address,amount_sat,label\ra,100000,rent\rb,5000000000,\"x, y\"\r",
		"empty lines":  "\naddress,amount_sat,label\n\na,100000,rent\n,,\nb,5000000000,\"x, y\"\n , ,\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			list, err := proposal.ParseRecipientsCSV(text)
			if got := recipientsText(list); err != nil || got != want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
	list, err := proposal.ParseRecipientsCSV("address,amount_sat\nbitcoin:a?amount=1,\n")
	if got := recipientsText(list); err != nil || got != "bitcoin:a?amount=1 0 \"\"\n" {
		t.Errorf("got %s, %v", got, err)
	}
	if list, err = proposal.ParseRecipientsCSV("address\na\n"); err != nil || len(list) != 1 {
		t.Errorf("only addresses: %v, %v", list, err)
	}
}

func TestParseRecipientsCSV_Invalid(t *testing.T) {
	many := "address,amount_btc\n" + strings.Repeat("a,\"0,5\"\n", 30)
	for name, c := range map[string]struct {
		text string
		want []string // parts of the messages
	}{
		"empty":              {"", []string{"header"}},
		"header only":        {"address,amount_sat\n", []string{"at least one recipient"}},
		"no header":          {"bcrt1q,100000\n", []string{"line 1: column 1"}},
		"unknown column":     {"address,amount\na,1\n", []string{"line 1: column 2"}},
		"column twice":       {"address,amount_sat,address\n", []string{"column address twice"}},
		"no address":         {"amount_sat,label\n1,x\n", []string{"no column address"}},
		"both amounts":       {"address,amount_sat,amount_btc\na,1,\n", []string{"only one"}},
		"UTF-16":             {"\xff\xfea\x00d\x00", []string{"UTF-8"}},
		"NUL":                {"address\x00", []string{"UTF-8"}},
		"quotation mark":     {"address,amount_sat\na,1\nb\"c,1\n", []string{"line 3: has a quotation mark"}},
		"open quotation":     {"address,amount_sat\na,1\n\"b,1\nc,2\n", []string{"line 3: has a quotation mark"}},
		"values":             {"address,amount_btc\na,0,5\nb\n", []string{"line 2: must have 2 values, as the header, but has 3", "line 3: must have 2 values, as the header, but has 1"}},
		"locale comma":       {"address;amount_btc\na;0,5\nb;1.5\nc;1.000,00\n", []string{"line 2, column amount_btc: must be an amount in bitcoins", "line 4, column amount_btc"}},
		"satoshis":           {"address,amount_sat\na,\"1,000\"\nb,1.5\nc,-1\nd,0\ne,1e5\nf,2100000000000001\ng,+1\n", []string{"line 2, column amount_sat", "line 3", "line 4", "line 5", "line 6", "line 7", "line 8"}},
		"bitcoins":           {"address,amount_btc\na,0\nb,1e-5\nc,0.000000001\nd,21000000.1\ne,-1\n", []string{"line 2", "line 3", "line 4", "line 5", "line 6"}},
		"line breaks before": {"address,amount_sat,label\na,1,\"x\ny\"\n\nb,x,z\n", []string{"line 5, column amount_sat"}},
		"more than 20":       {many, strings.Split(strings.Repeat("column amount_btc ", 20), " ")[:20]},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := proposal.ParseRecipientsCSV(c.text)
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || len(f.Fields) != len(c.want) {
				t.Fatalf("got %v", err)
			}
			for i, part := range c.want {
				if f.Fields[i].Name != proposal.FieldCSV || !strings.Contains(f.Fields[i].Message, part) {
					t.Errorf("problem %d: %+v, want %s", i, f.Fields[i], part)
				}
			}
		})
	}
	_, err := proposal.ParseRecipientsCSV("address,amount_sat\n" + strings.Repeat("a,1\n", proposal.MaxRecipients+1))
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "3000") {
		t.Errorf("too many: %v", err)
	}
}

func FuzzParseRecipientsCSV(f *testing.F) {
	f.Add("address,amount_btc,label\na,0.001,\"x, y\"\n")
	f.Add("\ufeffaddress;amount_sat\r\na;1\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := proposal.ParseRecipientsCSV(text)
		if _, isFault := errors.AsType[*fault.Error](err); err != nil && !isFault {
			t.Fatalf("%q: %v", text, err)
		}
		for _, r := range list {
			if err == nil && (r.Amount < 0 || r.Amount > btc.MaxMoney || r.Data != nil) {
				t.Fatalf("%q: %+v", text, r)
			}
		}
	})
}

func TestParseRecipient(t *testing.T) {
	for text, want := range map[string]proposal.Recipient{
		"a=100000sat":                  {Address: "a", Amount: 100_000},
		" a = 100000 sat ":             {Address: "a", Amount: 100_000},
		"a=100000SAT":                  {Address: "a", Amount: 100_000},
		"a=0.001btc":                   {Address: "a", Amount: 100_000},
		"a=1 BTC":                      {Address: "a", Amount: btc.BTC},
		"bitcoin:a?amount=1&label=x=y": {Address: "bitcoin:a?amount=1&label=x=y"},
		"BITCOIN:A":                    {Address: "BITCOIN:A"},
		"data:6869":                    {Data: []byte("hi")},
	} {
		t.Run(text, func(t *testing.T) {
			if got, isMax, err := proposal.ParseRecipient(text); err != nil || isMax || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %t, %v", got, isMax, err)
			}
		})
	}
	if got, isMax, err := proposal.ParseRecipient("a=max"); err != nil || !isMax || got.Address != "a" || got.Amount != 0 {
		t.Errorf("max: %+v, %t, %v", got, isMax, err)
	}
	for _, text := range []string{"", "a", "=1", "a=", "a=0sat", "a=100000", "a=1.5", "a=1.5sat", "a=MAX", "a=-1", "a=1,5btc", "a=0btc", "a=x", "a=1mbtc", "a=2100000000000001", "data:", "data:6", "data:zz"} {
		t.Run(text, func(t *testing.T) {
			if got, _, err := proposal.ParseRecipient(text); !errors.Is(err, proposal.ErrRecipient) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]btc.Amount{
		"1sat": 1, "50000 sat": 50_000, "0.0005BTC": 50_000, "1btc": btc.BTC, "21000000BTC": btc.MaxMoney,
		"": 0, "5": 0, "sat": 0, "BTC": 0, "-1sat": 0, "0sat": 0, "0.1sat": 0, "0.000000001BTC": 0, "21000001BTC": 0, "5000sats": 5000, "1 Sats": 1, "1satbtc": 0, "1e5sat": 0, "$1": 0, "1e9BTC": 0,
	} {
		t.Run(text, func(t *testing.T) {
			if got, err := proposal.ParseAmount(text); got != want || (err == nil) != (want != 0) {
				t.Errorf("%q: %d, %v", text, got, err)
			}
		})
	}
	for text, want := range map[string]string{
		"0,1BTC": "the amount must have a decimal point and no other separators, such as 0.0005BTC", "1,000sat": "must have a decimal point", "1'000sat": "must have a decimal point",
		"0.1": "must have a unit", "0.1mBTC": "the unit of an amount must be sat or BTC", "10 EUR": "the unit of an amount must be sat or BTC",
		"0.5sat": "an amount in satoshis must be a whole number", "0sat": "must be above 0", "0.000000001BTC": "with whole satoshis",
	} {
		t.Run(text, func(t *testing.T) {
			if _, err := proposal.ParseAmount(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %s", text, err, want)
			}
		})
	}
}
