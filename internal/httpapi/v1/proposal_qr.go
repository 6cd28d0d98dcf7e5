package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
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

// GetProposalQR serves GET /api/v1/wallets/{alias}/proposals/{id}/qr.
func (a *API) GetProposalQR(ctx context.Context, in proposalQRRequest) (api.ProposalQR, error) {
	preset, err := qrcodec.ChoosePreset(in.Device, qrcodec.Format(in.Format), in.FragmentSize)
	if err != nil {
		return api.ProposalQR{}, err
	}
	p, err := a.o.Proposals.Get(ctx, access(ctx), in.ID)
	if err != nil {
		return api.ProposalQR{}, err
	}
	if err := p.Withheld(); err != nil {
		return api.ProposalQR{}, err
	}
	s, err := qrcodec.SequenceOf(p.PSBT, preset, in.First, in.Count)
	if err != nil {
		return api.ProposalQR{}, err
	}
	out := api.ProposalQR{
		Format: string(s.Format), Parts: s.Texts, Fragments: s.Fragments, First: s.First, FragmentSize: s.Fragment, Rate: s.Rate,
		Withheld: p.SignaturesWithheld, Version: p.Version,
	}
	if s.Endless {
		next := s.First + len(s.Texts)
		out.Next = &next
	}
	return out, nil
}
