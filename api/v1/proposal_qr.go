package v1

import "strconv"

// ProposalQR is the PSBT of a proposal as texts for QR codes.
type ProposalQR struct {
	Format       string   `json:"format" required:"true" enum:"bbqr,ur" description:"Format of the texts: BBQr, or Uniform Resources of the type crypto-psbt."`
	Parts        []string `json:"parts" required:"true" nullable:"false" description:"Texts of the QR codes, to be shown one after the other and again from the first one. They have only characters of the alphanumeric mode of QR codes."`
	Fragments    int      `json:"fragments" required:"true" description:"Number of parts that the device requires at least. With bbqr it requires all parts, and with ur any parts, a few more than fragments."`
	First        int      `json:"first" required:"true" description:"Number of the first part, starting at 1."`
	Next         *int     `json:"next" required:"true" description:"Value of the parameter first for the parts that follow; null if there are none, as with bbqr."`
	FragmentSize int      `json:"fragment_size" required:"true" description:"Maximum number of bytes in each part."`
	Rate         int      `json:"rate_per_second" required:"true" description:"Number of QR codes per second that the device can scan."`
	Withheld     bool     `json:"signatures_withheld" required:"true" description:"Whether signatures are omitted from the PSBT because of the caller's role or scopes."`

	// Version is the number in the header ETag of the response.
	Version int `json:"-"`
}

// ETag returns the version with quotation marks.
func (q ProposalQR) ETag() string { return `"` + strconv.Itoa(q.Version) + `"` }
