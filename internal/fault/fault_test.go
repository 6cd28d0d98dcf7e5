package fault_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/fault"
)

func TestJoin(t *testing.T) {
	a, b := fault.InvalidAs("invalid_address", "a", "is wrong"), fault.InvalidAs("invalid_address", "b", "is also wrong")
	other := fault.InvalidField("c", "is required")
	if got := fault.Join(a); got != a {
		t.Errorf("got %+v", got)
	}
	got := fault.Join(a, b)
	if got.Code != "invalid_address" || got.Kind != fault.Invalid || got.Message != "a: is wrong; b: is also wrong" || !slices.Equal(got.Fields, []fault.Field{a.Fields[0], b.Fields[0]}) {
		t.Errorf("got %+v", got)
	}
	if got = fault.Join(a, b, other); got.Code != "invalid_input" || len(got.Fields) != 3 || errors.Is(got, a) {
		t.Errorf("got %+v", got)
	}
	if len(a.Fields) != 1 || a.Message != "a: is wrong" {
		t.Errorf("the first fault has changed: %+v", a)
	}
}
