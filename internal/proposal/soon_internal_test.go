package proposal

import (
	"errors"
	"testing"
)

// TestSoon checks that a function begins before its results are awaited, and that its error and
// its panic reach the caller who waits.
func TestSoon(t *testing.T) {
	begun, proceed := make(chan struct{}), make(chan struct{})
	failed := errors.New("failed")
	wait := soon(func() (int, error) {
		close(begun)
		<-proceed
		return 7, failed
	})
	<-begun
	close(proceed)
	for range 2 {
		if n, err := wait(); n != 7 || !errors.Is(err, failed) {
			t.Errorf("got %d, %v", n, err)
		}
	}

	begun = make(chan struct{})
	wait = soon(func() (int, error) {
		defer close(begun)
		panic("broken")
	})
	<-begun
	defer func() {
		if p := recover(); p != "broken" {
			t.Errorf("wait panicked with %v", p)
		}
	}()
	_, _ = wait()
	t.Error("wait did not panic")
}
