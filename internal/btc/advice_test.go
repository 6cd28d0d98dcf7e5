package btc_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

// advice matches messages that tell the user what to write.
var advice = regexp.MustCompile(`(^| )(such as|not like /|append|supported (is|are)|as in|must (end|begin|be (an?|the))|begins? with|belong|known types|unless|is for any|\(xpub\))( |$)`)

// advised maps the beginning of each such message to input that follows its advice
// and must be accepted.
var advised = map[string][]func() error{
	"must be an output descriptor such as wpkh([d34db33f/84h/0h/0h]xpub…/<0;1>/*)": {descriptor("wpkh([d34db33f/84h/0h/0h]" + xpub + "/<0;1>/*)")},
	"supported are pkh, wpkh, sh(wpkh) and tr with one key, and multi and sortedmulti in sh, wsh or sh(wsh)": {
		descriptor("pkh({key})"), descriptor("wpkh({key})"), descriptor("sh(wpkh({key}))"), descriptor("tr({key})"),
		descriptor("sh(multi(1,{key}))"), descriptor("sh(sortedmulti(1,{key}))"), descriptor("wsh(multi(1,{key}))"), descriptor("wsh(sortedmulti(1,{key}))"),
		descriptor("sh(wsh(multi(1,{key})))"), descriptor("sh(wsh(sortedmulti(1,{key})))"),
	},
	"is a single public key, which is not supported; extended public keys (xpub) are": {descriptor("wpkh({key})")},
	"does not end in /* and so describes a single address, which is not supported; append /<0;1>/*": {
		descriptor("wpkh(" + xpub + "/<0;1>/*)"), descriptor("wpkh([d34db33f/84h/0h/0h]" + xpub + "/5/<0;1>/*)"),
	},
	"ends in a hardened wildcard, whose addresses cannot be derived from a public key; supported is /<0;1>/*": {descriptor("wpkh(" + xpub + "/<0;1>/*)")},
	"has the prefix of %s, but the script is %s; a key that begins with xpub or tpub is for any": {
		descriptor("pkh(" + xpub + "/<0;1>/*)"), descriptor("sh(wpkh(" + xpub + "/<0;1>/*))"), descriptor("tr(" + xpub + "/<0;1>/*)"), descriptor("wsh(multi(1," + xpub + "/<0;1>/*))"),
	},
	"has two branches and others do not, as in /<0;1>/*; this must be the same for all keys": {
		descriptor("wsh(multi(1,{key}," + xpub2 + "/<0;1>/*))"), descriptors("wsh(multi(1,"+xpub+"/0/*,"+xpub2+"/0/*))", "wsh(multi(1,"+xpub+"/1/*,"+xpub2+"/1/*))"),
	},
	"has a path that is not like /0/* or /<0;1>/*":                                                                                                     {descriptor("wpkh(" + xpub + "/0/*)"), descriptor("wpkh(" + xpub + "/<0;1>/*)")},
	"has two multipath steps such as <0;1>; at most one is allowed":                                                                                    {descriptor("wpkh(" + xpub + "/5/<0;1>/*)")},
	"has more than two branches; supported are two, for receiving and for change, as in /<0;1>/*":                                                      {descriptor("wpkh(" + xpub + "/<0;1>/*)")},
	"has a hardened step after it, which cannot be derived from a public key; such steps belong between the brackets before the key":                   {descriptor("wpkh([d34db33f/84h/0h/0h]" + xpub + "/<0;1>/*)")},
	"must be the same as descriptor except for one step of each key's path, such as /0/* there and /1/* here":                                          {descriptors("wpkh("+xpub+"/0/*)", "wpkh("+xpub+"/1/*)")},
	"is required unless descriptor ends in /<0;1>/*, or in /0/*, which implies /1/* for change":                                                        {descriptor("wpkh(" + xpub + "/<0;1>/*)"), descriptor("wpkh(" + xpub + "/0/*)"), descriptors("wpkh("+xpub+"/2/*)", "wpkh("+xpub+"/3/*)")},
	"must be omitted if descriptor has a step like <0;1>, which describes both branches":                                                               {descriptor("wpkh(" + xpub + "/<0;1>/*)")},
	"must be an extended public key such as [d34db33f/84h/0h/0h]xpub…":                                                                                 {key("[d34db33f/84h/0h/0h]" + xpub)},
	"must be an extended public key such as [d34db33f/84h/0h/0h]xpub…; this one is incomplete or mistyped":                                             {key("[d34db33f/84h/0h/0h]" + xpub)},
	"has an origin that does not begin with a fingerprint of 8 hexadecimal digits, as in [d34db33f/84h/0h/0h]":                                         {key("[d34db33f/84h/0h/0h]" + xpub)},
	"has an origin whose path is not like the one in [d34db33f/84h/0h/0h]":                                                                             {key("[d34db33f/84h/0h/0h]" + xpub)},
	"must end with the extended public key, without a path after it":                                                                                   {key(xpub)},
	"contains a PRIVATE KEY or seed words, which NEVER belong here. ":                                                                                  {key(xpub)},
	"If this was sent over a network, treat it as exposed: move its funds to new keys. Only extended public keys (xpub) are accepted":                  {key(xpub)},
	"must be a descriptor without its keys, such as wpkh([d34db33f/84h/0h/0h])":                                                                        {label(`"type":"tx","ref":"` + txid + `","origin":"wpkh([d34db33f/84h/0h/0h])"`)},
	"is unknown; known types are tx, addr, pubkey, input, output and xpub":                                                                             knownTypes(),
	"must be a transaction id of 64 lower-case hexadecimal digits":                                                                                     {label(`"type":"tx","ref":"` + txid + `"`)},
	"must be a public key of 32, 33 or 65 bytes in lower-case hexadecimal digits":                                                                      {label(`"type":"pubkey","ref":"` + strings.Repeat("ab", 32) + `"`), label(`"type":"pubkey","ref":"` + strings.Repeat("ab", 33) + `"`), label(`"type":"pubkey","ref":"` + strings.Repeat("ab", 65) + `"`)},
	"must be an extended public key, without its origin":                                                                                               {label(`"type":"xpub","ref":"` + xpub + `"`)},
	"is an extended key that does not begin with xpub, ypub, zpub, Ypub, Zpub, tpub, upub, vpub, Upub or Vpub":                                         {key(xpub)},
	"the line is not a JSON object with the fields of BIP-329, each at most once: type, ref, label and origin are strings, spendable is true or false": {label(`"type":"output","ref":"` + txid + `:0","label":"x","origin":"wpkh([d34db33f])","spendable":true`)},
}

