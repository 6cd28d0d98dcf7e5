package v1

import (
	"bufio"
	"context"
	"iter"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// labelText returns the label of a request, which must have one.
func labelText(l api.LabelRequest) (string, error) {
	if l.Label == nil {
		return "", fault.InvalidField("label", "is required; an empty label removes it")
	}
	return *l.Label, nil
}

type labelOutputRequest struct {
	utxoRequest
	api.LabelRequest
}

// LabelOutput serves PATCH /api/v1/wallets/{alias}/outputs/{outpoint}.
func (a *API) LabelOutput(ctx context.Context, in labelOutputRequest) (api.Output, error) {
	text, err := labelText(in.LabelRequest)
	if err != nil {
		return api.Output{}, err
	}
	at, err := btc.ParseOutpoint(in.Outpoint)
	if err != nil {
		return api.Output{}, err
	}
	o, err := a.o.Wallets.LabelOutput(ctx, access(ctx), at, text)
	return outputOf(o), err
}

// LabelMedia is the media type of an export of labels.
var LabelMedia = []route.Media{route.MediaOf[api.Label](linesType)}

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

// ImportLabels serves POST /api/v1/wallets/{alias}/labels.
func (a *API) ImportLabels(ctx context.Context, in importLabelsRequest) (api.ImportedLabels, error) {
	return importLabels(ctx, a.o.Wallets, access(ctx), in.Lines)
}

// importLabels sets the labels of lines in the format of BIP-329.
func importLabels(ctx context.Context, service *wallets.Service, access wallets.Access, lines []byte) (api.ImportedLabels, error) {
	r, err := service.ImportLabelFile(ctx, access, lines)
	mayRead := access.Caller().Scopes.Has(auth.WalletsRead) // or else a guess of an existing label would be confirmed
	return api.ImportedLabels{Imported: r.Imported, Unchanged: r.Unchanged && mayRead, Ignored: reportedLines(r.Ignored), Failed: reportedLines(r.Failed)}, err
}

func reportedLines(lines []wallets.LabelLine) []api.ReportedLine {
	out := make([]api.ReportedLine, len(lines))
	for i, l := range lines {
		out[i] = api.ReportedLine(l)
	}
	return out
}
