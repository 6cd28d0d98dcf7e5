package console

import (
	"errors"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/walletfile"
)

// codeSeries are the texts of QR codes that belong to one message.
type codeSeries struct {
	name      string // of the first file, if the texts are from files
	texts     []string
	collector qrcodec.Collector
	err       error // for a text that is not part of a message
}

// addCode adds the text of a code to the series that lacks it, or as the first of another series.
func addCode(all []*codeSeries, name, text string) []*codeSeries {
	for _, s := range all {
		if s.err == nil && !s.collector.Progress().Done && s.collector.Add(text) == nil {
			s.texts = append(s.texts, text)
			return all
		}
	}
	s := &codeSeries{name: name, texts: []string{text}}
	s.err = s.collector.Add(text)
	return append(all, s)
}

// codesIn returns the series of texts, one in each line.
func codesIn(texts, name string) (all []*codeSeries) {
	for line := range strings.Lines(texts) {
		if line = strings.TrimSpace(line); line != "" {
			all = addCode(all, name, line)
		}
	}
	return all
}

// file returns the message as a file of a new wallet.
func (s *codeSeries) file(l *look) (givenFile, error) {
	f := givenFile{Name: s.name, Data: []byte(strings.Join(s.texts, "\n"))}
	content, ok := s.collector.Content()
	err := s.err
	switch {
	case err == nil && !ok:
		err = s.collector.Progress().Err()
	case content.Kind == qrcodec.Text, content.Kind == qrcodec.JSON, content.Kind == qrcodec.Bytes:
		f.Data = content.Data
	}
	if errors.Is(err, btc.ErrPrivateKey) {
		return f, nil // reading the file reports it
	}
	if found, ok := errors.AsType[*fault.Error](err); ok {
		err = fault.InvalidAs(found.Code, "file", "%s: %s", s.name, l.fault(found))
	}
	return f, err
}

// scanKeys reads frames of a camera or a video with the keys of devices, for the script that
// scans codes. It stores nothing.
func (c *call) scanKeys() error { return c.scanFrame(c.collectKeys) }

// collectKeys fills in the progress of texts, which may be from several devices. The texts of a
// private key are done at once, so that the page warns of them.
func (c *call) collectKeys(s *scanned, texts string) {
	all := codesIn(texts, "")
	s.Done = len(all) > 0
	for _, series := range all {
		p := series.collector.Progress()
		s.Received, s.Expected = p.Received, p.Expected
		if series.err == nil && !p.Done {
			s.Done = false
			continue
		}
		err := series.err
		if f, fileErr := series.file(c.look); fileErr == nil {
			_, err = walletfile.FromBytes(f.Data).Read(walletfile.Options{Network: c.Wallets.Network()})
		}
		if errors.Is(err, btc.ErrPrivateKey) {
			s.Done, s.Problem = true, ""
			return
		}
		if f, ok := errors.AsType[*fault.Error](err); ok {
			s.Problem = asSentence(c.look.problem(f))
		}
	}
}
