package v1

import (
	"bufio"
	"context"
	"fmt"
	"iter"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// label is the type of a line of an export of labels in the OpenAPI specification. It is
// also printed by the command line; btc.Label encodes and decodes the lines.
type label struct {
	Type      string  `json:"type" required:"true" enum:"tx,addr,pubkey,input,output,xpub" example:"addr"`
	Ref       string  `json:"ref" required:"true" description:"Reference to the labelled object, depending on type: a transaction id, an address, txid:vout, …"`
	Label     *string `json:"label,omitempty" maxLength:"255" description:"Label. In an import, an empty label deletes the existing one; without this field, it is unchanged."`
	Origin    string  `json:"origin,omitempty" description:"Abbreviated descriptor of the wallet."`
	Spendable *bool   `json:"spendable,omitempty" description:"For outputs only: false freezes the output, true unfreezes it."`
}

// newLabel is the body of a request that sets a label.
type newLabel struct {
	Label *string `json:"label" required:"true" nullable:"false" maxLength:"255" example:"invoice 17" description:"The label; an empty string removes it."`
}

func (l newLabel) text() (string, error) {
	if l.Label == nil {
		return "", fault.InvalidField("label", "is required; an empty label removes it")
	}
	return *l.Label, nil
}

type labelOutputRequest struct {
	utxoRequest
	newLabel
}

// LabelOutput serves PATCH /api/v1/wallets/{alias}/outputs/{outpoint}.
func (a *API) LabelOutput(ctx context.Context, in labelOutputRequest) (output, error) {
	text, err := in.text()
	if err != nil {
		return output{}, err
	}
	at, err := btc.ParseOutpoint(in.Outpoint)
	if err != nil {
		return output{}, err
	}
	o, err := a.o.Wallets.LabelOutput(ctx, access(ctx), at, text)
	return outputOf(o), err
}

// LabelMedia is the media type of an export of labels.
var LabelMedia = []route.Media{route.MediaOf[label](linesType)}

// ExportLabels serves GET /api/v1/wallets/{alias}/labels.
func (a *API) ExportLabels(ctx context.Context, _ walletRequest) (route.Streamed, error) {
	labels, err := a.o.Wallets.Labels(ctx, access(ctx))
	if err != nil {
		return route.Streamed{}, err
	}
	return route.Streamed{
		ContentType: linesType, Header: httpcall.Attachment(access(ctx).Alias() + "-labels.jsonl"),
		Body: func(w *bufio.Writer) error { return WriteLabels(w, labels) },
	}, nil
}

// WriteLabels writes labels in the format of BIP-329, one line each.
func WriteLabels(w *bufio.Writer, labels iter.Seq2[btc.Label, error]) error {
	for l, err := range labels {
		if err != nil {
			return err
		}
		line, err := l.Append(w.AvailableBuffer())
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

type importLabelsRequest struct {
	walletRequest
	Lines []byte `body:"application/jsonl,application/x-ndjson,text/plain" json:"-" description:"One BIP-329 JSON object per line, at most 10000 lines."`
}

// MaxBody implements route.Limited.
func (importLabelsRequest) MaxBody() int64 { return wallets.MaxLabelFile }

type importedLabels struct {
	Imported int            `json:"imported" required:"true" description:"Number of lines whose label or spendable was set."`
	Ignored  []reportedLine `json:"ignored" required:"true" description:"Lines of an unknown type, lines whose spendable is ignored because the output is not the wallet's, and lines of whose label control or invisible characters are removed."`
	Failed   []reportedLine `json:"failed" required:"true" description:"Invalid lines. All others were imported or ignored."`
}

// report returns a line of text for each line of the import that was ignored or is invalid.
func (l importedLabels) report() (lines []string) {
	for _, r := range l.Ignored {
		lines = append(lines, fmt.Sprintf("line %d is ignored: %s", r.Line, r.Message))
	}
	for _, r := range l.Failed {
		lines = append(lines, fmt.Sprintf("line %d is invalid: %s", r.Line, r.Message))
	}
	return lines
}

type reportedLine struct {
	Line    int    `json:"line" required:"true" description:"Line number, starting at 1."`
	Message string `json:"message" required:"true"`
}

// ImportLabels serves POST /api/v1/wallets/{alias}/labels.
func (a *API) ImportLabels(ctx context.Context, in importLabelsRequest) (importedLabels, error) {
	return importLabels(ctx, a.o.Wallets, access(ctx), in.Lines)
}

// importLabels sets the labels of lines in the format of BIP-329.
func importLabels(ctx context.Context, service *wallets.Service, access wallets.Access, lines []byte) (importedLabels, error) {
	r, err := service.ImportLabelFile(ctx, access, lines)
	return importedLabels{r.Imported, reportedLines(r.Ignored), reportedLines(r.Failed)}, err
}

func reportedLines(lines []wallets.LabelLine) []reportedLine {
	out := make([]reportedLine, len(lines))
	for i, l := range lines {
		out[i] = reportedLine(l)
	}
	return out
}
