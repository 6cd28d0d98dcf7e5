// Package sqltype has the column types of the generated queries. Both databases
// store a time as a BIGINT of microseconds since 1970, so that times compare and
// sort equally and lose no precision.
package sqltype

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// Time is the value of a time column that is never NULL.
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

// NullTime is the value of a time column that may be NULL. The zero time is stored as NULL.
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
