package v1

import (
	"bufio"
	"bytes"
	"context"
	"errors"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// label is a line of an export, for the description; btc.Label reads and writes it.
type label struct {
	Type      string  `json:"type" required:"true" enum:"tx,addr,pubkey,input,output,xpub" example:"addr"`
	Ref       string  `json:"ref" required:"true" description:"What is labelled, as the type has it: a transaction's id, an address, txid:vout, …"`
	Label     *string `json:"label,omitempty" maxLength:"255" description:"In an import, an empty one deletes, and none leaves what there is."`
	Origin    string  `json:"origin,omitempty" description:"An abbreviated descriptor of the wallet."`
	Spendable *bool   `json:"spendable,omitempty" description:"Of an output: false freezes it, true lets it go."`
}

// LabelMedia is the media type of labels.
var LabelMedia = []route.Media{route.MediaOf[label](linesType)}

// ExportLabels serves GET /api/v1/wallets/{alias}/labels.
func (a *API) ExportLabels(ctx context.Context, in walletRequest) (route.Streamed, error) {
	labels, err := a.o.Wallets.Labels(ctx, caller(ctx), in.Alias)
	if err != nil {
		return route.Streamed{}, err
	}
	return route.Streamed{
		ContentType: linesType, Header: attachment(in.Alias + "-labels.jsonl"),
		Body: func(w *bufio.Writer) error {
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
		},
	}, nil
}

type importLabelsRequest struct {
	walletRequest
	Lines []byte `body:"application/jsonl,application/x-ndjson,text/plain" json:"-" description:"One JSON object of BIP-329 a line, 10000 at most."`
}

// maxLabelsBody has room for wallets.MaxLabels lines with long labels.
const maxLabelsBody = 16 << 20

// MaxBody implements route.Limited.
func (importLabelsRequest) MaxBody() int64 { return maxLabelsBody }

type importedLabels struct {
	Imported int          `json:"imported" required:"true" description:"How many lines were taken."`
	Failed   []failedLine `json:"failed" required:"true" description:"Those that were not. All others were."`
}

type failedLine struct {
	Line    int    `json:"line" required:"true" description:"Its number, from 1 on."`
	Message string `json:"message" required:"true"`
}

// ImportLabels serves POST /api/v1/wallets/{alias}/labels.
func (a *API) ImportLabels(ctx context.Context, in importLabelsRequest) (importedLabels, error) {
	if n := bytes.Count(in.Lines, []byte("\n")); n > wallets.MaxLabels {
		return importedLabels{}, fault.New(fault.Invalid, "too_many_labels", "these are more than %d lines; send them in parts", wallets.MaxLabels)
	}
	var labels []btc.Label
	out := importedLabels{}
	number := 0
	for line := range bytes.Lines(in.Lines) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		l, err := btc.ParseLabel(line)
		if f, ok := errors.AsType[*fault.Error](err); ok {
			out.Failed = append(out.Failed, failedLine{number, f.Message})
			continue
		}
		if err != nil {
			return importedLabels{}, err
		}
		labels = append(labels, l)
	}
	out.Imported = len(labels)
	return out, a.o.Wallets.SetLabels(ctx, caller(ctx), in.Alias, labels)
}
