package console

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

var auditRoutes = []route{
	{method: get, path: "/audit", audience: admins, handle: (*call).listAudit},
	{method: get, path: "/audit/verify", audience: admins, handle: (*call).showVerification},
	{method: post, path: "/audit/verify", audience: admins, heavy: true, handle: (*call).verifyAudit},
}

// eventsAtOnce is the number of events on a page of the audit log.
const eventsAtOnce = 50

// auditPage lists events of the audit log.
type auditPage struct {
	Form     form // the filter
	Events   []auditRow
	Filtered bool
	First    bool
	Newest   string // path of the first page with this filter
	Next     string // path of the next page; empty on the last
}

// auditRow is an event of the audit log.
type auditRow struct {
	auth.Entry
	Session string // id of the session that was used, or empty
	Note    string // what admins may see of the detail, without the session
}

// OK reports whether the action was done.
func (r auditRow) OK() bool { return r.Outcome == "ok" }

// By returns how the user was authenticated.
func (r auditRow) By() string {
	switch {
	case r.TokenID != "":
		return "with a token"
	case r.Session != "":
		return "in a session"
	}
	return ""
}

func auditRowOf(e auth.Entry) auditRow {
	r := auditRow{Entry: e, Note: e.SharedDetail()}
	if at := strings.LastIndex(r.Note, sessionMark); at >= 0 {
		r.Session = r.Note[at+len(sessionMark):]
		r.Note = strings.TrimSuffix(r.Note[:at], "; ")
	}
	if e.Action == "session.create" {
		r.Note = browserOf(r.Note)
	}
	return r
}

// sessionMark precedes the id of a session at the end of the detail of an event.
const sessionMark = "session "

// auditFields are the fields of the filter.
var auditFields = []string{"user", "action", "target", "outcome", "since", "until"}

func (c *call) listAudit() error {
	f, filter := c.auditFilter()
	before, err := strconv.ParseInt("0"+c.query("before"), 10, 64)
	if err != nil {
		return errNoPage
	}
	p := auditPage{Form: f, Filtered: len(f.values) > 0, First: before == 0, Newest: auditPath(f.values)}
	if f.fault != nil {
		return c.renderAs(f.fault, "audit", c.look.T("Audit log"), p)
	}
	entries, err := c.Audit.List(c.r.Context(), filter, before, eventsAtOnce+1)
	if err != nil {
		return err
	}
	if len(entries) > eventsAtOnce {
		entries = entries[:eventsAtOnce]
		more := url.Values{"before": {strconv.FormatInt(entries[eventsAtOnce-1].ID, 10)}}
		for name := range f.values {
			more.Set(name, f.Value(name))
		}
		p.Next = auditPath(more)
	}
	for _, e := range entries {
		p.Events = append(p.Events, auditRowOf(e))
	}
	return c.render("audit", c.look.T("Audit log"), p)
}

func auditPath(query url.Values) string {
	if len(query) == 0 {
		return "/audit"
	}
	return "/audit?" + query.Encode()
}

// auditFilter reads the filter from the query. Dates are days in UTC; the last one is included.
func (c *call) auditFilter() (form, auth.AuditFilter) {
	f := c.formWith()
	for _, name := range auditFields {
		if value := strings.TrimSpace(c.query(name)); value != "" {
			f.values.Set(name, value)
		}
	}
	filter := auth.AuditFilter{UserName: f.Value("user"), Action: f.Value("action"), Target: f.Value("target"), Outcome: f.Value("outcome")}
	var errs [3]error
	if filter.Outcome != "" && filter.Outcome != "ok" && filter.Outcome != "refused" {
		errs[0] = fault.InvalidField("outcome", "must be ok or refused")
	}
	filter.Since, errs[1] = dayOf("since", f.Value("since"))
	filter.Until, errs[2] = dayOf("until", f.Value("until"))
	if !filter.Until.IsZero() {
		filter.Until = filter.Until.AddDate(0, 0, 1)
	}
	f.fault, _ = again(fault.JoinErrors(errs[:]...))
	return f, filter
}

// dayOf parses a date, at whose start in UTC the time is; the zero time for an empty text.
func dayOf(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fault.InvalidField(field, "must be a date such as 2026-01-31")
	}
	return day, nil
}

// verificationPage has the result of a verification of the audit log.
type verificationPage struct {
	Form   form
	Done   bool
	Report auth.AuditReport
}

// Count returns the number of events in the chain.
func (p verificationPage) Count() int { return int(p.Report.Entries) }

// OK reports whether no event is missing or was changed.
func (p verificationPage) OK() bool { return len(p.Report.Problems) == 0 }

func (c *call) showVerification() error {
	return c.render("audit-verify", c.look.T("Verify the audit log"), verificationPage{Form: c.newForm(nil)})
}

// hashDigits is the length of a hash of the audit log.
const hashDigits = 64

func (c *call) verifyAudit() error {
	hash := strings.ToLower(strings.TrimSpace(c.form.Get("hash")))
	p := verificationPage{Form: c.newForm(nil)}
	title := c.look.T("Verify the audit log")
	if hash != "" && (len(hash) != hashDigits || strings.Trim(hash, "0123456789abcdef") != "") {
		p.Form.fault = fault.InvalidField("hash", "must have %d hexadecimal digits, or be empty", hashDigits)
		return c.renderAs(p.Form.fault, "audit-verify", title, p)
	}
	if err := c.Audit.Seal(c.r.Context()); err != nil {
		return err
	}
	var err error
	if p.Report, err = c.Audit.Verify(c.r.Context(), hash); err != nil {
		return err
	}
	if hash != "" && !p.Report.Found && hash != p.Report.Anchor.Hash {
		p.Report.Problems = append(p.Report.Problems, c.look.T("No event has the hash that you entered: events were removed or rewritten, or the hash is from another database."))
	}
	p.Done = true
	return c.render("audit-verify", title, p)
}
