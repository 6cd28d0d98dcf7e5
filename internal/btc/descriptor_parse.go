package btc

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/fault"
)

// maxDescriptor is the maximum length of a descriptor in bytes, which suffices for
// 20 keys with long paths.
const maxDescriptor = 16 << 10

// ParseDescriptor parses an output descriptor, with or without its checksum
// (BIP-380). Each key must be an extended public key of the network and end in /*;
// either all or none have one multipath step (BIP-389). Keys may have prefixes of
// SLIP-132 that match the script, and no key may occur twice.
//
// It returns ErrDescriptor, ErrUnsupportedDescriptor, ErrKey, ErrWrongNetwork,
// ErrKeyType, ErrDuplicateKey and ErrPrivateKey, about the field "descriptor"; none
// of them repeats the text. The problems of several keys are combined as by fault.JoinErrors.
func ParseDescriptor(text string, network Network) (Descriptor, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxDescriptor {
		return Descriptor{}, bad("must be at most %d bytes long", maxDescriptor)
	}
	if HoldsPrivateKey(text) {
		return Descriptor{}, ErrPrivateKey.ForField("descriptor")
	}
	if err := refuseJSON(text); err != nil {
		return Descriptor{}, err
	}
	body, err := withoutChecksum(text)
	if err != nil {
		return Descriptor{}, err
	}
	form, inner, err := formOf(body)
	if err != nil {
		return Descriptor{}, err
	}
	d := Descriptor{form: form, network: network, required: 1}
	arguments := strings.Split(inner, ",")
	if form.script.IsMultisig() {
		if d.required, err = parseRequired(arguments[0]); err != nil {
			return Descriptor{}, err
		}
		arguments = arguments[1:]
	}
	err = d.parseKeys(arguments)
	if d.required < 1 || d.required > len(arguments) {
		err = fault.JoinErrors(err, bad("requires %d signatures of %d keys", d.required, len(arguments)))
	}
	if err != nil {
		return Descriptor{}, err
	}
	return d, nil
}

func bad(format string, args ...any) *fault.Error {
	return fault.InvalidAs(ErrDescriptor.Code, "descriptor", format, args...)
}

func unsupported(format string, args ...any) *fault.Error {
	return fault.InvalidAs(ErrUnsupportedDescriptor.Code, "descriptor", format+"; %s", append(args, supported)...)
}

var jsonStart = regexp.MustCompile(`^(\{|\[\s*\{)`)

// refuseJSON returns an error if text is JSON, such as an export of a wallet. The
// error names the field that contains the descriptor, if it is known.
func refuseJSON(text string) error {
	if !jsonStart.MatchString(text) {
		return nil
	}
	var fields map[string]any
	var list []map[string]any
	if json.Unmarshal([]byte(text), &list) == nil && len(list) > 0 {
		fields = list[0]
	} else {
		_ = json.Unmarshal([]byte(text), &fields) // an error leaves fields empty
	}
	for _, f := range []struct{ name, document string }{
		{"descriptor", "an account map"}, {"desc", "a list for importdescriptors"}, {"recv_descriptor", "a wallet file of Specter Desktop"},
	} {
		if _, has := fields[f.name]; has {
			return bad("is %s; give the value of its field %s", f.document, f.name)
		}
	}
	return bad("is JSON; give an output descriptor")
}

func withoutChecksum(text string) (string, error) {
	body, given, has := strings.Cut(text, "#")
	sum, ok := Checksum(body)
	switch {
	case !ok:
		return "", bad("has an invalid character")
	case has && len(given) != checksumLen:
		return "", bad("has a checksum after the # that does not have %d characters", checksumLen)
	case has && given != sum:
		return "", bad("does not match its checksum: it was mistyped, or changed after the checksum was computed")
	}
	return body, nil
}

var function = regexp.MustCompile(`^[a-z_]+\(.*\)$`)

// formOf returns the form of a descriptor and the text between its parentheses.
func formOf(body string) (form, string, error) {
	for _, f := range forms {
		inner, opens := strings.CutPrefix(body, f.open)
		if !opens {
			continue
		}
		inner, closes := strings.CutSuffix(inner, f.close)
		switch {
		case strings.Contains(inner, "musig("):
			return form{}, "", unsupported("has keys in musig, which is not supported")
		case f.script == TR && strings.Contains(inner, ","):
			return form{}, "", unsupported("is a tr with scripts, which are not supported")
		case !closes, strings.ContainsAny(inner, "()"):
			return form{}, "", bad("has parentheses that do not match")
		}
		return f, inner, nil
	}
	if function.MatchString(body) {
		return form{}, "", unsupported("is not supported")
	}
	return form{}, "", ErrDescriptor
}

func parseRequired(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, bad("must have the number of required signatures as the first argument of multi or sortedmulti")
	}
	return int(n), nil
}

func (d *Descriptor) parseKeys(texts []string) error {
	if limit := d.form.script.maxKeys(); len(texts) > limit {
		return bad("has %d keys; %s can have at most %d", len(texts), d.form.script, limit)
	}
	problems := make([]error, len(texts))
	for i, text := range texts {
		if err := d.parseKey(text); err != nil {
			problems[i] = aboutKey(err, "descriptor", i)
		}
	}
	return fault.JoinErrors(problems...)
}

