package walletfile

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

func trim(text string) string {
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "\ufeff"))
}

// readText detects the format of a text that is not JSON and reads it.
func (d *draft) readText(text string) {
	lines := contentLines(text)
	switch {
	case strings.HasPrefix(text, "BSMS"):
		d.readBSMS(text)
	case isQRText(text):
		d.err = fault.InvalidAs(ErrUnknownFormat.Code, field, "is the text of a QR code; give it in parts, together with the other parts if there are several")
	case isColdcardText(lines):
		d.readColdcardText(text)
	case strings.Contains(text, "("):
		d.format = Descriptor
		d.readDescriptors(lines)
	case len(lines) == 1 && strings.Contains(text, "pub"):
		d.format = Key
		d.readKey(lines[0], "")
	default:
		d.err = ErrUnknownFormat
	}
}

// contentLines returns the lines of a text without empty lines and comments.
func contentLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

var (
	descriptorLabel = regexp.MustCompile(`(?i)^(output descriptor|descriptor|receive|change|external|internal)\s*:\s*`)
	diyCommand      = regexp.MustCompile(`^addwallet ([^&]*)&`) // of Specter DIY
)

func (d *draft) readDescriptors(lines []string) {
	var all []described
	for _, line := range lines {
		if m := diyCommand.FindStringSubmatch(line); m != nil {
			d.name, line = strings.TrimSpace(m[1]), line[len(m[0]):]
		}
		line = descriptorLabel.ReplaceAllString(line, "")
		if line = d.normalize(line); line != "" {
			all = append(all, described{text: line})
		}
	}
	d.group(all)
}

var (
	oldBranches = strings.NewReplacer("/{0,1}/*", "/<0;1>/*", "/**", "/<0;1>/*", "’", "'")
	hardened    = regexp.MustCompile(`(/\d+)H`) // in a path; a key may end in H
	noPath      = regexp.MustCompile(`(pub[1-9A-HJ-NP-Za-km-z]{70,})([,)])`)
)

// normalize returns a descriptor with notations of other programs in the form of BIP-389.
// Keys without a path are given both branches, with a warning. A checksum is verified
// first, and removed if it is for another form of the text.
func (d *draft) normalize(text string) string {
	body, sum, has := strings.Cut(strings.TrimSpace(text), "#")
	body = strings.TrimSpace(body)
	if has {
		if want, ok := btc.Checksum(body); !ok || want != strings.TrimSpace(sum) {
			d.problem("has a descriptor that does not match its checksum: it was mistyped, or changed after the checksum was computed")
			return ""
		}
	}
	form := hardened.ReplaceAllString(oldBranches.Replace(body), "${1}h")
	if !strings.Contains(form, "/*") && noPath.MatchString(form) {
		form = noPath.ReplaceAllString(form, "$1/<0;1>/*$2")
		d.warn("branches_assumed", "the keys have no path after them; /0/* was assumed for receiving and /1/* for change")
	}
	return form
}

// described is a descriptor and what its file says about it.
type described struct {
	text     string
	internal bool // for change, if the file states it
	stated   bool // whether the file states internal
}

var lastBranch = regexp.MustCompile(`/\d+/\*`)

// group combines the descriptors of a file into wallets: a multipath descriptor, two for
// receiving and change that differ only in the branch, or one for receiving. Repetitions of
// a wallet, such as both notations of it, count once.
func (d *draft) group(all []described) {
	if d.joinTwo(all) {
		return
	}
	var order []string
	pairs := map[string]*pair{}
	for _, e := range all {
		shape := shapeOf(e.text)
		if pairs[shape] == nil {
			pairs[shape] = &pair{}
			order = append(order, shape)
		}
		pairs[shape].add(e)
	}
	for _, shape := range order {
		p := pairs[shape]
		if p.receive == "" {
			d.problem("has a descriptor for change addresses, but none for receive addresses")
			continue
		}
		if p.change == "" && !p.isMultipath() && strings.Contains(p.receive, "/0/*") {
			d.warn("change_implied", "the file has no descriptor for change addresses; /1/* was assumed, because the receive addresses end in /0/*")
		}
		d.accounts = append(d.accounts, account{script: scriptOfText(p.receive), receive: p.receive, change: p.change})
	}
}

// pair are the descriptors of one wallet; change is empty if receive is multipath.
type pair struct{ receive, change string }

func (p *pair) isMultipath() bool { return strings.Contains(p.receive, "<") }

func (p *pair) add(e described) {
	isChange := strings.Contains(e.text, "/1/*")
	if e.stated {
		isChange = e.internal
	}
	switch {
	case p.isMultipath():
	case strings.Contains(e.text, "<"):
		p.receive, p.change = e.text, ""
	case isChange:
		p.change = e.text
	case p.receive == "":
		p.receive = e.text
	case p.change == "" && p.receive != e.text:
		p.change = e.text
	}
}

