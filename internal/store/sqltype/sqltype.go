// Package sqltype holds the column types that the generated queries use. A
// point in time is a BIGINT of microseconds since 1970 in both databases, so
// that times compare and sort the same in either and lose nothing on the way.
package sqltype

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// Time is a point in time that is always there.
type Time struct{ time.Time }

// Value implements driver.Valuer.
func (t Time) Value() (driver.Value, error) { return t.UnixMicro(), nil }

// Scan implements sql.Scanner.
func (t *Time) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("sqltype: a %T is not microseconds", src)
	}
	t.Time = time.UnixMicro(v).UTC()
	return nil
}

// NullTime is a point in time that may be missing: NULL in the database, the
// zero time in Go.
type NullTime struct{ time.Time }

// Value implements driver.Valuer.
func (t NullTime) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UnixMicro(), nil
}

// Scan implements sql.Scanner.
func (t *NullTime) Scan(src any) error {
	if src == nil {
		t.Time = time.Time{}
		return nil
	}
	return (*Time)(t).Scan(src)
}
