package console

import (
	"cmp"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
)

// form contains the values of a form, and the problems with which it was refused, to show it
// again.
type form struct {
	values url.Values
	fault  *fault.Error
	look   *look
	// ids are the names of the inputs of a form with parts: a problem belongs to the input with
	// the longest prefix. Raw is set if the form is a document, whose fields keep their names.
	ids []string
	raw bool
	// hasDocument is set if one input of the form is a policy as a document.
	hasDocument bool
	// stated are the labels of the inputs at which the page states a problem, by their names; see
	// call.send.
	stated map[string]string
	limits func([]fault.Limit) []limitRow
	// title returns the short name of an open proposal.
	title func(id string) template.HTML
}

// newForm returns the form of the request; f is nil if it was not refused.
func (c *call) newForm(f *fault.Error) form {
	o := c.formWith()
	o.values, o.fault = c.form, f
	return o
}

// formWith returns a form with these values: pairs of a name and a value.
func (c *call) formWith(pairs ...string) form {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return form{values: values, look: c.look, stated: c.stated, limits: c.limits, title: c.proposalTitle}
}

// renderForm responds with a page whose form may have been refused.
func (c *call) renderForm(f form, name, title string, body any) error {
	if f.fault != nil {
		return c.renderAs(f.fault, name, title, body)
	}
	return c.render(name, title, body)
}

// Value returns the value of a field.
func (f form) Value(name string) string { return f.values.Get(name) }

// Is reports whether a field has a value; for radio buttons, check boxes and options.
func (f form) Is(name, value string) bool {
	for _, v := range f.values[name] {
		if v == value {
			return true
		}
	}
	return false
}

// Refused reports whether the form was refused.
func (f form) Refused() bool { return f.fault != nil }

// Message returns why the form was refused. Pages list the problems of fields below it.
func (f form) Message() string {
	switch all := f.Problems(); {
	case len(f.fault.Limits) > 0:
		return asSentence(f.look.find(byPolicies(f.fault)))
	case len(all) == 0:
		return asSentence(f.look.fault(f.fault))
	case len(all) == 1 && f.hasSummary():
		return asSentence(f.look.words(f.look.T(f.fault.Message)))
	default:
		return f.look.N(len(all), "Nothing was stored. Correct this value:", "Nothing was stored. Correct these values:")
	}
}

// Text returns Message with links to the open proposals that it names.
func (f form) Text() template.HTML {
	var links []string
	for id := range strings.FieldsSeq(f.fault.Details["proposals"]) {
		links = append(links, id, `<a href="/p/`+id+`">`+string(f.title(id))+`</a>`)
	}
	return template.HTML(strings.NewReplacer(links...).Replace(template.HTMLEscapeString(f.Message()))) //nolint:gosec // escaped
}

// hasSummary reports whether a fault about one field has a message of its own.
func (f form) hasSummary() bool {
	p := f.fault.Fields[0]
	return f.fault.Message != p.Name+": "+p.Message && asSentence(p.Message) != asSentence(f.fault.Message)
}

// Listed returns the problems to list below the message: links to the inputs at which the page
// states them, and texts of the others.
func (f form) Listed() []listedProblem {
	var out []listedProblem
	all := f.Problems()
	for _, p := range all {
		label, stated := f.stated[p.ID]
		one := listedProblem{ID: p.ID, Label: cmp.Or(label, f.look.fieldName(p.ID))}
		if !stated {
			one = listedProblem{Text: asSentence(p.Name + ": " + p.Message)}
			if p.Name == "" {
				one.Text = asSentence(p.Message)
			}
		}
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	if len(all) == 1 && out[0].Text == "" && f.hasSummary() {
		return nil // the message and the input say all
	}
	return out
}

// listedProblem is a problem in the list of a form: a link to an input, or a text.
type listedProblem struct{ ID, Label, Text string }

// fieldProblem is the problem of a field as pages show it.
type fieldProblem struct {
	ID      string // of the input
	Name    string // of the field, for people
	Message string
}

// Problems returns the problems of individual fields.
func (f form) Problems() []fieldProblem {
	if f.fault == nil {
		return nil
	}
	problems := make([]fieldProblem, len(f.fault.Fields))
	for i, p := range f.fault.Fields {
		problems[i] = fieldProblem{p.Name, f.look.fieldName(p.Name), f.look.problemText(p)}
		switch {
		case f.raw:
			problems[i] = fieldProblem{documentField, p.Name, f.look.find(p.Message)}
		case f.ids != nil:
			problems[i].ID = idOf(f.ids, p.Name)
			if p.Message == policy.DurationProblem { // the form accepts more than documents
				problems[i].Message = f.look.T("must be a duration of at least 1 minute and at most 366 days, such as 24h, 1 day or 2 weeks")
			}
		case f.hasDocument && isPolicyProblem(p.Name):
			problems[i].ID = tokenPolicyField
		}
	}
	return problems
}

// Policy returns the problems of the policy of a new token, with the names of its fields.
func (f form) Policy() (problems []fieldProblem) {
	if f.fault == nil {
		return nil
	}
	for _, p := range f.fault.Fields {
		if isPolicyProblem(p.Name) {
			f.stated[tokenPolicyField] = ""
			problems = append(problems, fieldProblem{tokenPolicyField, p.Name, f.look.find(p.Message)})
		}
	}
	return problems
}

func (f form) problem(name string) string {
	var messages []string
	for _, p := range f.Problems() {
		switch {
		case p.ID != name:
		case f.ids == nil && !f.raw:
			return p.Message
		case f.raw || p.Name != f.look.fieldName(name):
			messages = append(messages, p.Name+": "+p.Message)
		default:
			messages = append(messages, p.Message)
		}
	}
	return strings.Join(messages, "; ")
}

// Attr returns the attributes of an input that refer to its problem.
func (f form) Attr(name string) template.HTMLAttr {
	if f.problem(name) == "" {
		return ""
	}
	return template.HTMLAttr(`aria-invalid="true" aria-describedby="` + template.HTMLEscapeString(name) + `-problem"`) //nolint:gosec // escaped
}

// Err returns the problem of a field, to show below its input.
func (f form) Err(name string) template.HTML {
	text := f.problem(name)
	if text == "" {
		return ""
	}
	f.stated[name] = ""
	if !f.raw {
		text = asSentence(text)
	}
	return template.HTML(`<p class="err" id="` + template.HTMLEscapeString(name) + `-problem">` + string(icon("warn")) + template.HTMLEscapeString(text) + `</p>`) //nolint:gosec // escaped
}
