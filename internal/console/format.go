package console

import (
	"html/template"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
)

// functions returns the functions of the templates, in the language and the unit of l.
func (l *look) functions(a *assets) template.FuncMap {
	return template.FuncMap{
		"t": l.T, "tn": l.N, "asSentence": asSentence, "icon": icon, "asset": a.path,
		"amount": l.amount, "amountText": l.amountText, "flow": l.flow, "btc": func(n btc.Amount) template.HTML { return dataOf(n, btcText(n), "BTC", "") },
		"sat": func(n btc.Amount) template.HTML { return dataOf(n, satText(n), "sat", "") },
		"id":  shortID, "groups": groups, "day": l.day, "minute": l.minute, "number": number, "proposalBadge": l.proposalBadge, "badge": l.badge,
		"walletPath": walletPath, "join": strings.Join, "roleName": l.roleName, "percent": func(part float64) int { return int(part * 100) },
		"quotaName": l.quotaName, "policyInput": l.policyInput, "policyGroup": l.policyGroup, "userPath": userPath, "second": l.second, "deliveryBadge": l.deliveryBadge, "skipReason": l.skipReason,
	}
}

// number returns an integer of any type in groups of three digits.
func number(n any) string {
	v := reflect.ValueOf(n)
	if v.CanUint() {
		return group(int64(v.Uint())) //nolint:gosec // counts and heights are far below the maximum
	}
	return group(v.Int())
}

// group returns a number in groups of three digits.
func group(n int64) string {
	digits := strconv.FormatInt(n, 10)
	negative := strings.HasPrefix(digits, "-")
	digits = strings.TrimPrefix(digits, "-")
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteRune(narrowSpace)
		}
		b.WriteRune(d)
	}
	if negative {
		return minus + b.String()
	}
	return b.String()
}

const (
	narrowSpace  = '\u202f'
	noBreakSpace = "\u00a0"
	minus        = "\u2212"
)

func satText(n btc.Amount) string { return group(int64(n)) }

func btcText(n btc.Amount) string { return strings.Replace(n.Fixed(), "-", minus, 1) }

// amount returns an amount in the chosen unit, with the unit.
func (l *look) amount(n btc.Amount) template.HTML {
	text, unit := l.inUnit(n)
	return dataOf(n, text, unit, "")
}

// amountText returns an amount in the chosen unit, with the unit, as a part of a sentence.
func (l *look) amountText(n btc.Amount) string {
	text, unit := l.inUnit(n)
	return text + noBreakSpace + unit
}

// inUnit returns an amount in the chosen unit, and the unit.
func (l *look) inUnit(n btc.Amount) (text, unit string) {
	if l.unit == "btc" {
		return btcText(n), "BTC"
	}
	return satText(n), "sat"
}

// inputText returns an amount in a unit as people enter it.
func inputText(n btc.Amount, unit string) string {
	if unit == "btc" {
		return n.String()
	}
	return strconv.FormatInt(int64(n), 10)
}

// flow returns an amount that was received or sent, with its sign.
func (l *look) flow(n btc.Amount) template.HTML {
	text, unit := l.inUnit(n)
	switch {
	case n > 0:
		return dataOf(n, "+"+text, unit, "in")
	case n == 0:
		return dataOf(n, text, unit, "muted")
	}
	return dataOf(n, text, unit, "")
}

func dataOf(n btc.Amount, text, unit, class string) template.HTML {
	if class != "" {
		class = ` class="` + class + `"`
	}
	return template.HTML(`<data value="` + strconv.FormatInt(int64(n), 10) + `"` + class + `>` + text + noBreakSpace + `<small>` + unit + `</small></data>`) //nolint:gosec // digits and constants
}

// idTail is the number of characters at the end of an identifier that are always shown.
const idTail = 8

// shortID returns a long identifier, such as a txid, which the style sheet shortens. A search in
// the page, and copying, find all of it. It is for finding, and never for comparing.
func shortID(text string) template.HTML {
	head, tail := "", text
	if len(text) > idTail {
		head, tail = text[:len(text)-idTail], text[len(text)-idTail:]
	}
	e := template.HTMLEscapeString
	return template.HTML(`<code class="id" title="` + e(text) + `"><span>` + e(head) + `</span><span>` + e(tail) + `</span></code>`) //nolint:gosec // escaped
}

// groups returns an address in groups of four characters, for comparing it with a device.
func groups(text string) template.HTML {
	var b strings.Builder
	b.WriteString(`<code class="addr" translate="no">`)
	for ; len(text) > 4; text = text[4:] {
		b.WriteString("<span>" + template.HTMLEscapeString(text[:4]) + "</span>")
	}
	b.WriteString("<span>" + template.HTMLEscapeString(text) + "</span></code>")
	return template.HTML(b.String()) //nolint:gosec // escaped
}

// day returns the date of a time in UTC, and minute also its time.
func (l *look) day(at time.Time) template.HTML { return l.timeOf(at, l.T("2 Jan 2006")) }

func (l *look) minute(at time.Time) template.HTML { return l.timeOf(at, l.T("2 Jan 2006 15:04 UTC")) }

func (l *look) second(at time.Time) template.HTML {
	return l.timeOf(at, l.T("2 Jan 2006 15:04:05 UTC"))
}

