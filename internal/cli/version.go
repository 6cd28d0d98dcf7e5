package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is the version of specterd. The linker sets it (-X) in builds by make, in
// releases and in the container image.
var version = "development"

func (p *program) versionCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "version", Short: "Print version and build information", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wantsJSON(cmd) {
				return p.printJSON(shownVersionOf(builtFrom()))
			}
			_, err := fmt.Fprint(p.stdout, versionText())
			return err
		},
	})
}

// shownVersion is the output of version --json.
type shownVersion struct {
	Version    string  `json:"version"`
	Commit     *string `json:"commit"` // nil if unknown
	CommitTime *string `json:"commit_time"`
	Modified   bool    `json:"modified"`
	Go         string  `json:"go"`
	Platform   string  `json:"platform"`
}

func shownVersionOf(c commit) shownVersion {
	out := shownVersion{Version: version, Modified: c.modified, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if c.revision != "" {
		out.Commit, out.CommitTime = &c.revision, &c.time
	}
	return out
}

// versionText returns version, commit, Go version and platform, one per line. The commit
// is omitted if the build had no access to the repository, as in a container.
func versionText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "specterd %s\n", version)
	if commit := builtFrom(); commit.revision != "" {
		fmt.Fprintf(&b, "commit   %s of %s", commit.revision, commit.time)
		if commit.modified {
			b.WriteString(", modified")
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "go       %s\nplatform %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return b.String()
}

// commit is the state of the repository that the Go command recorded at build time.
type commit struct {
	revision, time string // empty if unknown
	modified       bool
}

func builtFrom() commit {
	var c commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return c
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			c.revision = s.Value
		case "vcs.time":
			c.time = s.Value
		case "vcs.modified":
			c.modified = s.Value == "true"
		}
	}
	return c
}
