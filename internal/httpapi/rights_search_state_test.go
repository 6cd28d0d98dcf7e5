package httpapi_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// rows contains the rows of the tables in rightsTables, by table name.
type rows map[string]table

type table struct {
	columns []string
	all     []map[string]any
}

func (t table) of(column string, value any) (found []map[string]any) {
	for _, row := range t.all {
		if row[column] == value {
			found = append(found, row)
		}
	}
	return found
}

// rightsTables are the tables with rights, ordered so that tables refer only to earlier ones.
var rightsTables = []string{"users", "members", "tokens", "rotations", "invitations", "used_aliases"}

func (h *search) rows() rows {
	all := rows{}
	for _, name := range rightsTables {
		all[name] = h.table(name)
	}
	return all
}

func (h *search) table(name string) (t table) {
	found, err := h.statement(h.t, "SELECT * FROM "+name).Query() //nolint:sqlclosecheck // the statement is cached
	testkit.Check(h.t, err)
	defer func() { _ = found.Close() }()
	t.columns = testkit.Must(found.Columns())
	for found.Next() {
		values, targets := make([]any, len(t.columns)), make([]any, len(t.columns))
		for i := range values {
			targets[i] = &values[i]
		}
		testkit.Check(h.t, found.Scan(targets...))
		row := map[string]any{}
		for i, column := range t.columns {
			row[column] = values[i]
		}
		t.all = append(t.all, row)
	}
	testkit.Check(h.t, found.Err())
	return t
}

// restore restores the tables. It retries up to ten times, because it can conflict with the
// audit recorder, which writes the last uses of tokens.
func (h *search) restore(all rows) {
	var err error
	for range 10 {
		if err = h.tryToRestore(all); err == nil {
			return
		}
	}
	h.t.Fatal(err)
}

func (h *search) tryToRestore(all rows) error {
	tx, err := h.db.BeginTx(h.t.Context(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, name := range slices.Backward(rightsTables) {
		if _, err := tx.Exec("DELETE FROM " + name); err != nil {
			return err
		}
	}
	for _, name := range rightsTables {
		t := all[name]
		var marks []string
		for i := range t.columns {
			marks = append(marks, fmt.Sprint("$", i+1))
		}
		insert := "INSERT INTO " + name + " (" + strings.Join(t.columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
		for _, row := range t.parentsFirst() {
			values := make([]any, len(t.columns))
			for i, column := range t.columns {
				values[i] = row[column]
			}
			if _, err := tx.Exec(insert, values...); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

// parentsFirst sorts tokens so that each one follows its parent.
func (t table) parentsFirst() []map[string]any {
	return slices.SortedStableFunc(slices.Values(t.all), func(a, b map[string]any) int { return cmp.Compare(t.generation(a), t.generation(b)) })
}

func (t table) generation(row map[string]any) (n int) {
	for parent := row["parent_id"]; parent != nil; n++ {
		found := t.of("token_id", parent)
		if len(found) == 0 {
			break
		}
		parent = found[0]["parent_id"]
	}
	return n
}

// canonical returns a representation of a state without ids and descriptions, in which equal
// tokens appear once.
func (h *search) canonical(s state) string {
	var parts []string
	tokens := s.rows["tokens"]
	var label func(id any) string
	label = func(id any) string {
		row := tokens.of("token_id", id)
		_, held := s.has.tokens[fmt.Sprint(id)]
		text := fmt.Sprint("gone ", held)
		if len(row) > 0 {
			text = fmt.Sprint(row[0]["scopes"], row[0]["wallet_ids"], row[0]["expires_at"], held)
			if parent := row[0]["parent_id"]; parent != nil {
				text += " of (" + label(parent) + ")"
			}
		}
		if r := s.rows["rotations"].of("successor_id", id); len(r) > 0 {
			text += " after (" + label(r[0]["predecessor_id"]) + ")"
		}
		return text
	}
	for _, row := range tokens.all {
		parts = append(parts, label(row["token_id"]))
	}
	for _, u := range s.rows["users"].all {
		parts = append(parts, fmt.Sprint(u["name"], u["is_admin"], u["disabled_at"] == nil, s.has.passwords[fmt.Sprint(u["name"])]))
	}
	for _, m := range s.rows["members"].all {
		parts = append(parts, fmt.Sprint(m["wallet_id"], m["user_id"], m["role"]))
	}
	for _, i := range s.rows["invitations"].all {
		parts = append(parts, fmt.Sprint(i["wallet_id"], i["user_id"], i["role"], " invited"))
	}
	slices.Sort(parts)
	return strings.Join(slices.Compact(parts), "\n")
}

// truth converts a boolean column of SQLite or PostgreSQL.
func truth(value any) bool { return value == true || value == int64(1) }
