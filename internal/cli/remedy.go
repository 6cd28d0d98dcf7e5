package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os/user"
	"strings"
	"syscall"

	"github.com/specterd/specterd/internal/store"
)

// withRemedy adds what to do to an error of the operating system or of the database.
func withRemedy(err error) error {
	if remedy := remedyOf(err); remedy != "" && !strings.Contains(err.Error(), remedy) {
		return fmt.Errorf("%w; %s", err, remedy)
	}
	return err
}

func remedyOf(err error) string {
	dns := &net.DNSError{}
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program, perhaps another specterd, uses this port: stop it, or choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no network interface of this machine has this address; 0.0.0.0 is every address, and 127.0.0.1 only this machine"
	case isListen(err) && errors.Is(err, fs.ErrPermission):
		return "ports below 1024 require the capability CAP_NET_BIND_SERVICE; choose a port from 1024, or use a reverse proxy"
	case isListen(err) && errors.As(err, &dns):
		return "the host to listen on must be an address of this machine"
	case errors.Is(err, fs.ErrPermission):
		return "run the command as the user who owns the file or the directory, usually the user of the server; this process runs as " + userName()
	case errors.Is(err, syscall.EROFS):
		return "the file system is read-only; choose another directory, or add ReadWritePaths= to the systemd unit"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), store.IsFull(err):
		return "the disk is full: free some space, and try again"
	case errors.Is(err, syscall.ENOTDIR):
		return "a file is where a directory is expected; correct the path"
	case store.IsBusy(err):
		return "another program has locked the database, such as an SQL shell with an open transaction: end it, and try again"
	}
	return ""
}

func isListen(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "listen"
}

// userName returns the name of the user of this process.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "an unknown user"
}
