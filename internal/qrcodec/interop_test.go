package qrcodec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"

	"github.com/specterd/specterd/internal/btc"
)

// packages calls npm packages; see tools/qrcodec.
type packages struct {
	calls   []any
	results []json.RawMessage
}

// call adds a call, and returns a function that returns its result after run.
func call[T any](p *packages, name string, arguments map[string]any) func(t *testing.T) T {
	arguments["call"] = name
	p.calls = append(p.calls, arguments)
	n := len(p.calls) - 1
	return func(t *testing.T) (result T) {
		t.Helper()
		noError(t, json.Unmarshal(p.results[n], &result))
		return result
	}
}

func (p *packages) run(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../../scripts/qrcodec.sh")
	cmd.Stdin = bytes.NewReader(valueOf(json.Marshal(p.calls))(t))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	noError(t, json.Unmarshal(out, &p.results))
}

// joined is a message that a package has decoded.
type joined struct {
	Type, Data, Fingerprint string
	Used                    int
	Texts                   []string
}

// TestInterop_BBQr sends messages to and from the npm package bbqr.
func TestInterop_BBQr(t *testing.T) {
	needsServer(t, "npm")
	var p packages
	type exchange struct {
		name   string
		kind   Kind
		data   []byte
		theirs func(*testing.T) []string
		ours   func(*testing.T) joined
		plain  func(*testing.T) string // what zlib decompresses; nil without compression
	}
	var exchanges []exchange
	for _, size := range []int{6, 300, 1100, 40_000} {
		for kind, data := range map[Kind][]byte{PSBT: psbtOf(size), Text: bytes.Repeat([]byte("Grüße "), size/7+1), JSON: []byte(`["` + strings.Repeat("xpub", size/4) + `"]`)} {
			fileType := map[Kind]string{PSBT: "P", Text: "U", JSON: "J"}[kind]
			for _, encoding := range []string{"H", "2", "Z"} {
				e := exchange{name: fmt.Sprint(kind, " ", size, " ", encoding), kind: kind, data: data}
				texts := valueOf(EncodeBBQr(kind, data, max(size/11, MinFragment)))(t)
				e.theirs = call[[]string](&p, "split", map[string]any{"data": hex.EncodeToString(data), "type": fileType, "encoding": encoding, "version": 12})
				e.ours = call[joined](&p, "join", map[string]any{"parts": texts})
				if compressed := valueOf(deflate(data))(t); len(compressed) < len(data) {
					e.plain = call[string](&p, "inflate", map[string]any{"data": hex.EncodeToString(compressed)})
				}
				exchanges = append(exchanges, e)
			}
		}
	}
	p.run(t)
	for _, e := range exchanges {
		t.Run(e.name, func(t *testing.T) {
			got, err := Read([]byte(strings.Join(e.theirs(t), "\n")))
			if err != nil || got.Kind != e.kind || !bytes.Equal(got.Data, e.data) {
				t.Errorf("got %s of %d bytes: %v", got.Kind, len(got.Data), err)
			}
			if theirs := e.ours(t); theirs.Data != hex.EncodeToString(e.data) {
				t.Errorf("the package got %d digits of type %s", len(theirs.Data), theirs.Type)
			}
			if e.plain != nil && e.plain(t) != hex.EncodeToString(e.data) {
				t.Error("zlib with a window of 1,024 bytes got other data")
			}
		})
	}
}

