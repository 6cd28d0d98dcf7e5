package btc_test

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

const (
	payTo    = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" // of BIP-350
	baseTo   = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
	testPay  = "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7"
	lightURI = "lightning=LNBC10U1P3PJ257PP5YZTKWJCZ5FTL5LAXKAV23ZMZEKAW37ZK6KMV80PK4XAEV5QHTZ7Q"
)

// TestParsePayment includes the examples of BIP-21 and BIP-321 with other addresses.
func TestParsePayment(t *testing.T) {
	for text, want := range map[string]btc.Payment{
		payTo:                      {Address: payTo},
		" " + payTo + "\n":         {Address: payTo},
		strings.ToUpper(payTo):     {Address: payTo},
		"bitcoin:" + payTo:         {Address: payTo},
		" bitcoin:" + payTo + " ":  {Address: payTo},
		"bitcoin://" + payTo + "/": {Address: payTo},
		"bitcoin:" + baseTo:        {Address: baseTo},
		"bitcoin:" + baseTo + "?":  {Address: baseTo},
		"BitCoin:" + payTo + "?&&": {Address: payTo},
		strings.ToUpper("bitcoin:" + payTo + "?amount=0.00001&label=rent"):                      {Address: payTo, Amount: 1000, Label: "RENT"},
		"bitcoin:" + baseTo + "?label=Luke-Jr":                                                  {Address: baseTo, Label: "Luke-Jr"},
		"bitcoin:" + baseTo + "?amount=20.3&label=Luke-Jr":                                      {Address: baseTo, Amount: 2_030_000_000, Label: "Luke-Jr"},
		"bitcoin:" + baseTo + "?amount=50&label=Luke-Jr&message=Donation%20for%20project%20xyz": {Address: baseTo, Amount: 50 * btc.BTC, Label: "Luke-Jr", Message: "Donation for project xyz"},
		"bitcoin:" + baseTo + "?somethingyoudontunderstand=50&somethingelseyoudontget=999":      {Address: baseTo},
		"bitcoin:" + payTo + "?amount=00.1":                                                     {Address: payTo, Amount: btc.BTC / 10},
		"bitcoin:" + payTo + "?amount=.1":                                                       {Address: payTo, Amount: btc.BTC / 10},
		"bitcoin:" + payTo + "?amount=1.":                                                       {Address: payTo, Amount: btc.BTC},
		"bitcoin:" + payTo + "?amount=0.100000000000":                                           {Address: payTo, Amount: btc.BTC / 10},
		"bitcoin:" + payTo + "?amount=21000000":                                                 {Address: payTo, Amount: btc.MaxMoney},
		"bitcoin:" + payTo + "?label=a+b%26c%3D%C3%A9&message=No. #5=x":                         {Address: payTo, Label: "a+b&c=é", Message: "No. #5=x"},
		"bitcoin:" + payTo + "?" + lightURI + "&pj=https://example.com/":                        {Address: payTo},
		"bitcoin:" + payTo + "?bc=" + strings.ToUpper("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs"):   {Address: payTo},
		"BITCOIN:?BC=" + strings.ToUpper(payTo) + "&" + lightURI:                                {Address: payTo},
		"bitcoin:?tb=" + testPay + "&bc=" + payTo + "&bc=" + baseTo:                             {Address: payTo},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := btc.ParsePayment(text, btc.Main)
			if err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

func TestParsePayment_Invalid(t *testing.T) {
	for text, want := range map[string]struct{ code, part string }{
		"nonsense":                        {"invalid_address", ""},
		"bitcoin":                         {"invalid_address", ""},
		"litecoin:" + payTo:               {"invalid_address", ""},
		"bitcoin:nonsense?amount=1":       {"invalid_address", ""},
		"bitcoin:" + testPay:              {"wrong_network", ""},
		"bitcoin:":                        {"invalid_payment_uri", "without an address"},
		"bitcoin:?" + lightURI:            {"invalid_payment_uri", "without an address"},
		"bitcoin:?tb=" + testPay:          {"invalid_payment_uri", "without an address"},
		"bitcoin:?bc=" + testPay:          {"wrong_network", ""},
		"bitcoin:" + payTo + "?req-pop=x": {"invalid_payment_uri", "req-pop"},
		"BITCOIN:" + payTo + "?REQ-somethingyoudontunderstand=50&req-somethingelseyoudontget=999": {"invalid_payment_uri", "req-somethingyoudontunderstand"},
		"bitcoin:" + payTo + "?req-" + strings.Repeat("a", 99):                                    {"invalid_payment_uri", "(req-…)"},
		"bitcoin:" + payTo + "?req-%0a":                                                           {"invalid_payment_uri", "(req-…)"},
		"bitcoin:" + payTo + "?amount=50,000.00":                                                  {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount=0,1":                                                        {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount=1e-5":                                                       {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount=-1":                                                         {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount=+1":                                                         {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount=1%2E5":                                                      {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount=":                                                           {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount=.":                                                          {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount=1.2.3":                                                      {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount":                                                            {"invalid_payment_uri", "with a decimal point"},
		"bitcoin:" + payTo + "?amount=0":                                                          {"invalid_payment_uri", "the amount 0"},
		"bitcoin:" + payTo + "?amount=0.000000001":                                                {"invalid_payment_uri", "eight decimals"},
		"bitcoin:" + payTo + "?amount=21000000.00000001":                                          {"invalid_payment_uri", "21000000"},
		"bitcoin:" + payTo + "?amount=1&amount=2":                                                 {"invalid_payment_uri", "amount twice"},
		"bitcoin:" + payTo + "?label=a&LABEL=b":                                                   {"invalid_payment_uri", "label twice"},
		"bitcoin:" + payTo + "?label=%zz":                                                         {"invalid_payment_uri", "percent-encoded"},
		"bitcoin:" + payTo + "?message=%ff":                                                       {"invalid_payment_uri", "percent-encoded"},
		"bitcoin:" + payTo + "?x=" + strings.Repeat("a", 8192):                                    {"invalid_payment_uri", "8192 bytes"},
	} {
		t.Run(text[:min(len(text), 99)], func(t *testing.T) {
			got, err := btc.ParsePayment(text, btc.Main)
			f := faultOf(t, err)
			if f.Code != want.code || len(f.Fields) != 1 || f.Fields[0].Name != "address" || !strings.Contains(f.Message, want.part) {
				t.Errorf("got %+v, %+v", got, f)
			}
		})
	}
}

// FuzzParsePayment checks that a parsed payment results in the same payment when it is
// written as a bitcoin: URI again.
func FuzzParsePayment(f *testing.F) {
	f.Add("bitcoin:" + payTo + "?amount=20.3&label=Luke-Jr&message=Donation%20for%20project%20xyz")
	f.Add("BITCOIN:?BC=" + strings.ToUpper(payTo) + "&" + lightURI)
	f.Add("bitcoin:" + baseTo + "?req-x=1")
	f.Add(testPay)
	f.Fuzz(func(t *testing.T, text string) {
		for _, network := range []btc.Network{btc.Main, btc.Signet, btc.Regtest} {
			p, err := btc.ParsePayment(text, network)
			if err != nil {
				fault := faultOf(t, err)
				if len(fault.Fields) != 1 || fault.Fields[0].Name != "address" {
					t.Fatalf("%q: %+v", text, fault)
				}
				continue
			}
			if address, err := btc.ParseAddress(p.Address, network); err != nil || address != p.Address || p.Amount < 0 || p.Amount > btc.MaxMoney {
				t.Fatalf("%q becomes %+v, %v", text, p, err)
			}
			escape := strings.NewReplacer("%", "%25", "&", "%26")
			uri := "bitcoin:" + p.Address + "?label=" + escape.Replace(p.Label) + "&message=" + escape.Replace(p.Message)
			if p.Amount > 0 {
				uri += "&amount=" + p.Amount.String()
			}
			if len(uri) > 8192 || strings.TrimSpace(uri) != uri {
				continue
			}
			if again, err := btc.ParsePayment(uri, network); err != nil || again != p {
				t.Fatalf("%q becomes %+v, and %q becomes %+v, %v", text, p, uri, again, err)
			}
		}
	})
}
