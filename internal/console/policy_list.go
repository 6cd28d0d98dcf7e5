package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/spending"
)

// policyListRoutes are the pages of the lists of a wallet.
var policyListRoutes = []route{
	{method: get, path: "/wallets/{alias}/lists/new", audience: users, role: auth.RoleOwner, handle: (*call).newList},
	{method: get, path: "/wallets/{alias}/lists/{name}", audience: users, role: auth.RoleViewer, handle: (*call).showList},
	{method: post, path: "/wallets/{alias}/lists/review", audience: users, role: auth.RoleOwner, handle: (*call).reviewList},
	{method: post, path: "/wallets/{alias}/lists", audience: users, role: auth.RoleOwner, proof: true, purpose: "To change a list of recipients of %s, enter your password again.", handle: (*call).saveList},
}

// listRow is a list of a wallet.
type listRow struct {
	spending.List

	Path    string
	Entries []listEntry
	More    int // number of entries that the row does not show
}

// listEntry is an entry of a list as a page shows it.
type listEntry struct{ Text, Label string }

// shownEntries is the number of entries that the page of a policy shows.
const shownEntries = 5

func (c *call) listRow(l spending.List) listRow {
	row := listRow{List: l, Path: c.walletPath("lists", l.List)}
	row.More = max(0, len(l.Entries)-shownEntries)
	row.Entries = c.entries(l.Entries[:len(l.Entries)-row.More])
	return row
}

func (c *call) entries(targets []policy.Target) []listEntry {
	names := c.policyNames()
	out := make([]listEntry, len(targets))
	for i := range targets {
		out[i] = listEntry{upper(c.look.sentence(names.Target(&targets[i]))), targets[i].Label}
	}
	return out
}

// policyListPage is the form of a list.
type policyListPage struct {
	Form    form
	Name    string // empty for a new list
	Version string // of the list that the form changes
	List    listRow
	All     []listEntry
	MayEdit bool
}

func (c *call) newList() error { return c.renderList(c.newForm(nil), "") }

// showList shows a list with the form to change it.
func (c *call) showList() error {
	name := c.param("name")
	list, err := c.Spending.GetList(c.r.Context(), c.access, name)
	if err != nil {
		return missing(err, spending.ErrListNotFound)
	}
	c.form.Set("name", name)
	c.form.Set(versionField, list.Version)
	c.form.Set(entriesField, listText(list))
	return c.renderList(c.newForm(nil), name)
}

const entriesField = "entries"

// listText returns a list as the form has it: one address with its label in each line, or the
// document if it has other entries.
func listText(l spending.List) string {
	var lines []string
	for _, e := range l.Entries {
		if e.Address == "" || strings.ContainsAny(e.Label, "\r\n") {
			var text bytes.Buffer
			if json.Indent(&text, l.JSON(), "", "  ") == nil {
				return text.String()
			}
		}
		lines = append(lines, strings.TrimSpace(e.Address+" "+e.Label))
	}
	return strings.Join(lines, "\n")
}

// listDocument returns the document of the form: it is written in JSON, or has one address with
// its label in each line.
func (c *call) listDocument() []byte {
	text := strings.TrimSpace(c.form.Get(entriesField))
	if strings.HasPrefix(text, "{") {
		return []byte(text)
	}
	entries := []object{}
	for line := range strings.Lines(text) {
		address, label, _ := strings.Cut(strings.TrimSpace(line), " ")
		if address == "" {
			continue
		}
		entry := object{"address": address}
		entry.set("label", strings.TrimSpace(label))
		entries = append(entries, entry)
	}
	document, err := json.Marshal(object{entriesField: entries})
	if err != nil { // only texts
		panic(err)
	}
	return document
}

