// Command sbom writes a software bill of materials (CycloneDX) of a Go program and
// the licences of its modules. It reads the build information that the Go command
// embeds in the program, so it lists exactly the modules of the program. The output
// is reproducible: it depends only on the program.
//
//	sbom PROGRAM VERSION BILL.cdx.json LICENSES
package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: sbom PROGRAM VERSION BILL.cdx.json LICENSES")
	}
	info, err := buildinfo.ReadFile(args[0])
	if err != nil {
		return err
	}
	bill, err := os.Create(args[2])
	if err != nil {
		return err
	}
	err = cyclonedx.NewBOMEncoder(bill, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(billOf(info, args[1]), cyclonedx.SpecVersion1_5)
	if err := errors.Join(err, bill.Close()); err != nil {
		return err
	}
	texts, err := licenses(info)
	if err != nil {
		return err
	}
	return os.WriteFile(args[3], texts, 0o644)
}

// modules returns the modules of a program. If a module is replaced, it returns the
// replacement.
func modules(info *debug.BuildInfo) []*debug.Module {
	var all []*debug.Module
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		all = append(all, m)
	}
	return all
}

func billOf(info *debug.BuildInfo, version string) *cyclonedx.BOM {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	bill := cyclonedx.NewBOM()
	program := cyclonedx.Component{
		Type: cyclonedx.ComponentTypeApplication, BOMRef: purl(info.Main.Path, version), PackageURL: purl(info.Main.Path, version),
		Name: info.Main.Path, Version: version,
		Properties: &[]cyclonedx.Property{
			{Name: "commit", Value: settings["vcs.revision"]},
			{Name: "platform", Value: settings["GOOS"] + "/" + settings["GOARCH"]},
		},
	}
	bill.Metadata = &cyclonedx.Metadata{Timestamp: settings["vcs.time"], Component: &program}

	library := func(name, version, sum string) cyclonedx.Component {
		c := cyclonedx.Component{
			Type: cyclonedx.ComponentTypeLibrary, Scope: cyclonedx.ScopeRequired,
			BOMRef: purl(name, version), PackageURL: purl(name, version), Name: name, Version: version,
		}
		if sum != "" {
			c.Properties = &[]cyclonedx.Property{{Name: "go.sum", Value: sum}}
		}
		return c
	}
	components := []cyclonedx.Component{library("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, m := range modules(info) {
		components = append(components, library(m.Path, m.Version, m.Sum))
	}
	bill.Components = &components
	return bill
}

func purl(name, version string) string {
	return "pkg:golang/" + name + "@" + strings.ReplaceAll(version, "+", "%2B")
}

var isLicense = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)`)

// licenses returns the texts of the licences of Go and of all modules.
func licenses(info *debug.BuildInfo) ([]byte, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	if err := appendLicenses(&all, "Go "+info.GoVersion, strings.TrimSpace(string(root))); err != nil {
		return nil, err
	}
	args := []string{"mod", "download", "-json"}
	for _, m := range modules(info) {
		args = append(args, m.Path+"@"+m.Version)
	}
	list, err := exec.Command("go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(list)); ; {
		var m struct{ Path, Version, Dir string }
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return all.Bytes(), nil
		case err != nil:
			return nil, err
		}
		if err := appendLicenses(&all, m.Path+" "+m.Version, m.Dir); err != nil {
			return nil, err
		}
	}
}

func appendLicenses(all *bytes.Buffer, title, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		if e.IsDir() || !isLicense.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(all, "%s\n%s: %s\n\n%s\n\n", strings.Repeat("=", 80), title, e.Name(), bytes.TrimSpace(text))
	}
	if !found {
		return fmt.Errorf("%s has no licence in %s", title, folder)
	}
	return nil
}
