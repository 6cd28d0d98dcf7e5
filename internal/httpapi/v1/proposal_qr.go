package v1

import (
	"context"
	"strconv"

	"github.com/specterd/specterd/internal/qrcodec"
)

type proposalQRRequest struct {
	proposalRequest
	Format       string `query:"format" json:"-" enum:"bbqr,ur" description:"bbqr (BBQr) or ur (Uniform Resources, type crypto-psbt). Default: the format of the device, or ur."`
	Device       string `query:"device" json:"-" enum:"coldcard,jade,keystone,krux,passport,seedsigner,specter-diy" description:"Signing device whose preset determines the format, fragment size and rate."`
	FragmentSize int    `query:"fragment_size" json:"-" minimum:"20" maximum:"2000" description:"Maximum number of bytes of the PSBT in each QR code; smaller codes are easier to scan. Default: the size in the preset of the device, 775 for bbqr, or 200 for ur."`
	First        int    `query:"first" json:"-" default:"1" minimum:"1" description:"For ur: number of the first part. Further parts exist after every part, unless the PSBT fits in one."`
	Count        int    `query:"count" json:"-" minimum:"1" maximum:"2590" description:"For ur: number of parts. Default: twice as many as fragments."`
}

// proposalQR is the PSBT of a proposal as texts for QR codes.
type proposalQR struct {
	Format       string   `json:"format" required:"true" enum:"bbqr,ur" description:"Format of the texts: BBQr, or Uniform Resources of the type crypto-psbt."`
	Parts        []string `json:"parts" required:"true" nullable:"false" description:"Texts of the QR codes, to be shown one after the other and again from the first one. They have only characters of the alphanumeric mode of QR codes."`
	Fragments    int      `json:"fragments" required:"true" description:"Number of parts that the device requires at least. With bbqr it requires all parts, and with ur any parts, a few more than fragments."`
	First        int      `json:"first" required:"true" description:"Number of the first part, starting at 1."`
	Next         *int     `json:"next" required:"true" description:"Value of the parameter first for the parts that follow; null if there are none, as with bbqr."`
	FragmentSize int      `json:"fragment_size" required:"true" description:"Maximum number of bytes in each part."`
	Rate         int      `json:"rate_per_second" required:"true" description:"Number of QR codes per second that the device can scan."`
	Withheld     bool     `json:"signatures_withheld" required:"true" description:"Whether signatures are omitted from the PSBT because of the caller's role or scopes."`

	version int
}

// ETag implements route.Versioned.
func (q proposalQR) ETag() string { return `"` + strconv.Itoa(q.version) + `"` }

// GetProposalQR serves GET /api/v1/wallets/{alias}/proposals/{id}/qr.
func (a *API) GetProposalQR(ctx context.Context, in proposalQRRequest) (proposalQR, error) {
	preset, err := qrcodec.ChoosePreset(in.Device, qrcodec.Format(in.Format), in.FragmentSize)
	if err != nil {
		return proposalQR{}, err
	}
	p, err := a.o.Proposals.Get(ctx, access(ctx), in.ID)
	if err != nil {
		return proposalQR{}, err
	}
	if err := p.Withheld(); err != nil {
		return proposalQR{}, err
	}
	s, err := qrcodec.SequenceOf(p.PSBT, preset, in.First, in.Count)
	if err != nil {
		return proposalQR{}, err
	}
	out := proposalQR{
		Format: string(s.Format), Parts: s.Texts, Fragments: s.Fragments, First: s.First, FragmentSize: s.Fragment, Rate: s.Rate,
		Withheld: p.SignaturesWithheld, version: p.Version,
	}
	if s.Endless {
		next := s.First + len(s.Texts)
		out.Next = &next
	}
	return out, nil
}
