package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFileFormat checks the format, with the results of systemd's EnvironmentFile.
func TestFileFormat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       map[string]string
		err        string
	}{
		{"empty", "", nil, ""},
		{"comments and empty lines", "# PORT=1\n\n ; PORT=2\n\t# PORT=3\nPORT=4", map[string]string{"PORT": "4"}, ""},
		{"a comment character in a value", "HOST=a#b ;c\n", map[string]string{"HOST": "a#b ;c"}, ""},
		{"spaces around", " HOST = a b \t\r\nPORT=1\r\n", map[string]string{"HOST": "a b", "PORT": "1"}, ""},
		{"double quotes", `HOST="a \"b\" \\ \$ \n ' "`, map[string]string{"HOST": `a "b" \ $ \n ' `}, ""},
		{"single quotes", `HOST='a "b" \ $ '`, map[string]string{"HOST": `a "b" \ $ `}, ""},
		{"quotes within", `HOST=a" b "'c'd`, map[string]string{"HOST": "a b cd"}, ""},
		{"several lines in quotes", "SECRET_KEY='a\nb'\nPORT=1", map[string]string{"SECRET_KEY": "a\nb", "PORT": "1"}, ""},
		{"a continued line", "HOST=a\\\nb\nPORT=1", map[string]string{"HOST": "ab", "PORT": "1"}, ""},
		{"an escaped character", `HOST=a\ \"b`, map[string]string{"HOST": `a "b`}, ""},
		{"an equals sign in a value", "SPECTER_QUOTAS=wallets=1,tokens=2", map[string]string{"SPECTER_QUOTAS": "wallets=1,tokens=2"}, ""},
		{"no value", "HOST=\nPORT=1", map[string]string{"HOST": "", "PORT": "1"}, ""},
		{"a byte order mark", "\ufeffHOST=a", map[string]string{"HOST": "a"}, ""},
		{"the name of a secret's file", "SECRET_KEY_FILE=/k", map[string]string{"SECRET_KEY_FILE": "/k"}, ""},

		{"a typing error", "HOST=a\n\nSPECTER_API_ACTVE=true", nil, `line 3: "SPECTER_API_ACTVE" is not a setting; did you mean SPECTER_API_ACTIVE?`},
		{"lower case", "port=1", nil, `line 1: "port" is not a setting; did you mean PORT?`},
		{"another variable", "GOGC=1", nil, `line 1: "GOGC" is not a setting; specterd --help lists the settings. Other variables belong in the environment`},
		{"a file of no secret", "HOST_FILE=1", nil, `line 1: "HOST_FILE" is not a setting;`},
		{"twice", "PORT=1\nHOST=x\nPORT=2", nil, "line 3: PORT is also set in line 1; keep one"},
		{"after a value of several lines", "SECRET_KEY='a\nb'\nPROT=1", nil, `line 3: "PROT"`},
		{"no equals sign", "PORT=1\nhunter2", nil, "line 2: must have the format NAME=value"},
		{"export", "export PORT=1", nil, "line 1: remove the word export"},
		{"no closing quote", "PORT=1\nHOST=\"hunter2\n", nil, "line 2: HOST: the closing quote is missing"},
		{"no name", "=hunter2", nil, `line 1: "(not a name)" is not a setting`},
		{"a text with an equals sign", "hunter2 hunter2=", nil, `line 1: "(not a name)" is not a setting`},
		{"its own name", "SPECTER_CONFIG=x", nil, "line 1: SPECTER_CONFIG must not be set in a settings file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := file{values: map[string]string{}, lines: map[string]int{}}
			err := f.parse(test.text)
			if test.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.err) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("got %v, want %s", err, test.err)
				}
				return
			}
			if test.want == nil {
				test.want = map[string]string{}
			}
			if diff := cmp.Diff(test.want, f.values); err != nil || diff != "" {
				t.Errorf("%v: %s", err, diff)
			}
		})
	}
}

