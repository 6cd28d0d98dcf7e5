package cli

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/text"
)

// usualWords are the words under which other programs have the commands with these names.
var usualWords = map[string][]string{
	"add":          {"create", "new", "invite"},
	"address":      {"receive", "newaddress", "getnewaddress", "addresses"},
	"archive":      {"prune", "purge"},
	"broadcast":    {"send", "publish", "push", "sendrawtransaction"},
	"bump":         {"replace", "rbf", "bumpfee"},
	"cancel":       {"rm", "delete", "remove", "del", "abort", "abandon"},
	"create":       {"add", "new", "make", "propose"},
	"delete":       {"rm", "remove", "del", "revoke"},
	"doctor":       {"check", "status", "diagnose"},
	"health":       {"ping", "healthcheck"},
	"list":         {"ls", "get", "all"},
	"node-config":  {"bitcoin-conf", "rpcauth"},
	"quota":        {"limit", "limits"},
	"recover":      {"replay", "resend"},
	"rescan":       {"scan", "sync", "resync"},
	"revoke":       {"rm", "delete", "remove", "del"},
	"rm":           {"delete", "remove", "del", "unset", "clear"},
	"rotate":       {"renew", "refresh", "replace"},
	"serve":        {"start", "run", "server", "daemon", "up"},
	"set":          {"edit", "update", "modify", "change", "put"},
	"show":         {"get", "info", "view", "describe", "inspect", "status", "cat"},
	"sign-in-file": {"sign", "add-signatures", "combine"},
	"transactions": {"history", "txs", "tx", "listtransactions"},
	"utxos":        {"coins", "unspent", "outputs", "listunspent"},
	"verify":       {"check", "validate"},
}

// elsewhere are words of users that are the task of another command or flag, which the text
// names.
var elsewhere = map[string]string{ //nolint:gosec // the words token and password are not credentials
	"config":               "settings are flags of each command, environment variables, or lines of specterd.env; specterd doctor shows where they come from, and specterd node-config prints the configuration of the node",
	"init":                 "specterd serve creates the database at its first start, and specterd user list --init at once",
	"login":                "commands need no login; specterd token create creates a token for the API",
	"logs":                 "specterd audit list shows who changed what; the server's log is on its standard error",
	"log":                  "specterd audit list shows who changed what; the server's log is on its standard error",
	"stop":                 "stop the server with Ctrl-C or SIGTERM, or with the service manager, such as systemctl stop specterd",
	"migrate":              "specterd serve migrates the database when it starts",
	"send":                 "specterd proposal create creates a payment, and specterd proposal broadcast sends it",
	"token scopes":         "specterd token create --help lists the scopes",
	"user disable":         "use specterd user set NAME --disabled",
	"user enable":          "use specterd user set NAME --disabled=false",
	"user passwd":          "use specterd user set NAME --password",
	"user password":        "use specterd user set NAME --password",
	"user promote":         "use specterd user set NAME --admin",
	"user token":           "use specterd token list --user NAME",
	"user tokens":          "use specterd token list --user NAME",
	"wallet inspect":       "specterd wallet create --file FILE --dry-run shows the wallet in a file, and specterd wallet show ALIAS a wallet of specterd",
	"wallet import":        "use specterd wallet create --file FILE",
	"wallet export":        "use specterd export --wallet ALIAS --format FORMAT",
	"wallet send":          "use specterd proposal create ALIAS --to ADDRESS=AMOUNT",
	"wallet pay":           "use specterd proposal create ALIAS --to ADDRESS=AMOUNT",
	"wallet label":         "use specterd label set ALIAS REF LABEL",
	"wallet labels":        "use specterd label list ALIAS",
	"wallet proposals":     "use specterd proposal list ALIAS",
	"wallet invite":        "use specterd wallet member add ALIAS USER",
	"wallet share":         "use specterd wallet member add ALIAS USER",
	"wallet freeze":        `specterd label import freezes outputs, by lines with "spendable": false`,
	"wallet lock":          `specterd label import freezes outputs, by lines with "spendable": false`,
	"wallet descriptor":    "use specterd export --wallet ALIAS --format descriptor",
	"wallet member invite": "use specterd wallet member add ALIAS USER; invitations are part of the API",
	"proposal psbt":        "use specterd proposal show ID --psbt FILE",
	"proposal export":      "use specterd proposal show ID --psbt FILE",
	"proposal qr":          "use specterd proposal show ID --qr",
	"proposal edit":        "cancel the proposal, or replace it with specterd proposal bump",
	"audit export":         "use specterd audit list --json, or specterd audit archive",
	"key create":           "use specterd key rotate",
}

