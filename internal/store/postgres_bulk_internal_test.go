package store

import (
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/store/db"
)

// TestPlainInserts checks that the most frequent statements of the indexer are recognized
// as inserts that can be copied, and that other statements are not.
func TestPlainInserts(t *testing.T) {
	for query, columns := range map[string]string{
		db.AddOutput: "wallet_id txid vout time address amount_sat branch address_index spent_by",
		db.AddInput:  "wallet_id txid prev_txid prev_vout amount_sat",
		db.AddTransaction: "wallet_id txid time status block_height block_hash block_time category flow_sat fee_sat " +
			"vsize replaceable trusted address branch address_index conflicts received_at raw",
		db.PutLabel: "", db.AddAddresses: "", db.AddUnspentOf: "", db.SetSpentBy: "", db.DeleteOutputs: "", db.PutSettingOnce: "",
		"-- name: X :exec\nINSERT INTO x (a, b) VALUES ($2, $1)":                 "",
		"-- name: X :exec\nINSERT INTO x (a, b) VALUES ($1, 2)":                  "",
		"-- name: X :exec\nINSERT INTO x (a) VALUES ($1) ON CONFLICT DO NOTHING": "",
		"-- name: X :one\nINSERT INTO x (a) VALUES ($1) RETURNING a":             "",
	} {
		t.Run(query, func(t *testing.T) {
			into := plainInsertOf(query)
			switch {
			case columns == "" && into != nil:
				t.Errorf("%s is copied into %s", queryName(query), into.table)
			case columns != "" && (into == nil || !slices.Equal(into.columns, strings.Fields(columns))):
				t.Errorf("%s: got %+v", queryName(query), into)
			}
		})
	}
}

func TestArrayArguments(t *testing.T) {
	got := withArrays(db.States)
	if want := "txid = ANY (ARRAY(SELECT value FROM json_each(CAST($2 AS TEXT))))"; !strings.Contains(got, want) || strings.Contains(got, " IN ") {
		t.Errorf("got %s", got)
	}
	if withArrays(db.AddAddresses) != db.AddAddresses {
		t.Error("a statement without a list condition was changed")
	}
}