func descriptor(text string) func() error {
	return descriptors(strings.ReplaceAll(text, "{key}", xpub+"/<0;1>/*"), "")
}

func descriptors(receive, change string) func() error {
	return func() error {
		_, err := btc.FromDescriptors(receive, change, btc.Main)
		return err
	}
}

func key(text string) func() error {
	return func() error {
		_, err := btc.ParseKey(text, btc.Main)
		return err
	}
}

func label(members string) func() error {
	return func() error {
		_, err := btc.ParseLabel([]byte("{" + members + "}"))
		return err
	}
}

func knownTypes() (all []func() error) {
	for kind, ref := range map[string]string{
		"tx": txid, "addr": "bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c", "pubkey": strings.Repeat("ab", 33), "input": txid + ":0", "output": txid + ":0", "xpub": xpub,
	} {
		all = append(all, label(`"type":"`+kind+`","ref":"`+ref+`"`))
	}
	return all
}

// TestAdvice checks that input that follows the advice in a message about
// descriptors, keys and labels is accepted, and that every message with advice is
// tested.
func TestAdvice(t *testing.T) {
	for message, follow := range advised {
		t.Run(message, func(t *testing.T) {
			for i, accept := range follow {
				if err := accept(); err != nil {
					t.Errorf("%q: attempt %d is rejected: %v", message, i+1, err)
				}
			}
		})
	}
	found := map[string]bool{}
	for _, file := range []string{"descriptor.go", "descriptor_parse.go", "policy.go", "key.go", "label.go", "secret.go"} {
		for _, message := range stringsIn(t, file) {
			found[message] = true
			if _, known := advised[message]; advice.MatchString(message) && !known {
				t.Errorf("%s has untested advice: %q", file, message)
			}
		}
	}
	for message := range advised {
		t.Run(message, func(t *testing.T) {
			if !found[message] {
				t.Errorf("message %q does not exist", message)
			}
		})
	}
}

// stringsIn returns the string literals of a source file of this package.
func stringsIn(t *testing.T, file string) (all []string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				all = append(all, text)
			}
		}
		return true
	})
	return all
}
