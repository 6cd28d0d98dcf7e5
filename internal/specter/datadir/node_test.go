package datadir

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestNode(t *testing.T) {
	t.Parallel()
	const local = `"host": "h", "port": "1", "user": "u", "password": "p", "protocol": "http"`
	for _, test := range []struct {
		name, config, node string // node is nodes/a.json
		want               Node
		ok                 bool
	}{
		{"a node", `{"active_node_alias": "a"}`, `{` + local + `}`, Node{"http", "h", "1", "u", "p", ""}, true},
		{"detected", `{"active_node_alias": "a"}`, `{"autodetect": true, "datadir": "/d", ` + local + `}`, Node{DataDir: "/d"}, true},
		{"detected without a directory", `{"active_node_alias": "a"}`, `{"autodetect": true}`, Node{}, false},
		{"of an old version", `{"rpc": {` + local + `}}`, "", Node{"http", "h", "1", "u", "p", ""}, true},
		{"quotes", `{"active_node_alias": "a"}`, `{"host": "h", "user": "u", "password": "it's"}`, Node{Host: "h", User: "u"}, true},
		{"control characters", `{"active_node_alias": "a"}`, `{"host": "h\n", "user": "u"}`, Node{User: "u"}, false},
		{"a wrong type", `{"active_node_alias": "a"}`, `{"host": 1, "user": "u"}`, Node{User: "u"}, false},
		{"damaged", `{"active_node_alias": "a"}`, `{`, Node{}, false},
		{"another directory", `{"active_node_alias": "../a"}`, `{` + local + `}`, Node{}, false},
		{"none", `{}`, "", Node{}, false},
		{"rpc of a wrong type", `{"rpc": 1}`, "", Node{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			testkit.Check(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(test.config), 0o600))
			testkit.Check(t, os.Mkdir(filepath.Join(dir, "nodes"), 0o700))
			for _, path := range []string{"nodes/a.json", "a.json"} {
				testkit.Check(t, os.WriteFile(filepath.Join(dir, path), []byte(test.node), 0o600))
			}
			f, err := Open(dir)
			testkit.Check(t, err)
			defer func() { testkit.Check(t, f.Close()) }()
			if got, ok := f.Node(); got != test.want || ok != test.ok {
				t.Errorf("got %+v, %t", got, ok)
			}
		})
	}
}
