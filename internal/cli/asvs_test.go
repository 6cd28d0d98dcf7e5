package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

var (
	asvsRow      = regexp.MustCompile(`(?m)^\| ((?:\d+\.\d+\.\d+(?:, )?)+) \|(.*)\|$`)
	asvsEvidence = regexp.MustCompile("`([^`]+)`")
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// asvsRequirements is the number of requirements of ASVS 5.0.0 at levels 1 and 2.
const asvsRequirements = 253

// TestASVS checks that docs/asvs.md lists each requirement once, has correct totals, and names
// existing tests and files.
func TestASVS(t *testing.T) {
	page, err := os.ReadFile("../../docs/asvs.md")
	testkit.Check(t, err)
	tests := testsOfTheRepository(t)
	listed, statuses := map[string]bool{}, map[string]int{}
	for _, row := range asvsRow.FindAllStringSubmatch(string(page), -1) {
		ids, rest := strings.Split(row[1], ", "), row[2]
		for _, id := range ids {
			if listed[id] {
				t.Errorf("%s is listed twice", id)
			}
			listed[id] = true
		}
		cells := strings.Split(strings.TrimSpace(rest), " | ")
		if len(cells) == 1 { // not applicable
			continue
		}
		if len(cells) != 3 || strings.TrimSpace(cells[2]) == "" {
			t.Errorf("%s has no evidence", row[1])
			continue
		}
		statuses[cells[1]]++
		for _, name := range asvsEvidence.FindAllStringSubmatch(cells[2], -1) {
			checkEvidence(t, row[1], name[1], tests)
		}
	}
	if len(listed) != asvsRequirements {
		t.Errorf("%d requirements are listed, there are %d", len(listed), asvsRequirements)
	}
	counts := fmt.Sprintf("%d yes, %d part, %d no", statuses["yes"], statuses["part"], statuses["no"])
	if !strings.Contains(string(page), counts) || len(statuses) > 3 {
		t.Errorf("the page does not say %q; its statuses are %v", counts, statuses)
	}
}

// checkEvidence checks that the test or file that a row names as evidence exists.
func checkEvidence(t *testing.T, id, name string, tests map[string]bool) {
	t.Helper()
	switch {
	case strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz"):
		if !tests[name] {
			t.Errorf("%s: test %s does not exist", id, name)
		}
	case strings.Contains(name, "/") && !strings.Contains(name, " "):
		first, _, _ := strings.Cut(name, "/")
		if _, err := os.Stat("../../" + first); err != nil {
			return // an external package, or a media type
		}
		if _, err := os.Stat("../../" + name); err != nil {
			t.Errorf("%s: %s does not exist", id, name)
		}
	}
}

func testsOfTheRepository(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	for _, folder := range []string{"../../internal", "../../test"} {
		testkit.Check(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			code, err := os.ReadFile(path)
			for _, f := range testFunction.FindAllStringSubmatch(string(code), -1) {
				tests[f[1]] = true
			}
			return err
		}))
	}
	return tests
}
