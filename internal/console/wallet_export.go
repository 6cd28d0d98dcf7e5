package console

import (
	"bufio"
	"bytes"
	"html/template"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletexport"
)

// exportWallet sends the wallet as a file, with the bytes that the API sends.
func (c *call) exportWallet() error {
	format, err := walletexport.ParseFormat(c.form.Get("format"))
	if err != nil {
		return c.refuseSettings("export", err)
	}
	w, err := walletexport.Load(c.r.Context(), c.Wallets, c.access)
	if err == nil {
		name := c.access.Alias() + "-" + format.FileName()
		err = c.stream(name, format.ContentType(), func(out *bufio.Writer) error { return w.Write(out, format) })
	}
	if err != nil {
		return c.refuseSettings("export", err)
	}
	return nil
}

// importLabels imports an uploaded file of labels, and reports the lines that were not imported.
func (c *call) importLabels() error {
	data, err := c.uploadedLabels()
	var result wallet.LabelImport
	if err == nil {
		result, err = c.Wallets.ImportLabelFile(c.r.Context(), c.access, data)
	}
	if err != nil {
		return c.refuseSettings("labels", err)
	}
	p, err := c.walletSettingsPage("labels", nil)
	if err != nil {
		return err
	}
	result.Ignored, result.Failed = firstLines(result.Ignored), firstLines(result.Failed)
	p.Labels = &result
	return c.render("wallet-settings", c.look.T("Settings"), p)
}

// firstLines returns the reported lines that a page shows.
func firstLines(lines []wallet.LabelLine) []wallet.LabelLine {
	const most = 100
	return lines[:min(len(lines), most)]
}

func (c *call) uploadedLabels() ([]byte, error) {
	headers := c.files("labels")
	if len(headers) == 0 {
		return nil, fault.InvalidField("labels", "is required: choose a file")
	}
	data, err := readFile(headers[0])
	if err == nil && len(bytes.TrimSpace(data)) == 0 {
		err = fault.InvalidField("labels", "is empty")
	}
	return data, err
}

// sheetPage is a backup sheet, to be printed.
type sheetPage struct {
	Descriptors []sheetDescriptor
	Receive     []wallet.Address
	Change      []wallet.Address
	Now         time.Time
	Birthday    int
	Network     btc.Network
}

// sheetDescriptor is a descriptor with its QR code, which is empty if the descriptor is too long
// for one.
type sheetDescriptor struct {
	Text string
	QR   template.HTML
}

// sheetAddresses is the number of addresses of each branch on a backup sheet.
const sheetAddresses = 3

// openBackupSheet leads to the sheet after the password was entered.
func (c *call) openBackupSheet() error { return c.redirect(c.walletPath("settings", "sheet"), "") }

func (c *call) backupSheet() error {
	if !c.session.ProvedWithin(c.Now()) {
		c.askPassword(errProof)
		return nil
	}
	p := sheetPage{Now: c.Now(), Birthday: c.view.Birthday, Network: c.Wallets.Network()}
	texts := []string{btc.Multipath(c.view.Receive, c.view.Change)}
	if texts[0] == c.view.Receive {
		texts = append(texts, c.view.Change)
	}
	for _, text := range texts {
		d := sheetDescriptor{Text: text}
		if code, err := drawQR(text, c.look.T("QR code of the descriptor")); err == nil { // some descriptors are too long
			d.QR = code
		}
		p.Descriptors = append(p.Descriptors, d)
	}
	for _, branch := range []wallet.Branch{wallet.ReceiveBranch, wallet.ChangeBranch} {
		found, err := c.Wallets.Addresses(c.r.Context(), c.access, wallet.AddressFilter{Branch: &branch}, nil, sheetAddresses)
		if err != nil {
			return err
		}
		if branch == wallet.ReceiveBranch {
			p.Receive = found
		} else {
			p.Change = found
		}
	}
	return c.render("wallet-sheet", c.look.T("Backup sheet"), p)
}
