package store_test

import (
	"regexp"
	"strings"
	"testing"
)

// scans are the queries that may read whole tables or indexes, and why this is acceptable. All
// others look up what they need, so that they do not become slower with the database.
var scans = map[string]string{
	"ActiveAdmins":           "an index of admins",
	"Admins":                 "an index of admins",
	"CountOtherActiveAdmins": "an index of admins",
	"CountDefaultPasswords":  "an index of default passwords",
	"HasUsers":               "stops at the first",
	"ListTokens":             "an index from which one page is read",

	"NextExpiry":          "an index of open proposals, of which the first is read",
	"TryReleases":         "an index of open proposals",
	"ShowPolicyChange":    "an index of open proposals, after a change of a policy",
	"DuePolicyChanges":    "changes of policies that are pending",
	"NextPolicyChange":    "changes of policies that are pending",
	"ServerChanges":       "changes of policies that are pending",
	"PromoteDeliveries":   "an index of pending deliveries",
	"WebhookStats":        "an index of pending deliveries",
	"ProposalStats":       "all proposals, for the metrics",
	"WalletStats":         "one row for each wallet, for the metrics",
	"UnproposedCount":     "one look-up for each wallet, for the metrics",
	"LastEventBefore":     "the newest events, when a webhook is created",
	"AllWallets":          "its purpose",
	"WalletsToBackUp":     "its purpose",
	"AllWebhooks":         "its purpose",
	"ActiveWebhooks":      "its purpose",
	"DisableAllWebhooks":  "its purpose, after a restore",
	"SigningKeys":         "a few keys",
	"CurrentSigningKey":   "a few keys",
	"DropAllSigningKeys":  "a few keys, after a restore",
	"TouchSettings":       "a few settings",
	"WalletsWithDevice":   "one look-up for each wallet, when a device is renamed",
	"DropInvitations":     "after a restore",
	"CountTokensOfKey":    "before a key is dropped",
	"DeleteTokensOfKey":   "when a key is revoked",
	"TokensEndingWithKey": "when a key is revoked",

	"DeleteEndedSessions":        "each hour",
	"DeleteSecretsRetiredBefore": "secrets of webhooks",
	"SkipPendingDeliveries":      "an index of pending deliveries, after a restore",
	"WebhooksWithoutAccess":      "one look-up for each webhook",
	"SessionsOfUser":             "an index of the user's sessions",
}

// TestQueries_Scans checks that queries look up rows by an index. A plan of SQLite has SCAN for
// each table or index that is read from one end to the other; the exceptions are in scans.
func TestQueries_Scans(t *testing.T) {
	b := openSQLite(t)
	tables := map[string]bool{}
	for name := range strings.FieldsSeq(b.rows("SELECT name FROM sqlite_master WHERE type = 'table'")) {
		tables[name] = true
	}
	parameter := regexp.MustCompile(`\$\d+`)
	alias := regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE)\s+(\w+)(?:\s+AS\s+(\w+))?|,\s*(\w+)\s+AS\s+(\w+)`)
	scan := regexp.MustCompile(`SCAN (\w+)`)
	seen := map[string]bool{}
	for name, query := range generatedQueries(t) {
		named := map[string]bool{} // tables of the query, by the names in its plan
		for _, m := range alias.FindAllStringSubmatch(query, -1) {
			table, as := m[1]+m[3], m[2]+m[4]
			if as == "" {
				as = table
			}
			named[as] = named[as] || tables[table]
		}
		parameters := map[string]bool{}
		for _, p := range parameter.FindAllString(query, -1) {
			parameters[p] = true
		}
		for _, s := range scan.FindAllStringSubmatch(b.plan(query, make([]any, len(parameters))...), -1) {
			if !named[s[1]] {
				continue // a subquery, a recursive table or a list
			}
			seen[name] = true
			if scans[name] == "" {
				t.Errorf("%s reads all of %s; add an index, or a reason to the exceptions", name, s[1])
			}
		}
	}
	for name := range scans {
		if !seen[name] {
			t.Errorf("%s does not read a whole table; remove it from the exceptions", name)
		}
	}
}
