package v1

import (
	"bufio"
	"bytes"
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/walletexport"
)

// textType is the media type of exports that are not JSON.
const textType = "text/plain"

// WalletMedia are the media types of the exports of a wallet.
var WalletMedia = []route.Media{route.MediaOf[walletDocument](jsonType), route.MediaOf[string](textType), route.MediaOf[api.Label](linesType)}

// walletDocument is a JSON document in the format of another program.
type walletDocument struct{}

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification. Core's file is
// an array.
func (walletDocument) JSONSchemaBytes() ([]byte, error) {
	return []byte(`{"description":"A file in the requested format.","oneOf":[{"type":"object"},{"type":"array","items":{}}]}`), nil
}

type exportWalletRequest struct {
	walletRequest
	Format string `query:"format" json:"-" required:"true" enum:"specter,account-map,labels,core,descriptor,bsms,bip388,coldcard,sparrow,caravan,crypto-output" description:"Format of the file; see docs/wallet-files.md."`
}

// ExportWallet serves GET /api/v1/wallets/{alias}/export.
func (a *API) ExportWallet(ctx context.Context, in exportWalletRequest) (route.Streamed, error) {
	format, err := walletexport.ParseFormat(in.Format)
	if err != nil {
		return route.Streamed{}, err
	}
	w, err := walletexport.Load(ctx, a.o.Wallets, access(ctx))
	if err != nil {
		return route.Streamed{}, err
	}
	out := route.Streamed{ContentType: format.ContentType(), Header: httpcall.Attachment(access(ctx).Alias() + "-" + format.FileName())}
	if format == walletexport.Labels {
		out.Body = func(out *bufio.Writer) error { return w.Write(out, format) }
		return out, nil
	}
	var file bytes.Buffer // so that a wallet that the format cannot represent is an error with its own status
	if err := w.Write(&file, format); err != nil {
		return route.Streamed{}, err
	}
	out.Body = func(out *bufio.Writer) error {
		_, err := out.Write(file.Bytes())
		return err
	}
	return out, nil
}