// shapeOf returns a descriptor without the number of its branch.
func shapeOf(text string) string {
	return lastBranch.ReplaceAllString(strings.ReplaceAll(text, "/<0;1>/*", "/0/*"), "/?/*")
}

// joinTwo combines two descriptors that differ in more than the branch, so that the error
// is about the difference. It returns false for other descriptors.
func (d *draft) joinTwo(all []described) bool {
	if len(all) != 2 || strings.Contains(all[0].text+all[1].text, "<") || shapeOf(all[0].text) == shapeOf(all[1].text) {
		return false
	}
	script := scriptOfText(all[0].text)
	if script != scriptOfText(all[1].text) {
		return false
	}
	d.accounts = append(d.accounts, account{script: script, receive: all[0].text, change: all[1].text})
	return true
}

// scriptOfText returns the script type of a descriptor; empty if it is not supported.
func scriptOfText(text string) btc.Script {
	for _, s := range []struct {
		prefix string
		script btc.Script
	}{
		{"pkh(", btc.PKH}, {"wpkh(", btc.WPKH}, {"sh(wpkh(", btc.ShWPKH}, {"tr(", btc.TR}, {"sh(wsh(", btc.ShWSh}, {"wsh(", btc.WSh}, {"sh(", btc.Sh},
	} {
		if strings.HasPrefix(text, s.prefix) {
			return s.script
		}
	}
	return ""
}

// readAccountMap reads the account map of Specter Desktop.
func (d *draft) readAccountMap(o object) {
	d.name, d.height = o.text("label"), o.number("blockheight", -1)
	d.readDescriptors([]string{o.text("descriptor")})
	d.nameAll(o.labels("devices"))
}

// nameAll names the keys of all accounts.
func (d *draft) nameAll(names []string) {
	for i := range d.accounts {
		d.accounts[i].names = names
	}
}

// labels returns the names of devices in a list of texts, or of objects with a label.
func (o object) labels(name string) []string {
	list, _ := o[name].([]any)
	names := make([]string, len(list))
	for i, v := range list {
		switch v := v.(type) {
		case string:
			names[i] = v
		case map[string]any:
			names[i] = object(v).text("label")
		}
	}
	return names
}

var policyKey = regexp.MustCompile(`@(\d+)`)

// readPolicy reads a wallet policy (BIP-388).
func (d *draft) readPolicy(o object) {
	d.name = o.text("name")
	var keys []any
	for _, name := range []string{"keys_info", "keys"} {
		if list, ok := o[name].([]any); ok {
			keys = list
		}
	}
	used := map[int]bool{}
	text := policyKey.ReplaceAllStringFunc(o.text("descriptor_template"), func(placeholder string) string {
		n, err := strconv.Atoi(placeholder[1:])
		if err != nil || n >= len(keys) {
			d.problem("has a placeholder for a key that keys_info does not have")
			return ""
		}
		used[n] = true
		key, _ := keys[n].(string)
		return key
	})
	if len(used) < len(keys) {
		d.problem("has a key in keys_info that descriptor_template does not use")
	}
	if len(d.problems) == 0 {
		d.readDescriptors([]string{text})
	}
}

// readBSMS reads a descriptor record of BSMS 1.0 (BIP-129): four lines with the version, the
// descriptor template, the path restrictions and the first address. A signer's key record
// has a token and a key instead.
func (d *draft) readBSMS(text string) {
	d.format = BSMS
	lines := make([]string, 0, 5)
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	switch {
	case lines[0] != "BSMS 1.0":
		d.problem("has a version of BSMS that is not supported; supported is BSMS 1.0")
		return
	case len(lines) > 2 && !strings.Contains(lines[1], "(") && strings.HasPrefix(lines[2], "["):
		d.readKey(lines[2], "")
		return
	case len(lines) != 4:
		d.problem("must have four lines: BSMS 1.0, the descriptor, the path restrictions and the first address")
		return
	}
	d.readDescriptors(lines[1:2])
	d.restrict(lines[2])
	for i := range d.accounts {
		d.accounts[i].first = lines[3]
	}
	if lines[3] == "" {
		d.problem("has no first address")
	}
}

var restriction = regexp.MustCompile(`^/(\d+)/\*,\s*/(\d+)/\*$`)

// restrict applies the path restrictions of BSMS to the wallet.
func (d *draft) restrict(paths string) {
	m := restriction.FindStringSubmatch(paths)
	switch {
	case paths == "No path restrictions":
	case m == nil:
		d.problem("has path restrictions that are not supported; supported are two branches, as in /0/*,/1/*, and No path restrictions")
	default:
		for i, a := range d.accounts {
			d.accounts[i].receive = strings.ReplaceAll(a.receive, "/<0;1>/*", "/<"+m[1]+";"+m[2]+">/*")
		}
	}
}