// TestFile checks which file is read, and the precedence of its values.
func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(mode os.FileMode, name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data := filepath.Join(dir, "data")
	inData := write(0o600, "data/specterd.env", "PORT=1\nSPECTER_LOG_LEVEL=warn\nBTC_RPC_USER=u\nBTC_RPC_PASSWORD=p\n")
	other := write(0o644, "other.env", "PORT=2\nSPECTER_DATA_FOLDER="+data+"\nSPECTER_DATABASE_URL=x.db\n")
	open := write(0o644, "open.env", "SECRET_KEY="+strings.Repeat("k", 40))
	wrong := write(0o600, "wrong.env", "\nPORT=70000")
	moved := write(0o600, "moved/specterd.env", "SPECTER_DATA_FOLDER=/elsewhere")
	same := write(0o600, "same/specterd.env", "SPECTER_DATA_FOLDER="+filepath.Join(dir, "same"))

	for _, test := range []struct {
		name        string
		environment map[string]string
		args        []string
		file, err   string
		port        int
		check       func(c Config) bool
	}{
		{name: "none", environment: map[string]string{"SPECTER_DATA_FOLDER": dir}, port: 25441},
		{name: "in the data directory", environment: map[string]string{"SPECTER_DATA_FOLDER": data}, file: inData, port: 1},
		{name: "in the data directory of a flag", args: []string{"--data-folder", data}, file: inData, port: 1},
		{name: "in the home directory", environment: map[string]string{"HOME": dir, "SPECTER_DATA_FOLDER": "~/data"}, file: inData, port: 1},
		{name: "an environment variable", environment: map[string]string{"SPECTER_DATA_FOLDER": data, "PORT": "3"}, file: inData, port: 3},
		{name: "an empty environment variable", environment: map[string]string{"SPECTER_DATA_FOLDER": data, "PORT": ""}, file: inData, port: 1},
		{name: "a flag", environment: map[string]string{"PORT": "3"}, args: []string{"--data-folder", data, "--port", "4"}, file: inData, port: 4},
		{name: "SPECTER_CONFIG", environment: map[string]string{"SPECTER_CONFIG": other}, file: other, port: 2, check: func(c Config) bool { return c.DataFolder == data && len(c.Warnings) == 0 }},
		{name: "--config", environment: map[string]string{"SPECTER_CONFIG": "/nowhere"}, args: []string{"--config", other}, file: other, port: 2},
		{name: "--config and another data directory", args: []string{"--config", other, "--data-folder", dir}, file: other, port: 2, check: func(c Config) bool { return c.DataFolder == dir }},
		{name: "a file for a secret in the environment", environment: map[string]string{"SPECTER_DATA_FOLDER": data, "BTC_RPC_PASSWORD_FILE": open}, file: inData, port: 1, check: func(c Config) bool {
			return strings.HasPrefix(string(c.Node.Password), "SECRET_KEY=")
		}},
		{name: "the same data directory", environment: map[string]string{"SPECTER_DATA_FOLDER": filepath.Join(dir, "same")}, file: same, port: 25441},
		{name: "secrets that others can read", args: []string{"--config", open}, file: open, port: 25441, check: func(c Config) bool {
			return len(c.Warnings) == 1 && c.Warnings[0] == "other users of this machine can read "+open+", which contains secrets; run: chmod o= "+open
		}},
		{name: "it does not exist", args: []string{"--config", "/nowhere"}, err: "read the settings file: stat /nowhere: no such file"},
		{name: "a directory", args: []string{"--config", dir}, err: "must be a file of at most 1 MiB"},
		{name: "a wrong value", args: []string{"--config", wrong}, err: "PORT (or --port) must be a number between 0 and 65535 (" + wrong + ", line 2)"},
		{name: "a wrong value in the environment", environment: map[string]string{"PORT": "-1"}, args: []string{"--config", wrong}, err: "PORT (or --port) must be a number between 0 and 65535"},
		{name: "another data directory", environment: map[string]string{"SPECTER_DATA_FOLDER": filepath.Dir(moved)}, err: moved + ", line 1: SPECTER_DATA_FOLDER must not be another directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := load(t, test.environment, test.args...)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil || c.File != test.file || c.Port != test.port || test.check != nil && !test.check(c) {
				t.Errorf("got %v, %+v", err, c)
			}
		})
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	got := UnknownVariables([]string{"SPECTER_API_ACTVE=true", "PATH=x", "SPECTER_DATA_FOLDER=x", "SECRET_KEY_FILE=x", "BTC_RPC_PASWORD=hunter2", "SPECTER_HWI_X=1", "SPECTERD_SEED=1", "SPECTER_DATABASE_URL_FILE=x"})
	want := []string{
		"the environment variable BTC_RPC_PASWORD is not a setting, and is ignored; did you mean BTC_RPC_PASSWORD?",
		"the environment variable SPECTER_API_ACTVE is not a setting, and is ignored; did you mean SPECTER_API_ACTIVE?",
		"the environment variable SPECTER_HWI_X is not a setting, and is ignored",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzFile(f *testing.F) {
	for _, text := range []string{"PORT=1", "HOST='a\nb' \"c\\\"\"\\\n", "# x\n;\n=\n\\", "HOST=\""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := file{values: map[string]string{}, lines: map[string]int{}}
		if err := c.parse(text); err == nil {
			for name, line := range c.lines {
				if line < 1 || line > 1+strings.Count(text, "\n") {
					t.Errorf("%s is in line %d", name, line)
				}
			}
		}
	})
}
