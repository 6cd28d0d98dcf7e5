package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestDeployParse parses the files of deploy with the programs that read their formats.
func TestDeployParse(t *testing.T) {
	testkit.NeedsServer(t, "ruby and nix-instantiate")
	parsers := []struct {
		file   string
		parser []string
	}{
		{"homebrew/specterd.rb", []string{"ruby", "-c"}},
		{"nix/specterd.nix", []string{"nix-instantiate", "--parse"}},
		{"debian/postinst", []string{"sh", "-n"}},
		{"debian/prerm", []string{"sh", "-n"}},
		{"debian/postrm", []string{"sh", "-n"}},
		{"debian/specterd-admin", []string{"sh", "-n"}},
		{"startos/package.json", []string{"jq", "-e", ".dependencies"}},
		{"startos/tsconfig.json", []string{"jq", "-e", ".extends"}},
	}
	for _, p := range parsers {
		t.Run(p.file, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), p.parser[0], append(p.parser[1:], "../../deploy/"+p.file)...).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// readYAML converts a YAML file with the system's Python, where apt installs the module.
func readYAML(t *testing.T, file string, to any) {
	t.Helper()
	const convert = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)"
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", convert, "../../deploy/"+file).Output()
	testkit.Check(t, err)
	testkit.Check(t, json.Unmarshal(out, to))
}

// TestUmbrel checks that the app's settings exist, and that its parts agree.
func TestUmbrel(t *testing.T) {
	testkit.NeedsServer(t, "Python with yaml")
	var store struct{ ID string }
	readYAML(t, "umbrel/umbrel-app-store.yml", &store)
	var app struct {
		ID, Name, Version, Tagline, Category, DefaultUsername string
		ManifestVersion                                       float64
		Port                                                  int
		Dependencies                                          []string
		DeterministicPassword                                 bool
	}
	readYAML(t, "umbrel/specterd-server/umbrel-app.yml", &app)
	if !strings.HasPrefix(app.ID, store.ID+"-") || app.ManifestVersion != 1 || app.Port != 25441 || !app.DeterministicPassword || app.DefaultUsername != "admin" || !slices.Equal(app.Dependencies, []string{"bitcoin"}) || len(app.Tagline) > 50 {
		t.Errorf("the manifest is %+v, in store %q", app, store.ID)
	}
	var compose struct {
		Services map[string]struct {
			Image       string
			Environment map[string]any
		}
	}
	readYAML(t, "umbrel/specterd-server/docker-compose.yml", &compose)
	web, proxy := compose.Services["web"], compose.Services["app_proxy"]
	if proxy.Environment["APP_HOST"] != app.ID+"_web_1" || !strings.HasSuffix(web.Image, ":"+app.Version) {
		t.Errorf("the proxy forwards to %v, and the image is %q", proxy.Environment["APP_HOST"], web.Image)
	}
	if web.Environment["SPECTER_ADMIN_PASSWORD"] != "$APP_PASSWORD" {
		t.Errorf("the first password is %v", web.Environment["SPECTER_ADMIN_PASSWORD"])
	}
	for name := range web.Environment {
		wantSetting(t, name)
	}
}

// wantSetting fails if the program has no setting with that name.
func wantSetting(t *testing.T, name string) {
	t.Helper()
	name = strings.TrimSuffix(name, "_FILE")
	if !slices.ContainsFunc(config.Variables(), func(v config.Variable) bool { return v.Name == name || v.Name == name+"_FILE" }) {
		t.Errorf("there is no setting %s", name)
	}
}

var settingName = regexp.MustCompile(`\b(?:SPECTER|BTC_RPC)_[A-Z_]+`)

// TestDeploySettings checks that the settings in the files of deploy exist, and that the RPC user of NixOS can call
// the methods that specterd calls.
func TestDeploySettings(t *testing.T) {
	for _, file := range []string{"nix/specterd.nix", "startos/startos/main.ts", "homebrew/specterd.rb", "specterd.env", "specterd.service", "debian/specterd-admin", "torrc"} {
		text, err := os.ReadFile(filepath.Join("../../deploy", filepath.FromSlash(file)))
		testkit.Check(t, err)
		for _, name := range settingName.FindAllString(string(text), -1) {
			if name != "SPECTER_CONFIG" {
				wantSetting(t, name)
			}
		}
		if list := rpcMethods(); file == "nix/specterd.nix" && !strings.Contains(string(text), `"`+list+`"`) {
			t.Errorf("%s does not list the RPC methods %s", file, list)
		}
	}
}

// rpcMethods returns the names of the RPC methods that specterd calls, separated by commas.
func rpcMethods() string {
	var names []string
	for _, m := range nodestatus.Methods() {
		names = append(names, m.Name)
	}
	return strings.Join(names, ",")
}

// TestDebianPackage checks that the package contains every file of deploy/debian, and that each file in it has a mode.
func TestDebianPackage(t *testing.T) {
	text, err := os.ReadFile("../../deploy/debian/nfpm.yaml")
	testkit.Check(t, err)
	for _, file := range repositoryFiles(t, "deploy/debian/*") {
		name := filepath.Base(file)
		if name != "nfpm.yaml" && !strings.Contains(string(text), name) {
			t.Errorf("the package does not contain %s", name)
		}
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "  - {src:") && !strings.Contains(line, "file_info: {mode: 0") {
			t.Errorf("no mode: %s", line)
		}
	}
	if !strings.Contains(string(text), "dst: /etc/specterd/specterd.env, type: config, file_info: {mode: 0640}") {
		t.Error("the settings are not a conffile with mode 0640")
	}
}
