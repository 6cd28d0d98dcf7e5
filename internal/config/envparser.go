package config

import (
	"errors"
	"fmt"
	"strings"
)

// envParser parses assignments in the format of systemd's EnvironmentFile: NAME=value, one
// per line, with comments that begin with # or ;. A value may be in single quotes, or in
// double quotes, in which a backslash escapes ", \, $ and `; quoted values may have several
// lines. Outside of quotes, a backslash escapes the next character, and continues the line
// at its end.
type envParser struct {
	rest string
	line int
}

// next returns the next assignment with the number of its line, or an empty name at the end.
func (p *envParser) next() (name, value string, line int, err error) {
	for p.rest != "" {
		p.take(len(p.rest) - len(strings.TrimLeft(p.rest, " \t\r\n")))
		if p.rest == "" {
			break
		}
		if p.rest[0] == '#' || p.rest[0] == ';' {
			p.take(len(firstLine(p.rest)))
			continue
		}
		line = p.line
		assignment := firstLine(p.rest)
		name, _, ok := strings.Cut(assignment, "=")
		if !ok {
			return "", "", line, fmt.Errorf("line %d: must have the format NAME=value", line)
		}
		p.take(len(name) + 1)
		name = strings.TrimSpace(name)
		if strings.HasPrefix(name, "export ") {
			return "", "", line, fmt.Errorf("line %d: remove the word export; this file is not a shell script", line)
		}
		if value, err = p.value(); err != nil {
			return "", "", line, fmt.Errorf("line %d: %s: %w", line, printable(name), err)
		}
		return printable(name), value, line, nil
	}
	return "", "", p.line, nil
}

// printable returns the name of a variable, or a placeholder for another text,
// which may be part of a secret.
func printable(name string) string {
	if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "(not a name)"
	}
	return name
}

func firstLine(content string) string {
	line, _, _ := strings.Cut(content, "\n")
	return line
}

// take removes n bytes.
func (p *envParser) take(n int) {
	p.line += strings.Count(p.rest[:n], "\n")
	p.rest = p.rest[n:]
}

// value parses a value up to the end of its line.
func (p *envParser) value() (string, error) {
	var b strings.Builder
	kept := 0 // the length without trailing unquoted spaces
	p.take(len(p.rest) - len(strings.TrimLeft(p.rest, " \t")))
	for p.rest != "" && p.rest[0] != '\n' {
		switch c := p.rest[0]; c {
		case '\'', '"':
			p.take(1)
			if err := p.quoted(&b, c); err != nil {
				return "", err
			}
			kept = b.Len()
		case '\\':
			p.take(1)
			if p.rest == "" {
				break
			}
			if p.rest[0] != '\n' {
				b.WriteByte(p.rest[0])
				kept = b.Len()
			}
			p.take(1)
		default:
			b.WriteByte(c)
			if c != ' ' && c != '\t' && c != '\r' {
				kept = b.Len()
			}
			p.take(1)
		}
	}
	return b.String()[:kept], nil
}

// quoted parses the rest of a quoted text, after the opening quote.
func (p *envParser) quoted(b *strings.Builder, quote byte) error {
	for p.rest != "" {
		c := p.rest[0]
		p.take(1)
		switch {
		case c == quote:
			return nil
		case c == '\\' && quote == '"' && p.rest != "" && strings.ContainsRune("\"\\$`\n", rune(p.rest[0])):
			if p.rest[0] != '\n' {
				b.WriteByte(p.rest[0])
			}
			p.take(1)
		default:
			b.WriteByte(c)
		}
	}
	return errors.New("the closing quote is missing")
}
