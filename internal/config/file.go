package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/text"
)

// FileName is the name of the settings file in the data directory.
const FileName = "specterd.env"

// maxFile is the maximum size of a settings file in bytes.
const maxFile = 1 << 20

// file is the content of a settings file.
type file struct {
	path   string // empty if there is none
	values map[string]string
	lines  map[string]int // in which a variable is set
	// othersRead is set if other users of this machine can read the file.
	othersRead bool
}

// configFile reads the settings file: the one that --config or SPECTER_CONFIG names, or
// else FileName in the data directory, if it exists.
func configFile(flags *pflag.FlagSet, getenv func(string) string) (file, error) {
	given := func(name, env string) string {
		if f := flags.Lookup(name); f != nil && f.Changed {
			return f.Value.String()
		}
		return getenv(env)
	}
	if path := given("config", "SPECTER_CONFIG"); path != "" {
		return readFile(absolute(path, getenv("HOME")))
	}
	folder := given("data-folder", dataFolder)
	if folder == "" {
		folder = defaultOf(dataFolder)
	}
	folder = absolute(folder, getenv("HOME"))
	f, err := readFile(filepath.Join(folder, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, nil
	}
	if other := f.values[dataFolder]; err == nil && other != "" && absolute(other, getenv("HOME")) != folder {
		err = fmt.Errorf("%s, line %d: %s must not be another directory than the one with this file; set it in the environment, or name this file with --config or SPECTER_CONFIG", f.path, f.lines[dataFolder], dataFolder)
	}
	return f, err
}

// readFile reads and parses a settings file. Its errors name the file and the line, and
// never contain a value.
func readFile(path string) (file, error) {
	f := file{path: path, values: map[string]string{}, lines: map[string]int{}}
	info, err := os.Stat(path)
	if err != nil {
		return f, fmt.Errorf("read the settings file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return f, fmt.Errorf("read the settings file: %s must be a file of at most 1 MiB", path)
	}
	f.othersRead = info.Mode().Perm()&0o004 != 0
	content, err := os.ReadFile(path) //nolint:gosec // the operator says which file
	if err != nil {
		return f, fmt.Errorf("read the settings file: %w; run specterd as a user who can read it, or name another file with --config", err)
	}
	if err := f.parse(string(content)); err != nil {
		return f, fmt.Errorf("%s, %w", path, err)
	}
	return f, nil
}

// parse parses the content of the file, which has the format of an EnvironmentFile of
// systemd, except that a variable may be set only once.
func (f *file) parse(content string) error {
	content = strings.TrimPrefix(content, "\uFEFF")
	for p := (envParser{rest: content, line: 1}); ; {
		name, value, line, err := p.next()
		if err != nil || name == "" {
			return err
		}
		if err := checkName(name); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if before, ok := f.lines[name]; ok {
			return fmt.Errorf("line %d: %s is also set in line %d; keep one", line, name, before)
		}
		f.values[name], f.lines[name] = value, line
	}
}

// checkName returns an error with a suggestion if a settings file must not set the variable.
func checkName(name string) error {
	names := variableNames()
	switch {
	case name == "SPECTER_CONFIG":
		return errors.New("SPECTER_CONFIG must not be set in a settings file")
	case slices.Contains(names, name):
		return nil
	}
	if near := text.Nearest(name, names); near != "" {
		return fmt.Errorf("%q is not a setting; did you mean %s?", name, near)
	}
	return fmt.Errorf("%q is not a setting; specterd --help lists the settings. Other variables belong in the environment", name)
}

// hasSecret reports whether the file sets a secret itself, and not the name of its file.
func (f *file) hasSecret() bool {
	return slices.ContainsFunc(settings, func(s setting) bool {
		value := f.values[s.env]
		isURL := s.name == "database-url" || s.name == "node-url" // with a password only after a user
		return s.secret && value != "" && (!isURL || strings.Contains(value, "@"))
	})
}

// over returns a function that returns the value of a variable from the environment or, if
// it is not set there, from the file. Of a secret and the name of its file, the environment
// replaces both if it has one of them.
func (f *file) over(getenv func(string) string) func(string) string {
	return func(name string) string {
		if value := getenv(name); value != "" {
			return value
		}
		base := strings.TrimSuffix(name, "_FILE")
		for _, s := range settings {
			if s.secret && s.env == base && (getenv(base) != "" || getenv(base+"_FILE") != "") {
				return ""
			}
		}
		return f.values[name]
	}
}

// variableNames returns the names of all variables.
func variableNames() []string {
	names := make([]string, 0, 2*len(settings))
	for _, s := range settings {
		names = append(names, s.env)
		if s.secret {
			names = append(names, s.env+"_FILE")
		}
	}
	return names
}

func defaultOf(env string) string {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.env == env })
	return settings[i].value
}

// UnknownVariables returns a warning for each variable of an environment (name=value)
// whose name looks like a setting but is not one.
func UnknownVariables(environment []string) []string {
	names := variableNames()
	var warnings []string
	for _, one := range environment {
		name, _, _ := strings.Cut(one, "=")
		if !strings.HasPrefix(name, "SPECTER_") && !strings.HasPrefix(name, "BTC_RPC_") || slices.Contains(names, name) {
			continue
		}
		warning := "the environment variable " + name + " is not a setting, and is ignored"
		if near := text.Nearest(name, names); near != "" {
			warning += "; did you mean " + near + "?"
		}
		warnings = append(warnings, warning)
	}
	slices.Sort(warnings)
	return warnings
}

// Line returns a line of a settings file that sets a variable.
func Line(name, value string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/@,=+%"
	switch {
	case strings.Trim(value, plain) == "":
		return name + "=" + value
	case !strings.Contains(value, "'"):
		return name + "='" + value + "'"
	}
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(value) + `"`
}
