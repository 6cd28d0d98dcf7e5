// Command clientgen generates the methods of package client from docs/openapi.json, and the
// constants of its error codes from package fault.
//
//	go run ./internal/clientgen           write the files
//	go run ./internal/clientgen -check    fail if they are not up to date
//
// It runs in the root of the module.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// target is the directory of package client.
const target = "client"

func main() {
	check := flag.Bool("check", false, "fail if the files are not up to date")
	flag.Parse()
	if err := run(".", fault.CodeGroups(), *check, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "clientgen:", err)
		os.Exit(1)
	}
}

// run writes the generated files of the module in root, and the names of the files to out. If
// check is set, it writes no file, and returns an error if one differs.
func run(root string, codes []fault.CodeGroup, check bool, out io.Writer) error {
	files, err := generate(root, codes)
	if err != nil {
		return err
	}
	existing, err := filepath.Glob(filepath.Join(root, target, "gen_*.go"))
	if err != nil {
		return err
	}
	var stale []string
	for _, path := range existing {
		if files[filepath.Base(path)] != nil {
			continue
		}
		stale = append(stale, filepath.Base(path))
		if !check {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, target, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, files[name]) { //nolint:gosec // a file of the module
			continue
		}
		stale = append(stale, name)
		if !check {
			if err := os.WriteFile(path, files[name], 0o600); err != nil {
				return err
			}
			_, _ = fmt.Fprintln(out, filepath.Join(target, name))
		}
	}
	if check && len(stale) > 0 {
		return fmt.Errorf("not up to date: %s; run make client", strings.Join(stale, ", "))
	}
	return nil
}

// generate returns the text of all generated files, by name.
func generate(root string, codes []fault.CodeGroup) (map[string][]byte, error) {
	spec, err := readSpecification(filepath.Join(root, "docs", "openapi.json"))
	if err != nil {
		return nil, err
	}
	files, err := operationFiles(spec)
	if err != nil {
		return nil, err
	}
	files["gen_codes.go"], err = codesFile(codes)
	return files, err
}
