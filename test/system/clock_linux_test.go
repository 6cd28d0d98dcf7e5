package system

import (
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestClockJumps_Program checks that the server detects when the wall clock and the
// monotonic clock diverge. Tests must not set the time of the machine, so strace changes
// the results of system calls for the monotonic clock instead.
func TestClockJumps_Program(t *testing.T) {
	s := startServer(t, t.TempDir())
	made := s.token("made")
	if reason := s.ready(); strings.Contains(reason, "clock") {
		t.Fatalf("before: %q", reason)
	}
	for direction, ahead := range map[string]time.Duration{"forward": -2 * time.Hour, "back": 2 * time.Hour} {
		at := clock.Steady() + ahead
		timespec := binary.NativeEndian.AppendUint64(nil, uint64(at/time.Second))
		timespec = binary.NativeEndian.AppendUint64(timespec, uint64(at%time.Second))
		stop := s.inject("--trace", "clock_gettime", "--inject", "clock_gettime:poke_exit=@arg2="+hex.EncodeToString(timespec))
		if reason := s.ready(); !strings.Contains(reason, "clock jumped "+direction) {
			t.Errorf("%s: readiness says %q", direction, reason)
		}
		if !strings.Contains(s.log.String(), `"direction":"`+direction+`"`) {
			t.Errorf("%s: not in the log:\n%s", direction, s.log)
		}
		s.use(http.StatusOK, made)
		stop()
		testkit.Eventually(t, "the clock is back", func() bool { return !strings.Contains(s.ready(), "clock") })
		testkit.Eventually(t, "the log reports that the clock is back", func() bool {
			log := s.log.String()
			return strings.LastIndex(log, "the clock is back") > strings.LastIndex(log, `"direction":"`+direction+`"`)
		})
	}
}
