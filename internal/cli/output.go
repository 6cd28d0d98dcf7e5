package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
)

const jsonFlag = "json"

// properties returns a writer for the properties of one object, and a function that adds a
// property.
func (p *program) properties() (w *tabwriter.Writer, row func(name, format string, args ...any)) {
	w = tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	return w, func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
}

// addJSON adds the flag --json to a command that prints objects, and returns the command.
func addJSON(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Bool(jsonFlag, false, "print JSON with the field names of the API")
	return cmd
}

func wantsJSON(cmd *cobra.Command) bool { return isSet(cmd, jsonFlag) }

// printJSON prints v as a JSON document.
func (p *program) printJSON(v any) error {
	w := p.exported()
	if err := json.MarshalWrite(w, v, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	fmt.Fprintln(w)
	return nil
}

// column is a column of a table of R.
type column[R any] struct {
	head  string
	text  func(R) string
	right bool // aligned to the right, for numbers
}

// col returns a column of texts.
func col[R any](head string, text func(R) string) column[R] { return column[R]{head, text, false} }

// amountCol returns a column of amounts in bitcoins.
func amountCol[R any](head string, amount func(R) btc.Amount) column[R] {
	return column[R]{head, func(r R) string { return bitcoins(amount(r)) }, true}
}

// bitcoins returns an amount in bitcoins with eight decimals.
func bitcoins(a btc.Amount) string { return a.Fixed() }

// printRows prints rows as a table, or with --json as a list of the objects that show
// returns.
func printRows[R any](p *program, cmd *cobra.Command, rows []R, show func(R) any, columns ...column[R]) error {
	return printList(p, cmd, rows, v1.ShowList, show, columns...)
}

// printRowsAsOf is printRows for objects of the API in a list that is current to a block.
func printRowsAsOf[R any](p *program, cmd *cobra.Command, asOf *api.AsOf, rows []R, columns ...column[R]) error {
	list := func(items []any) any { return listAsOf{items, asOf} }
	return printList(p, cmd, rows, list, itself, columns...)
}

// listAsOf is a complete list in JSON that is current to a block.
type listAsOf struct {
	Items []any     `json:"items"`
	AsOf  *api.AsOf `json:"as_of"`
}

func printList[R any](p *program, cmd *cobra.Command, rows []R, list func([]any) any, show func(R) any, columns ...column[R]) error {
	if wantsJSON(cmd) {
		items := make([]any, len(rows))
		for i, r := range rows {
			items[i] = show(r)
		}
		return p.printJSON(list(items))
	}
	table, right := make([][]string, 1, len(rows)+1), make([]bool, len(columns))
	for i, c := range columns {
		table[0], right[i] = append(table[0], c.head), c.right
	}
	for _, r := range rows {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = c.text(r)
		}
		table = append(table, cells)
	}
	p.printTable(table, right)
	return nil
}

// columnGap separates the columns of a table; continuation lines begin with it.
const columnGap = "  "

// printTable prints cells in aligned columns; right is set for columns that are aligned to the
// right. On a terminal that is too narrow, the last columns of a row continue on further
// lines, so that no cell is cut off.
func (p *program) printTable(rows [][]string, right []bool) {
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	width, _ := p.terminalSize()
	starts := lineStarts(widths, width)
	var b strings.Builder
	for _, cells := range rows {
		line := ""
		for i, cell := range cells {
			if starts[i] {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
				line = columnGap
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right[i] {
				cell, pad = pad+cell, ""
			}
			line += cell + pad + columnGap
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprint(p.stdout, b.String())
}

// lineStarts reports for each column whether it begins a new line, so that lines are not
// longer than limit; 0 means no limit.
func lineStarts(widths []int, limit int) []bool {
	starts := make([]bool, len(widths))
	used := 0
	for i, width := range widths {
		if i > 0 && limit > 0 && used+width > limit {
			starts[i], used = true, len(columnGap)
		}
		used += width + len(columnGap)
	}
	return starts
}
