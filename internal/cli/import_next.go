package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/specter/datadir"
	"github.com/specterd/specterd/internal/specter/importer"
	"github.com/specterd/specterd/internal/text"
)

// importNext determines what to do after an import.
type importNext struct {
	path     string
	report   importer.Report
	options  importOptions
	defaults int    // users with the default password
	node     bool   // the node is not usable
	file     string // the settings file
}

// settingsFile returns the settings file that was read, or the path where there can be one.
func settingsFile(a *app.App) string {
	if a.Config.File != "" {
		return a.Config.File
	}
	return filepath.Join(a.Config.DataFolder, config.FileName)
}

// steps returns what to do next, in order. A step may have several lines.
func (n importNext) steps(folder *datadir.Folder) []string {
	steps := []string{}
	if n.node {
		steps = append(steps, n.nodeStep(folder))
	}
	for _, i := range n.report.Items {
		if i.Mapping != "" {
			steps = append(steps, "to import user "+i.Name+" into the existing user: specterd import "+n.path+" --user "+i.Mapping)
		}
	}
	if left := n.report.Count(importer.KindProposal, importer.Left); left > 0 {
		steps = append(steps, text.Count(left, "pending PSBT")+" left: the node has none of their UTXOs unspent. If these payments are still open in Specter Desktop, the node is on another chain than Specter Desktop's: correct the node in the settings, and repeat the import")
	}
	if n.options.dryRun {
		return append(steps, "import, by repeating the command without --dry-run")
	}
	if n.defaults > 0 {
		steps = append(steps, text.Count(n.defaults, "user")+" with the default password, with which specterd listens on loopback only: list with specterd user list, and change with specterd user set NAME --password")
	}
	if n.report.Count(importer.KindWallet, importer.Imported) > 0 {
		steps = append(steps, "let specterd serve rescan the wallets that were created again; specterd wallet list shows their progress")
	}
	return append(steps, "start the server, unless it is running: SPECTER_API_ACTIVE=true specterd serve", "check the installation: specterd doctor")
}

// nodeStep proposes the settings of Specter Desktop's node.
func (n importNext) nodeStep(folder *datadir.Folder) string {
	const again = "; then repeat the import for the wallets"
	node, ok := folder.Node()
	if !ok {
		return "make the node usable: see specterd doctor and specterd node-config" + again
	}
	var b strings.Builder
	fmt.Fprintf(&b, "make the node usable. The settings of Specter Desktop's node, for %s%s:", n.file, again)
	line := func(name, value string) {
		if value != "" {
			b.WriteString("\n    " + config.Line(name, value))
		}
	}
	if node.User == "" {
		line("BTC_RPC_COOKIE_FILE", filepath.Join(node.DataDir, ".cookie"))
		return b.String()
	}
	line("BTC_RPC_PROTOCOL", node.Protocol)
	line("BTC_RPC_HOST", node.Host)
	line("BTC_RPC_PORT", node.Port)
	line("BTC_RPC_USER", node.User)
	if n.options.showPassword {
		line("BTC_RPC_PASSWORD", node.Password)
	} else {
		b.WriteString("\n    # BTC_RPC_PASSWORD is hidden; --show-node-password prints it")
	}
	return b.String()
}

func writeNext(out io.Writer, steps []string) error {
	_, err := fmt.Fprintln(out)
	for _, step := range steps {
		if err == nil {
			_, err = fmt.Fprintf(out, "Next: %s\n", step)
		}
	}
	return err
}
