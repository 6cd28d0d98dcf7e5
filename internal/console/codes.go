package console

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strconv"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/qrterm"
	"github.com/specterd/specterd/internal/wallet"
)

// maxCodes is the number of parts above which a page offers the file instead of QR codes.
const maxCodes = 60

// codes are the QR codes with the PSBT of a proposal, for a device.
type codes struct {
	qrcodec.Sequence

	Base    string // path of the page with all codes
	Page    string // path of the proposal's page
	Devices []deviceOption
	Part    int // number of the shown code, starting at 1
	Shown   template.HTML
	All     []drawnCode // on the page with all codes
	TooMany bool        // more than maxCodes parts
	Smaller int         // fragment size of smaller codes; 0 if the codes cannot be smaller
	Problem string      // why the PSBT cannot be shown as codes
}

// drawnCode is a QR code with its number, starting at 1.
type drawnCode struct {
	Part  int
	Image template.HTML
}

// deviceOption is a kind of device that a user can choose.
type deviceOption struct {
	Name, Title string
	Selected    bool
}

// deviceTitles are the names of the devices with a preset, for people.
var deviceTitles = map[string]string{
	"coldcard": "Coldcard Q", "jade": "Blockstream Jade", "keystone": "Keystone", "krux": "Krux", "passport": "Foundation Passport",
	"seedsigner": "SeedSigner", "specter-diy": "Specter DIY",
}

// addCodes fills in the QR codes and the text of a proposal's PSBT. A mistake in the query
// becomes the problem that the page shows.
func (p *proposalPage) addCodes(c *call, of proposal.Proposal) {
	p.PSBTText = ""
	if len(of.PSBT) <= maxShownPSBT {
		p.PSBTText = base64.StdEncoding.EncodeToString(of.PSBT)
	}
	p.RawHex = rawText(of)
	p.Codes = c.codesOf(of)
	if p.Codes.Problem != "" || p.Codes.TooMany {
		return
	}
	part, err := parseCount(c.query("part"))
	if err != nil || part < 1 || part > len(p.Codes.Texts) {
		part = 1
	}
	p.Codes.Part = part
	drawn, err := c.look.drawAll(p.Codes.Texts, part-1, part)
	if err != nil {
		p.Codes.Problem = c.look.T("The codes do not fit into QR codes. Use the file.")
		return
	}
	p.Codes.Shown = drawn[0].Image
}

// maxShownPSBT is the maximum size of a PSBT, in bytes, that a page contains as text.
const maxShownPSBT = 8 << 10

func rawText(p proposal.Proposal) string {
	if len(p.Raw) == 0 || len(p.Raw) > maxShownPSBT {
		return ""
	}
	return fmt.Sprintf("%x", p.Raw)
}

// codesOf returns the texts of the QR codes in the format of the query.
func (c *call) codesOf(p proposal.Proposal) *codes {
	device := c.query("device")
	if !c.r.URL.Query().Has("device") {
		device = c.guessDevice(p)
	}
	out := &codes{Base: c.proposalPath(p.ID, "qr"), Page: c.proposalPath(p.ID), Devices: c.deviceOptions(device)}
	size := 0
	if text := c.query("size"); text != "" {
		var err error
		if size, err = parseCount(text); err != nil {
			size = -1 // which ChoosePreset reports
		}
	}
	preset, err := qrcodec.ChoosePreset(device, "", size)
	if err == nil {
		err = p.Withheld()
	}
	if err == nil {
		out.Preset = preset
		out.Sequence, err = qrcodec.SequenceOf(p.PSBT, preset, 1, 0)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		out.Problem = asSentence(c.look.fault(f))
		return out
	}
	out.TooMany = out.Fragments > maxCodes
	if smaller := max(preset.Fragment*2/3, qrcodec.MinFragment); smaller < preset.Fragment {
		out.Smaller = smaller
	}
	return out
}

// guessDevice returns the kind of the user's device that has not signed yet, if it has a
// preset.
func (c *call) guessDevice(p proposal.Proposal) string {
	devices, err := c.Wallets.Devices(c.r.Context(), c.who)
	if err != nil {
		return ""
	}
	kinds := map[string]string{}
	for _, d := range devices {
		kinds[d.Alias] = kindOf(d)
	}
	for i, k := range c.view.Keys {
		if kind := kinds[k.Device]; kind != "" && p.Signed(i) < len(p.Inputs) {
			return kind
		}
	}
	return ""
}

func kindOf(d wallet.Device) string {
	for _, preset := range qrcodec.Presets() {
		if d.Type != "" && (d.Type == preset.Device || d.Type == "specter" && preset.Device == "specter-diy") {
			return preset.Device
		}
	}
	return ""
}

func (c *call) deviceOptions(chosen string) []deviceOption {
	options := []deviceOption{{"", c.look.T("Other device"), chosen == ""}}
	for _, p := range qrcodec.Presets() {
		options = append(options, deviceOption{p.Device, deviceTitles[p.Device], p.Device == chosen})
	}
	return options
}

// link returns the path of the proposal's page, or of the page with all codes, with these
// codes.
func (q codes) link(path string, size, part int) string {
	values := url.Values{"device": {q.Device}}
	if size != 0 {
		values.Set("size", strconv.Itoa(size))
	}
	if part != 0 {
		values.Set("part", strconv.Itoa(part))
	}
	return path + "?" + values.Encode()
}

// SmallerPath returns the path of the page with smaller codes.
func (q codes) SmallerPath() string { return q.link(q.Page, q.Smaller, 0) + "#codes" }

// AllPath returns the path of the page with all codes.
func (q codes) AllPath() string { return q.link(q.Base, q.Fragment, 0) }

// NextPath returns the path of the page with the next code; the first one after the last.
func (q codes) NextPath() string {
	return q.link(q.Page, q.Fragment, q.Part%len(q.Texts)+1) + "#codes"
}

// FormatTitle returns the name of the format.
func (q codes) FormatTitle() string {
	if q.Format == qrcodec.BBQr {
		return "BBQr"
	}
	return "UR"
}

// showCodes shows all codes below each other, for browsers without scripts; the script
// qr-show takes the codes from it.
func (c *call) showCodes() error {
	p, err := c.proposal()
	if err != nil {
		return err
	}
	q := c.codesOf(p)
	if q.Problem == "" && !q.TooMany {
		if q.All, err = c.look.drawAll(q.Texts, 0, len(q.Texts)); err != nil {
			return fault.InvalidField("size", "must be smaller: the codes do not fit into QR codes").WithCause(err)
		}
	}
	return c.render("codes", c.look.T("QR codes"), q)
}

// drawAll draws some of the texts as QR codes, all in the size of the largest.
func (l *look) drawAll(texts []string, first, end int) ([]drawnCode, error) {
	v, err := qrterm.VersionFor(texts)
	if err != nil {
		return nil, err
	}
	drawn := make([]drawnCode, 0, end-first)
	for i := first; i < end; i++ {
		code, err := qrterm.Encode(texts[i], v)
		if err != nil {
			return nil, err
		}
		label := template.HTMLEscapeString(l.T("QR code, part %d of %d", i+1, len(texts)))
		drawn = append(drawn, drawnCode{i + 1, svgOf(code, `aria-label="`+label+`"`)})
	}
	return drawn, nil
}
