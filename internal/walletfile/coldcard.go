package walletfile

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/btc"
)

var (
	coldcardField = regexp.MustCompile(`(?i)^(name|policy|format|derivation)\s*:`)
	coldcardKey   = regexp.MustCompile(`^([0-9A-Fa-f]{8})\s*:\s*(\S+)$`)
	coldcardOf    = regexp.MustCompile(`^(\d+)\s*(?:of|/)\s*(\d+)$`)
)

// isColdcardText reports whether a text looks like Coldcard's multisig file.
func isColdcardText(lines []string) bool {
	for _, line := range lines {
		if coldcardField.MatchString(line) || coldcardKey.MatchString(line) {
			return true
		}
	}
	return false
}

// formats are the script types by their names in multisig files of Coldcard, Caravan and
// Sparrow.
var formats = map[string]btc.Script{
	"P2SH": btc.Sh, "P2WSH": btc.WSh, "P2SH-P2WSH": btc.ShWSh, "P2WSH-P2SH": btc.ShWSh,
	"P2PKH": btc.PKH, "P2WPKH": btc.WPKH, "P2SH-P2WPKH": btc.ShWPKH, "P2TR": btc.TR,
}

// formatOf returns the script type with this name; empty if it is unknown.
func formatOf(name string) btc.Script {
	return formats[strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(name)), "_", "-")]
}

// readColdcardText reads Coldcard's multisig file, which Nunchuk, Keystone, Passport, Jade,
// SeedSigner and others read and write as well. A derivation applies to the keys after it.
func (d *draft) readColdcardText(text string) {
	d.format = ColdcardMultisig
	if strings.Contains(text, "Nunchuk") {
		d.format = Nunchuk
	}
	c := coldcardText{draft: d, account: account{script: btc.Sh}, total: -1} // Sh is the default of Coldcard
	for line := range strings.Lines(text) {
		c.line++
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			c.read(line)
		}
	}
	if c.total < 0 && len(d.problems) == 0 {
		d.problem("has no policy; add a line such as Policy: 2 of %d", max(len(c.keys), 2))
	}
	if c.total >= 0 && c.total != len(c.keys) {
		d.problem("has %d keys, but its policy has %d", len(c.keys), c.total)
	}
	d.accounts = append(d.accounts, c.account)
}

// coldcardText is the state of reading Coldcard's multisig file.
type coldcardText struct {
	*draft
	account

	line       int
	total      int    // number of keys in the policy; -1 before it
	derivation string // of the following keys
}

func (c *coldcardText) read(line string) {
	if key := coldcardKey.FindStringSubmatch(line); key != nil {
		c.keys = append(c.keys, withOrigin(key[1], c.derivation, key[2]))
		return
	}
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "name":
		c.name = value
	case "derivation":
		c.derivation = value
	case "format":
		if c.script = formatOf(value); !c.script.IsMultisig() {
			c.problem("line %d has an unknown format; supported are P2SH, P2SH-P2WSH and P2WSH", c.line)
		}
	case "policy":
		if c.required, c.total = quorum(value); c.total < 0 {
			c.problem("line %d must be the policy, as in 2 of 3", c.line)
		}
	default:
		c.problem("line %d is neither a key nor one of Name, Policy, Format and Derivation", c.line)
	}
}

// quorum parses a policy such as 2 of 3; total is -1 if it is malformed.
func quorum(text string) (required, total int) {
	m := coldcardOf.FindStringSubmatch(strings.ToLower(text))
	if m == nil {
		return 0, -1
	}
	required, err := strconv.Atoi(m[1])
	total, err2 := strconv.Atoi(m[2])
	if err != nil || err2 != nil {
		return 0, -1
	}
	return required, total
}
