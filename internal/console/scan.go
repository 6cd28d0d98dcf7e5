package console

import (
	"errors"
	"mime/multipart"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/qrscan"
)

var scanRoutes = []route{
	{method: post, path: "/wallets/{alias}/proposals/{id}/scan", audience: users, role: auth.RoleSigner, heavy: true, handle: (*call).scanCodes},
	{method: post, path: "/wallets/{alias}/send/scan", audience: users, role: auth.RoleProposer, heavy: true, handle: (*call).scanCodes},
}

// Limits of a request of the script that scans codes.
const (
	maxFrame = 512 << 10
	maxTexts = 8 << 20
)

// scanned is the response to the script that scans codes.
type scanned struct {
	// Text is the text of the code in the frame; empty if it has none.
	Text string `json:"text"`
	// Received and Expected are the progress of the series of texts.
	Received int    `json:"received"`
	Expected int    `json:"expected"`
	Done     bool   `json:"done"`
	Problem  string `json:"problem"` // why a text cannot be used
}

// scanCodes reads frames with the signatures of a device. It stores nothing.
func (c *call) scanCodes() error {
	return c.scanFrame(func(s *scanned, texts string) { s.collect(c.look, texts) })
}

// scanFrame reads the QR code in a frame of a camera or a video, or reports with collect how many
// parts of a series the texts contain. The page keeps the texts, and sends them when the series
// is complete.
func (c *call) scanFrame(collect func(s *scanned, texts string)) error {
	var out scanned
	if frames := c.files("frame"); len(frames) > 0 {
		data, err := readFile(frames[0])
		if err != nil {
			return err
		}
		if len(data) > maxFrame {
			return fault.New(fault.TooLarge, "frame_too_large", "a frame must not be larger than %d KiB", maxFrame>>10)
		}
		out.Text, err = qrscan.Text(data)
		if err != nil && !errors.Is(err, qrscan.ErrNoCode) {
			return err
		}
	}
	if texts := c.form.Get("texts"); texts != "" && len(texts) <= maxTexts {
		collect(&out, texts)
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write(body) // fails only if the client disconnected
	return nil
}

// collect fills in the progress of a series of texts, one in each line.
func (s *scanned) collect(l *look, texts string) {
	var series qrcodec.Collector
	for line := range strings.Lines(texts) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := series.Add(line); err != nil {
			if f, ok := errors.AsType[*fault.Error](err); ok {
				s.Problem = l.fault(f)
			}
		}
	}
	p := series.Progress()
	s.Received, s.Expected, s.Done = p.Received, p.Expected, p.Done
}

// files returns the uploaded files of a field.
func (c *call) files(field string) []*multipart.FileHeader {
	if c.r.MultipartForm == nil {
		return nil
	}
	return c.r.MultipartForm.File[field]
}