// aboutKey returns a copy of a fault about a key, for the key at index i: the copy names
// the given field, and its message begins with the number of the key, i+1. It returns
// other errors unchanged.
func aboutKey(err error, field string, i int) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || len(f.Fields) != 1 {
		return err
	}
	return f.WithField(field, "key %d %s", i+1, f.Fields[0].Message)
}

var singleKey = regexp.MustCompile(`^(\[[^]]*\])?([0-9a-fA-F]{64}|[0-9a-fA-F]{66}|[0-9a-fA-F]{130})$`)

// parseKey parses a key expression with the path after it, and adds the key to d.
func (d *Descriptor) parseKey(text string) error {
	if singleKey.MatchString(text) {
		return keyFault(ErrUnsupportedDescriptor, "is a single public key, which is not supported; extended public keys (xpub) are")
	}
	e, err := parseKeyExpression(text, d.network)
	if err != nil {
		return err
	}
	last := len(e.path) - 1
	switch {
	case last < 0 || !strings.HasPrefix(e.path[last], "*"):
		return keyFault(ErrUnsupportedDescriptor, "does not end in /* and so describes a single address, which is not supported; append /<0;1>/*")
	case e.path[last] == "*h" || e.path[last] == "*'":
		return keyFault(ErrUnsupportedDescriptor, "ends in a hardened wildcard, whose addresses cannot be derived from a public key; supported is /<0;1>/*")
	case e.path[last] != "*":
		return badPath()
	}
	steps, err := parseSteps(e.path[:last])
	if err != nil {
		return err
	}
	return d.addKey(e, steps)
}

// addKey adds a key. It returns a fault if the key does not match the script or the
// other keys, or occurs twice.
func (d *Descriptor) addKey(e keyExpression, steps []step) error {
	k := descriptorKey{Key: e.Key, origin: e.origin(), extended: e.extended, steps: steps}
	if e.prefixType != "" && e.prefixType != d.form.script {
		return keyFault(ErrKeyType, "has the prefix of %s, but the script is %s; a key that begins with xpub or tpub is for any", e.prefixType, d.form.script)
	}
	if int(e.extended.Depth())+len(steps)+1 > 255 {
		return keyFault(ErrDescriptor, "has a path that is longer than BIP-32 allows")
	}
	for _, other := range d.keys {
		if other.sameKey(k) {
			return keyFault(ErrDuplicateKey, "occurs twice; each signer must have its own key")
		}
		if (other.branch() < 0) != (k.branch() < 0) {
			return keyFault(ErrDescriptor, "has two branches and others do not, as in /<0;1>/*; this must be the same for all keys")
		}
	}
	d.keys = append(d.keys, k)
	return nil
}

// keyFault returns a fault about one key, with the same code as like.
func keyFault(like *fault.Error, format string, args ...any) *fault.Error {
	return fault.InvalidAs(like.Code, "key", format, args...)
}

func badPath() *fault.Error {
	return keyFault(ErrDescriptor, "has a path that is not like /0/* or /<0;1>/*")
}

// parseSteps parses the path between an extended public key and the wildcard.
func parseSteps(texts []string) ([]step, error) {
	steps := make([]step, 0, len(texts))
	multipath := false
	for _, text := range texts {
		s, err := parseBranches(text)
		if err != nil {
			return nil, err
		}
		if multipath && s.isMultipath() {
			return nil, keyFault(ErrDescriptor, "has two multipath steps such as <0;1>; at most one is allowed")
		}
		multipath = multipath || s.isMultipath()
		steps = append(steps, s)
	}
	return steps, nil
}

// parseBranches parses one step, such as 5 or <0;1>.
func parseBranches(text string) (step, error) {
	inner, isTuple := strings.CutPrefix(text, "<")
	if !isTuple {
		n, err := parsePublicStep(text)
		return step{n, n}, err
	}
	inner, closed := strings.CutSuffix(inner, ">")
	receive, change, two := strings.Cut(inner, ";")
	switch {
	case !closed, !two:
		return step{}, badPath()
	case strings.Contains(change, ";"):
		return step{}, keyFault(ErrUnsupportedDescriptor, "has more than two branches; supported are two, for receiving and for change, as in /<0;1>/*")
	}
	r, err := parsePublicStep(receive)
	if err != nil {
		return step{}, err
	}
	c, err := parsePublicStep(change)
	if err == nil && r == c {
		err = keyFault(ErrDescriptor, "has a multipath step whose two branches are the same")
	}
	return step{r, c}, err
}

// parsePublicStep parses a step that can be derived from a public key.
func parsePublicStep(text string) (uint32, error) {
	n, ok := parseStep(text)
	if !ok {
		return 0, badPath()
	}
	if n >= hardened {
		return 0, keyFault(ErrDescriptor, "has a hardened step after it, which cannot be derived from a public key; such steps belong between the brackets before the key")
	}
	return n, nil
}