// usualFlags are the flags that users expect, with the flags that commands have instead.
var usualFlags = map[string][]string{
	"data-dir": {"data-folder"}, "datadir": {"data-folder"}, "data": {"data-folder"}, "home": {"data-folder"},
	"db": {"database-url"}, "database": {"database-url"}, "conf": {"config"}, "settings": {"config"},
	"force": {"yes"}, "f": {"yes", "file"}, "y": {"yes"}, "assume-yes": {"yes"}, "no-confirm": {"yes"},
	"j": {"json"}, "output": {"json", "to", "out", "psbt"}, "o": {"json", "to", "out", "psbt"},
	"expiry": {"expires"}, "ttl": {"expires"}, "lifetime": {"expires"}, "valid": {"expires"},
	"account": {"user"}, "username": {"user"}, "owner": {"user"}, "u": {"user"}, "as": {"user"}, "for": {"user"},
	"amount": {"to"}, "recipient": {"to"}, "pay": {"to"}, "address": {"to"}, "input": {"from"}, "utxo": {"from"}, "utxos": {"from"}, "coins": {"from"},
	"csv": {"recipients"}, "fee": {"fee-rate"}, "feerate": {"fee-rate"}, "sat-per-vbyte": {"fee-rate"}, "rate": {"fee-rate"},
	"conf-target": {"target-blocks"}, "blocks": {"target-blocks"}, "subtract-fee": {"subtract-fee-from"},
	"permissions": {"scopes"}, "out-file": {"psbt", "out"}, "stdin": {"password-stdin"},
	"threshold": {"signatures-required"}, "required": {"signatures-required"}, "m": {"signatures-required"}, "xpub": {"key"}, "type": {"script"}, "start": {"birthday", "from"},
	"n": {"limit"}, "max": {"limit"}, "count": {"limit"}, "tail": {"limit"}, "listen": {"host"}, "bind": {"host"}, "p": {"port"},
	"rpc-url": {"node-url"}, "node": {"node-url"}, "dry": {"dry-run"}, "check": {"dry-run"}, "events": {"kinds"}, "format": {jsonFlag}, "reverse": {"ascending"},
}

// addSuggestions sets the words for which the commands of the tree are suggested.
func addSuggestions(root *cobra.Command) {
	eachCommand(root, func(cmd *cobra.Command) { cmd.SuggestFor = usualWords[cmd.Name()] })
}

// hintForCommand says which command to use instead of an unknown one of a group.
func hintForCommand(group *cobra.Command, name string) string {
	if hint, known := elsewhere[strings.TrimPrefix(group.CommandPath()+" "+name, "specterd ")]; known {
		return hint
	}
	var names, suggested []string
	for _, c := range group.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		names = append(append(names, c.Name()), c.Aliases...)
		if slices.Contains(c.SuggestFor, name) {
			suggested = append(suggested, c.CommandPath())
		}
	}
	if near := text.Nearest(name, names); len(suggested) == 0 && near != "" {
		suggested = append(suggested, group.CommandPath()+" "+near)
	}
	if len(suggested) == 0 {
		suggested = commandsOf(group.Root(), name)
	}
	if len(suggested) == 0 || len(suggested) > 3 {
		return "run " + group.CommandPath() + " --help for a list"
	}
	return "did you mean " + strings.Join(suggested, " or ") + "?"
}

// commandsOf returns the paths of the commands with this name, or none for a word that is
// usual for several commands.
func commandsOf(root *cobra.Command, name string) (paths []string) {
	usual := false
	eachCommand(root, func(cmd *cobra.Command) {
		usual = usual || slices.Contains(cmd.SuggestFor, name)
		if cmd.Name() == name && cmd.IsAvailableCommand() {
			paths = append(paths, cmd.CommandPath())
		}
	})
	if usual {
		return nil
	}
	return paths
}

// hintForFlag says which flag to use instead of an unknown one, or returns an empty text.
func hintForFlag(name string, names []string) string {
	for _, flag := range usualFlags[strings.ToLower(name)] {
		if slices.Contains(names, flag) {
			return "did you mean --" + flag + "?"
		}
	}
	if near := text.Nearest(name, names); len(name) > 1 && near != "" {
		return "did you mean --" + near + "?"
	}
	return ""
}

// checkFileArguments refuses an argument for a file that is more likely a mistyped
// subcommand: a word without a slash or an extension, unless the file exists and is read.
func checkFileArguments(cmd *cobra.Command, args []string) error {
	words := strings.Fields(cmd.Use)[1:]
	for i, arg := range args {
		if i >= len(words) || strings.Trim(words[i], "[]") != "FILE" || arg == "-" || strings.ContainsAny(arg, `/\.`) {
			continue
		}
		if _, err := os.Stat(arg); err == nil && cmd.Name() != "backup" {
			continue
		}
		return errUsage("%q does not look like a file; for a file of this name, write ./%s; usage: %s", arg, arg, cmd.UseLine())
	}
	return nil
}
