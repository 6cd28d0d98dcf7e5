package config

import (
	"net/netip"
	"net/url"
)

// IsLoopback reports whether a host name or address to listen on is reachable from
// this machine only. It does not resolve host names: for names other than localhost
// it returns false.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// IsUnencrypted reports whether requests to the address of a server leave this machine without TLS.
func IsUnencrypted(server *url.URL) bool {
	return server.Scheme == "http" && !IsLoopback(server.Hostname())
}