func (c *call) renderList(f form, name string) error {
	f.ids = []string{entriesField, "name"}
	page := policyListPage{Form: f, Name: name, Version: c.form.Get(versionField), MayEdit: c.view.Role.Covers(auth.RoleOwner)}
	if name != "" {
		list, err := c.Spending.GetList(c.r.Context(), c.access, name)
		if err != nil {
			return missing(err, spending.ErrListNotFound)
		}
		page.List, page.All = c.listRow(list), c.entries(list.Entries)
	}
	return c.renderForm(f, "policy-list", c.look.T("List of recipients"), &page)
}

// existingList returns the list of the form; its name is empty if there is none.
func (c *call) existingList() (spending.List, error) {
	list, err := c.Spending.GetList(c.r.Context(), c.access, c.form.Get("name"))
	if errors.Is(err, spending.ErrListNotFound) {
		return spending.List{}, nil
	}
	return list, err
}

// reviewList shows what the form changes, or the form with its problems.
func (c *call) reviewList() error {
	current, err := c.existingList()
	if err != nil {
		return err
	}
	document, deletes := c.listDocument(), c.form.Get(actionField) == "delete"
	if c.form.Get(actionField) == "back" {
		return c.renderList(c.newForm(nil), current.List)
	}
	if deletes {
		document = nil
	}
	name := c.form.Get("name")
	preview, err := c.Spending.PreviewPutList(c.r.Context(), c.access, name, document)
	if err != nil {
		return c.refuseList(err, current.List)
	}
	if preview.Unchanged {
		return c.redirect(c.walletPath("policy"), "list-unchanged")
	}
	review := policyReview{policyAt: policyAt{Kind: policy.Wallet, Base: c.walletPath("lists")}, Form: c.newForm(nil), List: name, Entries: c.form.Get(entriesField), Deletes: deletes, Document: string(document), Version: c.form.Get(versionField), Hidden: c.hidden()}
	if review.Diff, err = c.listDiff(current.Entries, preview.Document); err != nil {
		return err
	}
	c.addLoosens(&review, preview)
	if err := c.addOpen(&review); err != nil {
		return err
	}
	return c.render("policy-review", c.look.T("Check the change"), &review)
}

// refuseList shows the form of a list with its problem.
func (c *call) refuseList(err error, name string) error {
	f, err := conflictOf(err)
	if err != nil {
		return err
	}
	return c.renderList(c.newForm(f), name)
}

// saveList makes the change of a list that was reviewed.
func (c *call) saveList() error {
	current, err := c.existingList()
	if err != nil {
		return err
	}
	var result spending.Result
	notice, expected := "list-saved", spending.Versions{c.form.Get(versionField)}
	if c.form.Get(actionField) == "delete" {
		notice = "list-deleted"
		result, err = c.Spending.DeleteList(c.r.Context(), c.access, c.form.Get("name"), expected)
	} else {
		result, err = c.Spending.PutList(c.r.Context(), c.access, c.form.Get("name"), []byte(c.form.Get(documentField)), expected)
	}
	if err != nil {
		return c.refuseList(err, current.List)
	}
	switch {
	case result.Pending != nil:
		notice = "policy-requested"
	case result.Unchanged:
		notice = "list-unchanged"
	}
	return c.redirect(c.walletPath("policy"), notice)
}

// listDiff returns the difference between entries and a stored document of a list.
func (c *call) listDiff(before []policy.Target, document string) ([]diffRow, error) {
	var after []policy.Target
	if document != "" {
		var err error
		if after, err = policy.ParseStoredList([]byte(document)); err != nil {
			return nil, err
		}
	}
	return diffOf([]ruleText{{Sentences: c.entryTexts(before)}}, []ruleText{{Sentences: c.entryTexts(after)}}), nil
}

func (c *call) entryTexts(targets []policy.Target) []string {
	out := make([]string, len(targets))
	for i, e := range c.entries(targets) {
		if out[i] = e.Text; e.Label != "" {
			out[i] += " (" + isolate + e.Label + popIsolate + ")"
		}
	}
	return out
}
