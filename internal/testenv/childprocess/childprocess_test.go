package childprocess_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/childprocess"
)

// TestMain runs owner instead of the tests if a test started this binary as the
// process to be killed.
func TestMain(m *testing.M) {
	if os.Getenv("CHILDPROCESS_TEST_OWNER") != "" {
		owner()
		return
	}
	os.Exit(m.Run())
}

// owner starts a child process, prints the path of its directory, and waits to be
// killed.
func owner() {
	dir, _, err := childprocess.TempDir("childprocess-*")
	if err != nil {
		panic(err)
	}
	cmd := exec.CommandContext(context.Background(), "sh", "-c", "echo $$ >pid.new; mv pid.new pid; exec sleep 600")
	cmd.Dir = dir
	if _, err := childprocess.Start(cmd, "KILL"); err != nil {
		panic(err)
	}
	fmt.Println(dir)
	select {}
}

func TestKilledOwner(t *testing.T) {
	t.Parallel()
	self := exec.CommandContext(t.Context(), os.Args[0])
	self.Env = append(os.Environ(), "CHILDPROCESS_TEST_OWNER=1")
	stdout, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	dir, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dir = strings.TrimSpace(dir)
	var pid int
	eventually(t, "the program runs", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})

	if err := self.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = self.Wait()

	eventually(t, "the program is gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	eventually(t, "the folder is gone", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestProcess_Signal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `trap "echo caught; exit 7" TERM; echo ready >"$0"; while :; do sleep 0.05; done`,
		filepath.Join(t.TempDir(), "ready"))
	cmd.Stdout = &out
	ready := cmd.Args[3]
	p, err := childprocess.Start(cmd, "KILL")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the trap is set", func() bool { _, err := os.Stat(ready); return err == nil })

	p.Signal("TERM")
	<-p.Done()

	if exit := new(exec.ExitError); !errors.As(p.Err(), &exit) || exit.ExitCode() != 7 {
		t.Errorf("ended with %v, want status 7", p.Err())
	}
	if out.String() != "caught\n" {
		t.Errorf("printed %q", out.String())
	}
	p.Signal("TERM") // has no effect
}

func TestProcess_Exits(t *testing.T) {
	t.Parallel()
	p, err := childprocess.Start(exec.CommandContext(t.Context(), "true"), "KILL")
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if p.Err() != nil {
		t.Error(p.Err())
	}
}

func TestStart_ProgramMissing(t *testing.T) {
	t.Parallel()
	if _, err := childprocess.Start(exec.CommandContext(t.Context(), "no-such-program"), "KILL"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v, want exec.ErrNotFound", err)
	}
}

func TestTempDir_Removed(t *testing.T) {
	t.Parallel()
	dir, remove, err := childprocess.TempDir("childprocess-*")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

// TestTempDir_GarbageCollection checks that garbage collection does not
// close the pipe, which would remove the directory.
func TestTempDir_GarbageCollection(t *testing.T) {
	t.Parallel()
	forgotten, _, err := childprocess.TempDir("childprocess-*")
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 30 {
		runtime.GC()
		<-tick.C
		if _, err := os.Stat(forgotten); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("timeout waiting for: %s", what)
		}
	}
}
