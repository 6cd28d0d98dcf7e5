package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/qrscan"
	"github.com/specterd/specterd/internal/wallet"
)

// addSignatures adds the signatures in a pasted text or in files.
func (c *call) addSignatures() error {
	files, err := c.postedSignatures()
	if err != nil {
		return c.refused("signatures", err)
	}
	before, err := c.proposal()
	if err != nil {
		return err
	}
	p, err := c.Proposals.AddSignatureFiles(c.r.Context(), c.access, c.param("id"), files, nil)
	if err != nil {
		return c.refused("signatures", ofAnotherPayment(err))
	}
	notice := signaturesAdded
	if len(p.Signatures) == len(before.Signatures) {
		notice = "signatures-known"
	}
	return c.redirect(c.proposalPath(p.ID), notice)
}

// ofAnotherPayment says what to do if err is about a PSBT or a transaction of another payment.
func ofAnotherPayment(err error) error {
	f, ok := err.(*fault.Error) //nolint:errorlint // a wrapped fault is not about the form
	if !ok || !errors.Is(f, psbt.ErrDiffers) || len(f.Fields) != 1 || strings.HasSuffix(f.Fields[0].Name, "sighash_type") {
		return err
	}
	return f.WithField("psbt", "is of another payment").
		WithMessage("This file signs another payment. Nothing was added. Show this payment to the device again, sign it there, and choose the new file.")
}

// partText matches the text of a QR code of a series: UR, BBQr, or a numbered part.
var partText = regexp.MustCompile(`^(?i:ur:|B\$|p\d+of\d+ )`)

// postedSignatures returns the pasted text, or the content of the files. The texts of QR codes of a
// series, such as from photos, are together.
func (c *call) postedSignatures() ([][]byte, error) {
	if text := strings.TrimSpace(c.form.Get("psbt")); text != "" {
		return [][]byte{[]byte(text)}, nil
	}
	var files, texts [][]byte
	for _, header := range c.files("file") {
		data, err := readFile(header)
		if err != nil {
			return nil, err
		}
		if len(data) == 0 {
			continue
		}
		if isImage(data) {
			text, err := qrscan.Text(data)
			if err != nil {
				return nil, err
			}
			data = []byte(text)
		}
		if partText.Match(data) {
			texts = append(texts, data)
		} else {
			files = append(files, data)
		}
	}
	if len(texts) > 0 {
		files = append(files, bytes.Join(texts, []byte("\n")))
	}
	if len(files) == 0 {
		return nil, fault.InvalidField("psbt", "is required: choose a file, or paste the signed PSBT or the texts of its QR codes").
			WithMessage("Choose the signed file, or paste its text.")
	}
	return files, nil
}

func readFile(header *multipart.FileHeader) ([]byte, error) {
	f, err := header.Open()
	if err != nil {
		return nil, fmt.Errorf("read an uploaded file: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read an uploaded file: %w", err)
	}
	return data, nil
}

func isImage(data []byte) bool { return strings.HasPrefix(http.DetectContentType(data), "image/") }

// downloadPSBT returns the PSBT as a file, in binary.
func (c *call) downloadPSBT() error {
	p, err := c.proposal()
	if err == nil {
		err = p.Withheld()
	}
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="proposal-%.8s.psbt"`, p.ID))
	_, _ = c.w.Write(p.PSBT) // fails only if the client disconnected
	return nil
}

func (c *call) broadcast() error {
	p, err := c.Proposals.Broadcast(c.r.Context(), c.access, c.param("id"), proposal.BroadcastParams{Evict: c.form.Has(evictField)})
	if err != nil {
		return c.refused("broadcast", err)
	}
	return c.redirect(c.proposalPath(p.ID), "broadcast")
}

func (c *call) cancelProposal() error {
	return c.end("cancel", "proposal-cancelled", c.Proposals.Cancel)
}

func (c *call) abandonProposal() error {
	return c.end("abandon", "proposal-abandoned", c.Proposals.Abandon)
}

// end calls do, which cancels or abandons the proposal.
func (c *call) end(action, notice string, do func(context.Context, wallet.Access, string, proposal.Versions) (proposal.Proposal, error)) error {
	expected, err := c.expectedVersion()
	if err != nil {
		return err
	}
	p, err := do(c.r.Context(), c.access, c.param("id"), expected)
	if err != nil {
		return c.refused(action, err)
	}
	return c.redirect(c.proposalPath(p.ID), notice)
}