// TestInterop_URParts sends PSBTs to and from the npm packages of Keystone and Ngrave, also
// with receivers that miss the first parts.
func TestInterop_URParts(t *testing.T) {
	needsServer(t, "npm")
	var p packages
	type exchange struct {
		name   string
		psbt   []byte
		theirs func(*testing.T) []string
		ours   func(*testing.T) joined
	}
	var exchanges []exchange
	for _, size := range []int{20, 150, 1100, 7000} {
		for _, first := range []int{0, 5, 777} {
			psbt := psbtOf(size)
			parts := valueOf(NewURParts(PSBTResource(psbt), 100))(t)
			count := 4*parts.Len() + 4
			texts := make([]string, count)
			for i := range texts {
				texts[i] = parts.Text(uint32(first + i + 1))
			}
			exchanges = append(exchanges, exchange{
				fmt.Sprint(size, " from ", first), psbt,
				call[[]string](&p, "encode", map[string]any{"item": "psbt", "data": hex.EncodeToString(psbt), "fragment": 100, "first": first, "count": count}),
				call[joined](&p, "decode", map[string]any{"parts": texts}),
			})
		}
	}
	p.run(t)
	for _, e := range exchanges {
		t.Run(e.name, func(t *testing.T) {
			var c Collector
			used := 0
			for _, text := range e.theirs(t) {
				noError(t, c.Add(text))
				if used++; c.Progress().Done {
					break
				}
			}
			got, done := c.Content()
			if !done || got.Kind != PSBT || !bytes.Equal(got.Data, e.psbt) {
				t.Errorf("got %v, %s of %d bytes", done, got.Kind, len(got.Data))
			}
			theirs := e.ours(t)
			if theirs.Data != hex.EncodeToString(e.psbt) {
				t.Errorf("the package got %d digits", len(theirs.Data))
			}
			if used > theirs.Used {
				t.Errorf("the package decoded %d parts, and we required %d", theirs.Used, used)
			}
		})
	}
}

// jsKey is a key for the packages.
func jsKey(t *testing.T, k btc.Key, children []any) map[string]any {
	m := valueOf(encodeHDKey(k, btc.Main))(t)
	path := []any{}
	for _, step := range valueOf(k.Path())(t) {
		path = append(path, []any{step % hardened, step >= hardened})
	}
	key := map[string]any{
		"key": hex.EncodeToString(m[keyData].([]byte)), "chainCode": hex.EncodeToString(m[keyChainCode].([]byte)),
		"path": path, "fingerprint": k.Fingerprint, "testnet": strings.HasPrefix(k.XPub, "tpub"),
	}
	if parent, ok := m[keyParent].(uint64); ok {
		key["parent"] = hex.EncodeToString(uint32Bytes(uint32(parent)))
	}
	if children != nil {
		key["children"] = children
	}
	return key
}

