package testkit

import "testing"

func TestFindUserText(t *testing.T) {
	log := `{"level":"DEBUG","msg":"x","error":"savings"}
{"level":"INFO","msg":"savings","user":"savings","route":"/savings","error":"the spared savings_2","wallet":"rent of flat 7"}
{"level":"WARN","msg":"x","error":"no wallet 'cold store' at hand"}
`
	for text, want := range map[string]string{
		"savings": "", "flat": "wallet=rent of flat 7", "rent of flat 7": "wallet=rent of flat 7", "fla": "", "spare": "",
		"cold store": "error=no wallet 'cold store' at hand",
	} {
		t.Run(text, func(t *testing.T) {
			if got := find(attributes(t, log), text); got != want {
				t.Errorf("%s: found %q, want %q", text, got, want)
			}
		})
	}
}
