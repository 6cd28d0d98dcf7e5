package v1

import (
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/historyexport"
	"github.com/specterd/specterd/internal/httpcall"
)

func TestLedgerParams(t *testing.T) {
	ok := history{View: "ledger", Accept: "text/csv", period: period{Since: "2026-03-29", Until: "2026-03-29", Zone: "Europe/Berlin"}}
	p, err := ok.ledgerParams()
	day := time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC) // start of a 23-hour day
	if err != nil || p.Descending || !p.Since.Equal(day) || !p.Until.Equal(day.Add(23*time.Hour)) {
		t.Errorf("%+v, %v", p, err)
	}
	for accept, good := range map[string]bool{"": true, "*/*": true, "text/*": true, "text/csv, application/json": true, "application/json": false, "application/jsonl": false} {
		t.Run(accept, func(t *testing.T) {
			in := ok
			in.Accept, in.Order = accept, descending
			if p, err := in.ledgerParams(); good != (err == nil) || good && !p.Descending {
				t.Errorf("%s: %+v, %v", accept, p, err)
			}
		})
	}
	for field, in := range map[string]history{
		"view": {View: "Ledger"}, "category": {Category: "send"}, "label": {Label: "x"}, "min_amount_sat": {MinAmount: 1}, "max_amount_sat": {MaxAmount: 1}, "address": {ToAddress: "x"}, "unconfirmed": {Unconfirmed: true}, "dead": {Dead: true}, "hex": {Hex: true},
		"cursor": {page: page{Cursor: "x"}}, "since": {period: period{Since: "x"}}, "tz": {period: period{Zone: "Berlin"}},
	} {
		t.Run(field, func(t *testing.T) {
			if in.View == "" {
				in.View = "ledger"
			}
			if _, err := in.ledgerParams(); fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), field+": ") {
				t.Errorf("%s: %v", field, err)
			}
		})
	}
}

func TestTimeZones(t *testing.T) {
	for name, want := range map[string]string{"": "UTC", "UTC": "UTC", "America/St_Johns": "America/St_Johns"} {
		t.Run(name, func(t *testing.T) {
			if zone, err := (period{Zone: name}).zone(); err != nil || zone.String() != want {
				t.Errorf("%s: %v, %v", name, zone, err)
			}
		})
	}
	for _, name := range []string{"Local", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "+01:00", "\x00"} {
		if _, _, err := (period{Zone: name}).times(); err == nil || !strings.Contains(err.Error(), "tz: must be the name of an IANA time zone") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileNames(t *testing.T) {
	for want, in := range map[string]struct{ alias, since, until string }{
		"attachment; filename=ledger":                                                     {},
		"attachment; filename=vault-ledger":                                               {alias: "vault"},
		"attachment; filename=vault-ledger-from-2026-01-01":                               {alias: "vault", since: "2026-01-01"},
		"attachment; filename=ledger-to-2026-01-31T120000Z":                               {until: "2026-01-31T12:00:00Z"},
		"attachment; filename=v-ledger-2026-01-01-to-2026-12-31":                          {alias: "v", since: "2026-01-01", until: "2026-12-31"},
		`attachment; filename="a \"b\"-ledger"`:                                           {alias: `a "b"`},
		"attachment; filename=_-ledger; filename*=utf-8''%E2%82%BF-ledger":                {alias: "₿"},
		`attachment; filename="_ \"x\"-ledger"; filename*=utf-8''%C3%A9%20%22x%22-ledger`: {alias: `é "x"`},
	} {
		t.Run(want, func(t *testing.T) {
			if got := httpcall.Attachment(historyexport.FileName(in.alias, "ledger", in.since, in.until)).Get("Content-Disposition"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
