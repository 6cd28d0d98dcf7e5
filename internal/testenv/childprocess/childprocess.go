// Package childprocess starts server processes and creates temporary directories
// that do not outlive this process, even if it is killed.
//
// A small shell watches each of them. It reads a pipe whose other end only this
// process holds. When this process ends for any reason, the kernel closes that end,
// and the shell terminates the server or removes the directory.
package childprocess

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// runScript runs a program. It sends the program each signal whose name it reads
// from stdin, and the signal $1 when stdin ends. It exits with the program's
// status.
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

// sweepScript removes the directory $1 when stdin ends. It retries for ten seconds,
// since programs that are being killed may still write to the directory.
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
// this process ends first, the program gets the signal named by last, such as
// "KILL" or "QUIT"; see kill(1). The program runs in its own process group, so that
// an interrupt typed at the terminal does not reach it.
func Start(cmd *exec.Cmd, last string) (*Process, error) {
	if cmd.Err != nil {
		return nil, cmd.Err
	}
	return shell(cmd, runScript, append([]string{last, cmd.Path}, cmd.Args[1:]...)...)
}

// Signal sends a signal, such as "TERM" or "KILL", to the program. It does nothing
// if the program has ended.
func (p *Process) Signal(name string) {
	_, _ = io.WriteString(p.stdin, name+"\n") // an error means that the program has ended
}

// Done returns a channel that is closed when the program has ended and its output
// has been copied.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns the error with which the program ended, or nil if its exit status was
// 0. It must not be called before Done is closed.
func (p *Process) Err() error { return p.err }

// TempDir creates a temporary directory like os.MkdirTemp. The directory is removed
// with its content when remove is called or this process ends.
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
		_ = sweeper.stdin.Close() // an error means that the directory is already removed
		<-sweeper.done
		return sweeper.err
	}, nil
}

// shell starts the script in place of cmd. The goroutine that waits for the script
// keeps cmd reachable: garbage collection of cmd would close the pipe that the
// script reads.
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
