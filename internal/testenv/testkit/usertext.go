package testkit

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// userTexts selects the texts in specterd's database that users entered and that
// must not be logged. The names of users may be logged.
const userTexts = `
SELECT name FROM wallets UNION SELECT receive_descriptor FROM wallets UNION SELECT change_descriptor FROM wallets
UNION SELECT core_name FROM wallets WHERE core_name NOT LIKE 'specterd-%'
UNION SELECT xpub FROM wallet_keys UNION SELECT alias FROM members
UNION SELECT alias FROM devices UNION SELECT name FROM devices
UNION SELECT label FROM labels UNION SELECT description FROM tokens`

// shortestUserText is the minimum length in bytes of a text that is searched for.
// Shorter texts may occur in the log by chance.
const shortestUserText = 4

// CheckLog fails the test if a JSON log contains a text that users entered, in an
// attribute at level info or above. Tests call it after their server has stopped.
// It ignores messages, which are constant, and attributes that cannot contain such
// a text or are allowed to, such as the user's name and the request id, which
// clients may choose. It returns an error if the database cannot be read.
func CheckLog(ctx context.Context, t testing.TB, db *sql.DB, log string) error {
	t.Helper()
	rows, err := db.QueryContext(ctx, userTexts)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	logged := attributes(t, log)
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if line := find(logged, text); line != "" {
			t.Errorf("the log has the user's text %q: %s", text, line)
		}
	}
	return rows.Err()
}

var exempt = map[string]bool{
	"time": true, "level": true, "msg": true, "stack": true, "method": true, "route": true, "request_id": true, "user": true,
	"address": true, "url": true, "version": true, "path": true,
}

// attributes returns the attributes of a log at level info or above, one per line.
func attributes(t testing.TB, log string) string {
	t.Helper()
	var all strings.Builder
	for line := range strings.Lines(log) {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) != nil || record["level"] == "DEBUG" {
			continue
		}
		for key, value := range record {
			if text, ok := value.(string); ok && !exempt[key] {
				all.WriteString("\n" + key + "=" + text)
			}
		}
	}
	return all.String() + "\n"
}

// find returns the attribute that contains a text as a whole word, or "" if there
// is none.
func find(logged, text string) string {
	if len(text) < shortestUserText {
		return ""
	}
	for from := 0; ; {
		i := strings.Index(logged[from:], text)
		if i < 0 {
			return ""
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(logged[:i])
		after, _ := utf8.DecodeRuneInString(logged[i+len(text):])
		if !isWord(before) && !isWord(after) {
			start := strings.LastIndexByte(logged[:i], '\n')
			line, _, _ := strings.Cut(logged[start+1:], "\n")
			return line
		}
		from = i + len(text)
	}
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
