package wallet

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// MaxLabelFile is the maximum size of a file of labels in bytes. It is enough for MaxLabels
// lines with long labels.
const MaxLabelFile = 16 << 20

// LabelImport is the result of an import of labels.
type LabelImport struct {
	Imported int         // number of lines whose label or spendable was set
	Ignored  []LabelLine // lines of which something was ignored or omitted
	Failed   []LabelLine // invalid lines; all others were imported or ignored
	// Unchanged is set if all labels were set already, so that nothing was stored.
	Unchanged bool
}

// LabelLine is a line of a file of labels, from 1 on, with a message about it.
type LabelLine struct {
	Line    int
	Message string
}

// ImportLabelFile is ImportLabels for a file in the format of BIP-329: one JSON object per line,
// at most MaxLabels lines. Invalid lines are reported, and all others are imported.
func (s *Service) ImportLabelFile(ctx context.Context, access Access, lines []byte) (LabelImport, error) {
	if _, err := s.View(ctx, access, auth.RoleProposer); err != nil {
		return LabelImport{}, err
	}
	if n := bytes.Count(lines, []byte("\n")); n > MaxLabels {
		return LabelImport{}, fault.New(fault.Invalid, "too_many_labels", "must not have more than %d lines; split the file", MaxLabels)
	}
	labels, numbers, out, err := parseLabels(lines)
	if err != nil {
		return LabelImport{}, err
	}
	foreign, cleaned, unchanged, err := s.ImportLabels(ctx, access, labels)
	if err != nil {
		return LabelImport{}, err
	}
	out.Imported, out.Unchanged = len(labels), unchanged
	for _, i := range foreign {
		out.Ignored = append(out.Ignored, LabelLine{numbers[i], "spendable is ignored: the output does not belong to this wallet"})
		if labels[i].Label == nil {
			out.Imported--
		}
	}
	for _, i := range cleaned {
		out.Ignored = append(out.Ignored, LabelLine{numbers[i], "control characters, invisible characters and marks of text direction of the label are omitted"})
	}
	slices.SortStableFunc(out.Ignored, func(a, b LabelLine) int { return a.Line - b.Line })
	return out, nil
}

// parseLabels returns the labels, the line number of each, and, in out, the lines that are
// ignored or invalid. Invalid lines are not an error.
func parseLabels(lines []byte) (labels []btc.Label, numbers []int, out LabelImport, err error) {
	number := 0
	for line := range bytes.Lines(lines) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		l, err := btc.ParseLabel(line)
		f, isFault := errors.AsType[*fault.Error](err)
		switch {
		case err == nil:
			labels, numbers = append(labels, l), append(numbers, number)
		case !isFault:
			return nil, nil, out, err
		case errors.Is(err, btc.ErrLabelType):
			out.Ignored = append(out.Ignored, LabelLine{number, f.Message})
		default:
			out.Failed = append(out.Failed, LabelLine{number, f.Message})
		}
	}
	return labels, numbers, out, nil
}
