package datadir

import "strings"

// Node is the connection to the Bitcoin node that Specter Desktop uses. Each text is
// printable and has no quotes; fields that are missing or invalid are empty.
type Node struct {
	Protocol, Host, Port string
	User, Password       string
	// DataDir is the node's data directory, whose cookie is used without a user.
	DataDir string
}

// Node returns the settings of the active node: in nodes/<alias>.json or, in directories of
// old versions, in config.json. It returns false without such settings, and reports nothing.
func (f *Folder) Node() (Node, bool) {
	if alias := f.Config.nodeAlias; isPlain(alias) && !strings.ContainsAny(alias, `/\`) {
		if content, err := f.readFile("nodes/"+alias+".json", maxConfigBytes); err == nil {
			if o, err := parseObject(content); err == nil {
				return nodeOf(o)
			}
		}
	}
	if f.Config.rpc == nil {
		return Node{}, false
	}
	return nodeOf(f.Config.rpc)
}

func nodeOf(o *object) (Node, bool) {
	n, detect := Node{}, false
	for name, into := range map[string]*string{
		"protocol": &n.Protocol, "host": &n.Host, "port": &n.Port, "user": &n.User, "password": &n.Password, "datadir": &n.DataDir,
	} {
		o.optional(name, into)
		if len(*into) > maxName || !IsPrintable(*into) || strings.ContainsAny(*into, `'"\`) {
			*into = ""
		}
	}
	o.optional("autodetect", &detect)
	if detect { // Specter Desktop reads the other fields from the node's own files
		return Node{DataDir: n.DataDir}, n.DataDir != ""
	}
	return n, n.Host != "" && n.User != ""
}
