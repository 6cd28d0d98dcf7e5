package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// The kinds of rows that the comparison program reads: one per transaction with its
// raw bytes, or one per output.
const (
	rawRows    = "raw"
	outputRows = "outputs"
)

const bareColumns = `SELECT t.txid, t.time, t.status, t.block_height, t.block_hash, t.block_time, t.conflicts, t.replaceable,
  t.category, t.flow_sat, t.fee_sat, t.vsize, t.address, t.branch, t.address_index, coalesce(a.label, '')`

const bareTables = ` FROM transactions AS t
LEFT JOIN labels AS a ON a.wallet_id = t.wallet_id AND a.type = 'addr' AND a.ref = t.address`

const bareOrder = ` WHERE t.wallet_id = $1 AND t.status NOT IN ('replaced', 'conflicted', 'abandoned') ORDER BY t.time DESC, t.txid DESC`

// bareQueries are the queries by kind of rows. CROSS JOIN prevents SQLite from
// scanning the outputs first.
var bareQueries = map[string]string{
	rawRows: bareColumns + `, t.raw` + bareTables + bareOrder,
	outputRows: bareColumns + `, coalesce(l.label, ''), o.vout, o.address, o.amount_sat, o.branch, o.address_index, coalesce(b.label, c.label, '')` + bareTables + `
LEFT JOIN labels AS l ON l.wallet_id = t.wallet_id AND l.type = 'tx' AND l.ref = t.txid
CROSS JOIN outputs AS o ON o.wallet_id = t.wallet_id AND o.txid = t.txid
LEFT JOIN labels AS b ON b.wallet_id = o.wallet_id AND b.type = 'output' AND b.ref = o.txid || ':' || o.vout
LEFT JOIN labels AS c ON c.wallet_id = o.wallet_id AND c.type = 'addr' AND c.ref = o.address` + bareOrder + `, o.vout`,
}

// bareRow is the target for scanning a row of either kind.
type bareRow struct {
	txid, status, blockHash, conflicts, replaceable, category, address, label string
	time, blockTime, flow                                                     int64
	height, vsize                                                             int
	fee                                                                       *int64
	branch, index                                                             *int64
	raw                                                                       []byte
	labelOfTx                                                                 string
	vout                                                                      int
	outAddress, outLabel                                                      string
	amount                                                                    int64
	outBranch, outIndex                                                       *int64
}

func (r *bareRow) columns(kind string) []any {
	all := []any{
		&r.txid, &r.time, &r.status, &r.height, &r.blockHash, &r.blockTime, &r.conflicts, &r.replaceable,
		&r.category, &r.flow, &r.fee, &r.vsize, &r.address, &r.branch, &r.index, &r.label,
	}
	if kind == rawRows {
		return append(all, &r.raw)
	}
	return append(all, &r.labelOfTx, &r.vout, &r.outAddress, &r.amount, &r.outBranch, &r.outIndex, &r.outLabel)
}

// serveBareExport is the comparison program. Its arguments are a database, a
// wallet's id, the kind of rows, and the size of the response in bytes. It reads
// the rows with one query, and for each of them writes a prepared number of bytes
// without formatting anything.
func serveBareExport(ctx context.Context, args []string, stdout io.Writer) error {
	debug.SetGCPercent(stepsPercent)
	database, walletID, kind := args[0], args[1], args[2]
	size, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: database}).EscapedPath()+"?mode=ro")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	line := bytes.Repeat([]byte("x"), size/exported)
	export := func(ctx context.Context, to io.Writer) error {
		rows, err := db.QueryContext(ctx, bareQueries[kind], walletID)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		var r bareRow
		w := bufio.NewWriterSize(to, 32<<10)
		columns, left, last := r.columns(kind), size, ""
		for rows.Next() {
			if err := rows.Scan(columns...); err != nil {
				return err
			}
			if r.txid != last {
				n, _ := w.Write(line)
				left, last = left-n, r.txid
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if left < 0 || left > exported {
			return fmt.Errorf("%d bytes are left of %d", left, size)
		}
		_, _ = w.Write(bytes.Repeat([]byte("x"), left))
		return w.Flush()
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // bare
		if err := export(r.Context(), w); err != nil && !errors.Is(err, context.Canceled) {
			log.Panic(err) // terminates the connection
		}
	})}
	return serve(ctx, server, stdout)
}