// TestInterop_Outputs sends descriptors, accounts and keys to and from Keystone's package, which
// does not know taproot.
func TestInterop_Outputs(t *testing.T) {
	needsServer(t, "npm")
	const (
		one   = "[37b5eed4/84h/0h/0h]xpub6BkU445MSEBXbPjD3g2c2ch6mn8yy1SXXQUM7EwjgYiq6Wt1NDwDZ45npqWcV8uQC5oi2gHuVukoCoZZyT4HKq8EpotPMqGqxdZRuapCQ23"
		two   = "[f245ae38/48h/0h/0h/2h]xpub6DnT4E1fT8VxuAZW29avMjr5i99aYTHBp9d7fiLnpL5t4JEprQqPMbTw7k7rh5tZZ2F5g8PJpssqrZoebzBChaiJrmEvWwUTEMAbHsY39Ge"
		three = "[c5d87297/48h/0h/0h/2h]xpub6DjrnfAyuonMaboEb3ZQZzhQ2ZEgaKV2r64BFmqymZqJqviLTe1JzMr2X2RfQF892RH7MyYUbcy77R7pPu1P71xoj8cDUMNhAMGYzKR4noZ"
		test  = "[0000000a/44h/1h/1h/0/1]tpubDHW3GtnVrTatx38EcygoSf9UhUd9Dx1rht7FAL8unrMo8r2NWhJuYNqDFS7cZFVbDaxJkV94MLZAr86XFPsAPYcoHWJ7sWYsrmHDw5sKQ2K"
	)
	var p packages
	type exchange struct {
		functions                         string
		required                          int
		keys                              []string
		network                           btc.Network
		text                              string
		output, account, keysOnly, single func(*testing.T) []string
		ours, exported                    func(*testing.T) joined
	}
	exchanges := []*exchange{
		{functions: "wpkh", keys: []string{one}},
		{functions: "pkh", keys: []string{one}},
		{functions: "sh wpkh", keys: []string{one}},
		{functions: "wpkh", keys: []string{test}, network: btc.Regtest},
		{functions: "wsh sortedmulti", required: 2, keys: []string{two, three}},
		{functions: "sh wsh multi", required: 1, keys: []string{two, three}},
		{functions: "sh sortedmulti", required: 2, keys: []string{two, three}},
	}
	for _, e := range exchanges {
		if e.network == "" {
			e.network = btc.Main
		}
		functions := strings.Fields(e.functions)
		e.text = strings.Join(functions, "(") + "("
		if e.required > 0 {
			e.text += fmt.Sprint(e.required, ",")
		}
		e.text += strings.Join(e.keys, "/0/*,") + "/0/*" + strings.Repeat(")", len(functions))
		d := valueOf(btc.ParseDescriptor(e.text, e.network))(t)
		var keys []any
		for _, k := range d.Keys() {
			keys = append(keys, jsKey(t, k, []any{[]any{0, false}, []any{nil, false}}))
		}
		arguments := func(item string) map[string]any {
			m := map[string]any{"item": item, "functions": functions, "keys": keys, "fragment": 90, "count": 20, "fingerprint": d.Keys()[0].Fingerprint}
			if e.required > 0 {
				m["required"] = e.required
			}
			return m
		}
		e.output = call[[]string](&p, "encode", arguments("output"))
		e.account = call[[]string](&p, "encode", arguments("account"))
		e.keysOnly = call[[]string](&p, "encode", arguments("accounts"))
		e.single = call[[]string](&p, "encode", arguments("hdkey"))
		parts := valueOf(NewURParts(valueOf(OutputResource(d))(t), 80))(t)
		e.ours = call[joined](&p, "decode", map[string]any{"parts": parts.Texts(3 * parts.Len())})
		both := valueOf(btc.ParseDescriptor(strings.ReplaceAll(e.text, "/0/*", "/<0;1>/*"), e.network))(t)
		resource := valueOf(OutputResource(both))(t)
		e.exported = call[joined](&p, "decode", map[string]any{"parts": []string{valueOf(NewURParts(resource, len(resource.CBOR)))(t).Text(1)}})
	}
	p.run(t)
	for _, e := range exchanges {
		t.Run(e.text[:20], func(t *testing.T) {
			for name, texts := range map[string][]string{"output": e.output(t), "account": e.account(t), "accounts": e.keysOnly(t), "hdkey": e.single(t)} {
				t.Run(name, func(t *testing.T) {
					got, err := Read([]byte(strings.Join(texts, "\n")))
					noError(t, err)
					want := e.keys
					if name == "hdkey" {
						want = want[:1]
					}
					var keys []string
					for _, o := range got.Outputs {
						keys = append(keys, o.Keys...)
					}
					if !slices.Equal(keys, want) {
						t.Errorf("%s: the keys are %v, want %v", name, keys, want)
					}
					if o := got.Outputs[0]; (name == "output" || name == "account") && o.Descriptor != e.text {
						t.Errorf("%s: got %s, want %s", name, o.Descriptor, e.text)
					}
				})
			}
			// The package formats origins without brackets, and every key as xpub.
			theirs := strings.ReplaceAll(e.ours(t).Texts[0], "'", "h")
			if want := asXPub(t, strings.NewReplacer("[", "", "]", "").Replace(e.text)); theirs != want {
				t.Errorf("the package got %s, want %s", theirs, want)
			}
			// The children of both branches are omitted, and the format crypto-output of exports is one part.
			theirs, want := strings.ReplaceAll(e.exported(t).Texts[0], "'", "h"), strings.ReplaceAll(theirs, "/0/*", "")
			if theirs != want {
				t.Errorf("the package got %s of both branches, want %s", theirs, want)
			}
		})
	}
}

// asXPub replaces a tpub in a descriptor with one key by the xpub of the same key.
func asXPub(t *testing.T, text string) string {
	at := strings.Index(text, "tpub")
	if at < 0 {
		return text
	}
	end := at + strings.IndexByte(text[at:], '/')
	key := valueOf(hdkeychain.NewKeyFromString(text[at:end]))(t)
	return text[:at] + valueOf(key.CloneWithVersion(xpubVersion))(t).String() + text[end:]
}
