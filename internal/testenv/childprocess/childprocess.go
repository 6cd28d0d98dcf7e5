// Package childprocess runs server processes, and creates temporary directories,
// that do not outlive this process even if it is killed.
//
// Each is watched by a small shell that reads a pipe whose other end only this
// process holds. When this process ends for any reason, the kernel closes that end,
// and the shell terminates or removes what it watches.
package childprocess

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// runScript runs a program and sends it each signal whose name arrives on stdin,
// and $1 when stdin ends. It exits with the program's status.
const runScript = `
last=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{
	while read -r signal; do kill -s "$signal" "$program"; done
	kill -s "$last" "$program"
} <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$program"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"`

// sweepScript removes directory $1 once stdin has ended. Programs that are being
// killed may still write to it, so it retries for ten seconds.
const sweepScript = `
read -r _
tries=100
while [ "$tries" -gt 0 ]; do
	rm -rf "$1" && exit
	sleep 0.1
	tries=$((tries - 1))
done
exit 1`

// Process is a program that ends with this process.
type Process struct {
	stdin io.WriteCloser
	done  chan struct{}
	err   error
}

// Start starts cmd, which must not have been started and must not set Stdin. If
// this process ends first, the program gets the signal last, named as in kill(1)
// ("KILL", "QUIT"). The program runs in its own process group, so that an interrupt
// typed at the terminal does not reach it.
func Start(cmd *exec.Cmd, last string) (*Process, error) {
	if cmd.Err != nil {
		return nil, cmd.Err
	}
	return shell(cmd, runScript, append([]string{last, cmd.Path}, cmd.Args[1:]...)...)
}

// Signal sends the program the signal of that name ("TERM", "KILL"). It does
// nothing if the program has ended.
func (p *Process) Signal(name string) {
	_, _ = io.WriteString(p.stdin, name+"\n") // a closed pipe means that it has ended
}

// Done is closed when the program has ended and its output has been copied.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is the program's exit error. It is valid once Done is closed.
func (p *Process) Err() error { return p.err }

// TempDir creates a temporary directory like os.MkdirTemp. It is removed with its
// content by the returned function, or when this process ends.
func TempDir(pattern string) (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp("", pattern)
	if err != nil {
		return "", nil, err
	}
	sweeper, err := shell(new(exec.Cmd), sweepScript, dir)
	if err != nil {
		return "", nil, err
	}
	return dir, func() error {
		_ = sweeper.stdin.Close() // if it is already closed, the directory is already removed
		<-sweeper.done
		return sweeper.err
	}, nil
}

// shell replaces cmd by a script that runs it, and starts it. The goroutine that
// waits for it also references the pipe that the script reads: garbage collection
// would close the pipe.
func shell(cmd *exec.Cmd, script string, args ...string) (*Process, error) {
	cmd.Path = "/bin/sh"
	cmd.Args = append([]string{"sh", "-c", script, "childprocess"}, args...)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a watching shell: %w", err)
	}
	p := &Process{stdin: stdin, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}
