package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/qrterm"
)

// qrFlags are the flags for showing a PSBT as QR codes.
type qrFlags struct {
	show     bool
	device   string
	format   string
	fragment int
}

func addQRFlags(cmd *cobra.Command, q *qrFlags) {
	f := cmd.Flags()
	f.BoolVar(&q.show, "qr", false, "draw the PSBT as QR codes; on a terminal until Ctrl-C if there are several")
	f.StringVar(&q.device, "device", "", "signing device that scans them, such as coldcard, passport or seedsigner")
	f.StringVar(&q.format, "qr-format", "", "bbqr or ur; default the format of the device, or ur")
	f.IntVar(&q.fragment, "fragment-size", 0, "maximum bytes of the PSBT in each code; default what device and terminal allow")
	var devices []string
	for _, preset := range qrcodec.Presets() {
		devices = append(devices, preset.Device)
	}
	_ = cmd.RegisterFlagCompletionFunc("device", cobra.FixedCompletions(devices, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("qr-format", cobra.FixedCompletions([]string{"bbqr", "ur"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.MarkFlagsMutuallyExclusive("qr", "psbt")
	cmd.MarkFlagsMutuallyExclusive("qr", "json")
}

// isWanted reports whether QR codes are to be drawn. It returns an error if other flags are set
// without --qr.
func (q qrFlags) isWanted() (bool, error) {
	if !q.show && (q.device != "" || q.format != "" || q.fragment != 0) {
		return false, errors.New("--device, --qr-format and --fragment-size require --qr")
	}
	return q.show, nil
}

// draw draws a PSBT as QR codes, until ctx ends if there are several on a terminal.
func (q qrFlags) draw(ctx context.Context, p *program, psbt []byte) error {
	preset, err := qrcodec.ChoosePreset(q.device, qrcodec.Format(q.format), q.fragment)
	if err != nil {
		return err
	}
	columns, rows := p.terminalSize()
	sequence, err := fitted(psbt, preset, q.fragment != 0, columns, rows)
	if err != nil {
		return err
	}
	isTerminal := columns > 0
	if isTerminal && len(sequence.Texts) > 1 {
		fmt.Fprintf(p.stderr, "%d QR codes, %d per second, until Ctrl-C.\n", len(sequence.Texts), sequence.Rate)
	}
	return qrterm.Animation{Texts: sequence.Texts, Rate: sequence.Rate, IsTerminal: isTerminal}.Show(ctx, p.raw)
}

// fitted returns the texts of QR codes that fit into a terminal with that number of columns and
// rows, or of any size if columns is 0. Unless the fragment size is fixed, it reduces it as far
// as necessary.
func fitted(psbt []byte, preset qrcodec.Preset, isFixed bool, columns, rows int) (qrcodec.Sequence, error) {
	for {
		sequence, err := qrcodec.SequenceOf(psbt, preset, 1, 0)
		if err != nil {
			return sequence, err
		}
		version, err := qrterm.VersionFor(sequence.Texts)
		if err != nil {
			return sequence, err
		}
		width, height := version.Size()
		height += 2 // the caption, and the line of the cursor
		if columns == 0 || width <= columns && height <= rows {
			return sequence, nil
		}
		if isFixed || preset.Fragment == qrcodec.MinFragment {
			return sequence, fmt.Errorf("the QR codes need %d columns and %d rows, and the terminal has %d and %d; enlarge its window, choose a smaller font, or write the PSBT to a file (--psbt)", width, height, columns, rows)
		}
		preset.Fragment = max(preset.Fragment*3/4, qrcodec.MinFragment)
	}
}

// terminalSize returns the number of columns and rows of the terminal that standard output
// is; 0 and 0 if it is not a terminal.
func (p *program) terminalSize() (columns, rows int) {
	f, ok := p.raw.(*os.File)
	if !ok {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return columns, rows
}