func (l *look) timeOf(at time.Time, layout string) template.HTML {
	if at.IsZero() {
		return ""
	}
	at = at.UTC()
	text := template.HTMLEscapeString(l.dateText(at, layout))
	if date, clock, ok := strings.Cut(text, at.Format(" 15:")); ok { // a line may break between them only
		text = "<span>" + date + "</span> <span>" + at.Format("15:") + clock + "</span>"
	}
	return template.HTML(`<time datetime="` + at.Format(time.RFC3339) + `">` + text + `</time>`) //nolint:gosec // escaped
}

// dateText returns a time in a layout, with the month in the language of l.
func (l *look) dateText(at time.Time, layout string) string {
	month := at.Format("Jan")
	return strings.Replace(at.Format(layout), month, l.T(month), 1)
}

// badge returns a state as an icon and a word. Kind is ok, warn, bad, info, or empty for a
// final state.
func (l *look) badge(kind, iconName, text string) template.HTML {
	if kind != "" {
		kind = " " + kind
	}
	return template.HTML(`<span class="badge` + kind + `">` + string(icon(iconName)) + template.HTMLEscapeString(l.T(text)) + `</span>`) //nolint:gosec // escaped
}

var proposalBadges = map[proposal.Status][3]string{
	proposal.AwaitingApproval: {"warn", "clock", "Awaiting approval"},
	proposal.Created:          {"warn", "miss", "Signatures missing"},
	proposal.PartiallySigned:  {"warn", "clock", "Partially signed"},
	proposal.Complete:         {"info", "check", "Ready to broadcast"},
	proposal.Broadcast:        {"warn", "clock", "Broadcast, unconfirmed"},
	proposal.Confirmed:        {"ok", "check", "Confirmed"},
	proposal.Cancelled:        {"", "stop", "Cancelled"},
	proposal.Expired:          {"", "stop", "Expired"},
	proposal.Rejected:         {"bad", "x", "Rejected"},
	proposal.Conflicted:       {"bad", "x", "Conflicted"},
	proposal.Replaced:         {"", "swap", "Replaced"},
}

func (l *look) proposalBadge(s proposal.Status) template.HTML {
	b := proposalBadges[s]
	return l.badge(b[0], b[1], b[2])
}

func (l *look) roleName(role string) string { return l.T(role) }

// iconPaths are the paths of the icons in a square of 24 units.
var iconPaths = map[string]string{
	"cam":    `<path d="M3 8h4l2-3h6l2 3h4v11H3z"/><circle cx="12" cy="13" r="3.5"/>`,
	"check":  `<path d="m4 12 5 5L20 6"/>`,
	"clock":  `<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>`,
	"copy":   `<rect x="8" y="8" width="12" height="12" rx="2"/><path d="M16 8V4H4v12h4"/>`,
	"dl":     `<path d="M12 4v11M7 11l5 5 5-5M4 20h16"/>`,
	"home":   `<path d="M4 11 12 4l8 7v9H4z"/>`,
	"hook":   `<path d="M8 4v9a4 4 0 0 0 8 0v-2M16 11l-2 2M16 11l2 2"/>`,
	"info":   `<circle cx="12" cy="12" r="9"/><path d="M12 11v6M12 7v.01"/>`,
	"key":    `<circle cx="8" cy="15" r="4"/><path d="m11 12 9-9M17 6l3 3"/>`,
	"list":   `<path d="M4 6h16M4 12h16M4 18h10"/>`,
	"lock":   `<rect x="5" y="11" width="14" height="9" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>`,
	"menu":   `<path d="M3 6h18M3 12h18M3 18h18"/>`,
	"miss":   `<circle cx="12" cy="12" r="9" stroke-dasharray="3 3"/>`,
	"node":   `<circle cx="12" cy="12" r="3"/><circle cx="5" cy="5" r="2"/><circle cx="19" cy="5" r="2"/><circle cx="12" cy="20" r="2"/><path d="m7 7 3 3M17 7l-3 3M12 15v3"/>`,
	"plus":   `<path d="M12 5v14M5 12h14"/>`,
	"send":   `<path d="M4 12h15M13 6l6 6-6 6"/>`,
	"snow":   `<path d="M12 3v18M4 7.5l16 9M20 7.5l-16 9"/>`,
	"stop":   `<circle cx="12" cy="12" r="9"/><path d="M6 18 18 6"/>`,
	"swap":   `<path d="M4 8h13l-3-3M20 16H7l3 3"/>`,
	"user":   `<circle cx="12" cy="8" r="4"/><path d="M4 21c0-8 16-8 16 0"/>`,
	"users":  `<circle cx="9" cy="8" r="4"/><path d="M2 21c0-5 14-5 14 0M17 5a4 4 0 0 1 0 7M22 20c0-2-1-3-3-4"/>`,
	"wallet": `<rect x="3" y="6" width="18" height="14" rx="2"/><path d="M3 10h18M16 15h1"/>`,
	"warn":   `<path d="M12 3 2 20h20zM12 10v4M12 17v.01"/>`,
	"x":      `<path d="M5 5l14 14M19 5 5 19"/>`,
}

// icon returns an icon, which accompanies a word.
func icon(name string) template.HTML {
	path, ok := iconPaths[name]
	if !ok {
		panic("no icon " + name) // a mistake in a template, which the tests would find
	}
	return template.HTML(`<svg class="i" viewBox="0 0 24 24" aria-hidden="true">` + path + `</svg>`) //nolint:gosec // constants
}
