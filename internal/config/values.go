package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/egress"
)

func (r *reader) number(name string, least, most int) int {
	n, err := strconv.Atoi(r.values[name])
	if err != nil || n < least || n > most {
		r.fail(name, "must be a number between %d and %d", least, most)
	}
	return n
}

func (r *reader) retention() time.Duration {
	if text := r.values["audit-retention"]; text == "" || text == "off" {
		return 0
	}
	return time.Duration(r.number("audit-retention", 30, 36500)) * 24 * time.Hour
}

func (r *reader) quotas() auth.Limits {
	limits, err := auth.ParseLimits(r.values["quotas"])
	if err != nil {
		r.fail("quotas", "%s", strings.TrimPrefix(err.Error(), "quotas: "))
	}
	return limits
}

func (r *reader) feeRate(name string) btc.FeeRate {
	rate, err := btc.ParseFeeRate(r.values[name])
	if err != nil {
		r.fail(name, "must be a number of sat/vB above 0 and up to %s, with at most three decimals", btc.MaxFeeRate)
	}
	return rate
}

// interval parses an interval between 1 minute and 366 days. It returns 0 if the
// setting is off.
func (r *reader) interval(name string) time.Duration {
	text := r.values[name]
	if text == "" || text == "0" || text == "off" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute || d > 366*24*time.Hour {
		r.fail(name, "must be between 1m and 8784h, such as 24h or 30m, or off")
	}
	return d
}

// lifetime parses a lifetime between least and 100 years. It returns 0 if the setting
// is empty.
func (r *reader) lifetime(name, least string) time.Duration {
	text := r.values[name]
	if text == "" {
		return 0
	}
	shortest, _ := auth.ParseLifetime(least) // a valid constant
	d, err := auth.ParseLifetime(text)
	if err != nil || d < shortest {
		r.fail(name, `must be between %s and 100 years, such as "90 days" or "1 year"`, least)
	}
	return d
}

// truth parses a boolean; an empty value is false. Unlike Specter Desktop, which
// enables the API if SPECTER_API_ACTIVE is 0, it also treats 0, no and off as false,
// and rejects unknown words.
func (r *reader) truth(name string) bool {
	switch strings.ToLower(r.values[name]) {
	case "true", "1", "yes", "on":
		return true
	case "", "false", "0", "no", "off":
	default:
		r.fail(name, "must be true, 1, yes, on or false, 0, no, off")
	}
	return false
}

func (r *reader) hostPort(name string) string {
	text := r.values[name]
	if text == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(text)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || strconv.FormatUint(n, 10) != port {
		r.fail(name, "must have the format host:port, such as 127.0.0.1:9332, with a port between 0 and 65535")
	}
	return text
}

// proxy parses the host:port of a server to connect to.
func (r *reader) proxy(name string) string {
	text := r.values[name]
	if text == "" {
		return ""
	}
	host, err := egress.ParseHost(text)
	if err != nil || host.Port == 0 {
		r.fail(name, "must have the format host:port, such as 127.0.0.1:9050, with a port between 1 and 65535")
	}
	return text
}

func (r *reader) hosts(name string) []egress.Host {
	var hosts []egress.Host
	for _, text := range list(r.values[name]) {
		host, err := egress.ParseHost(text)
		if err != nil {
			r.fail(name, "has an invalid entry: %v; each must be a host name or an IP address, with or without a port, such as receiver.lan, 127.0.0.1:8080 or [::1]:8080", err)
			return nil
		}
		hosts = append(hosts, host)
	}
	return hosts
}

// httpOrigin returns an origin: http or https, a host and a port, without a path.
func (r *reader) httpOrigin(name string) string {
	text := strings.TrimSuffix(r.values[name], "/")
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || text != u.Scheme+"://"+u.Host {
		r.fail(name, "must be an origin such as https://specter.example.org, without a path")
	}
	return text
}

func (r *reader) oneOf(name string, words ...string) string {
	last := len(words) - 1
	if !slices.Contains(words, r.values[name]) {
		r.fail(name, "must be %s or %s", strings.Join(words[:last], ", "), words[last])
	}
	return r.values[name]
}

func (r *reader) level(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.values[name])); err != nil {
		r.fail(name, "must be debug, info, warn or error")
	}
	return level
}

func (r *reader) networks(name string) []netip.Prefix {
	var networks []netip.Prefix
	for _, text := range list(r.values[name]) {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			ip, err := netip.ParseAddr(text)
			if err != nil {
				r.fail(name, "has an invalid entry; each must be an address or a network, such as 10.0.0.1 or 10.0.0.0/8")
				return nil
			}
			network = netip.PrefixFrom(ip, ip.BitLen())
		}
		networks = append(networks, network.Masked())
	}
	return networks
}

// fail records an error that names the setting's variable and flag. It does nothing
// if an error was recorded before.
func (r *reader) fail(name, format string, args ...any) {
	if r.err != nil {
		return
	}
	for _, s := range settings {
		if s.name != name {
			continue
		}
		known := s.env
		if s.flag {
			known += " (or --" + s.name + ")"
		}
		r.err = fmt.Errorf("%s %s%s", known, fmt.Sprintf(format, args...), r.origin(s))
	}
}

func list(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// absolute resolves a leading ~ and makes the path absolute.
func absolute(path, home string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		path = filepath.Join(home, path[1:])
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
