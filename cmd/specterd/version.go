package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "development"

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version, and what it was built from and with", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { fmt.Fprint(p.stdout, versionText()) },
	}
}

// versionText says which program this is, a thing a line. The commit is missing
// where the build did not see the repository, as in a container.
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

// commit is what the Go command knew of the repository when it built this.
type commit struct {
	revision, time string // empty where it knew nothing
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
