#!/bin/sh
# Install what specterd and its demo require: Go, which must be installed already, and a bitcoind.
#
#   scripts/deps.sh          what the demo requires
#   scripts/deps.sh --test   also what only the tests require: a C compiler (for the race detector), PostgreSQL's
#                            server programs, curl, jq, strace, unshare, ip, python3 with requests and yaml, npm, Electrum,
#                            Chromium, ruby and nix-instantiate
#
# If everything is installed, it prints nothing. On Debian and its derivatives it installs what is missing;
# elsewhere it lists it and fails.
set -eu

here=$(dirname -- "$0")

have() { command -v "$1" >/dev/null 2>&1; }
say() { echo "deps.sh: $*" >&2; }
die() { say "$*"; exit 1; }

have_postgres() {
	have initdb && have postgres && return
	for program in /usr/lib/postgresql/*/bin/initdb; do
		[ -x "$program" ] && return
	done
	return 1
}

# have_requests also checks the system's Python: apt installs there, and another may be first on PATH.
have_requests() {
	for python in python3 /usr/bin/python3; do
		"$python" -c 'import requests' 2>/dev/null && return
	done
	return 1
}

# missing prints the Debian packages that are not installed.
missing() {
	have gcc || echo gcc libc6-dev
	have_postgres || echo postgresql
	have curl || echo curl
	have jq || echo jq
	have strace || echo strace
	have_requests || echo python3 python3-requests
	have unshare || echo util-linux
	have ip || echo iproute2
	have npm || echo nodejs npm
	have electrum || echo electrum
	have chromium || echo chromium
	have ruby || echo ruby
	have nix-instantiate || echo nix-bin
	/usr/bin/python3 -c 'import yaml' 2>/dev/null || echo python3 python3-yaml
}

install() {
	root=
	if [ "$(id -u)" != 0 ]; then
		have sudo || die "run as root: apt-get update && apt-get install $*"
		root=sudo
	fi
	say "installing $*"
	$root apt-get -qq update >&2
	$root env DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends install "$@" >&2
}

have go || die "Go 1.26 or later is missing: https://go.dev/dl"
go version | grep -Eq ' go1\.(2[6-9]|[3-9][0-9])' ||
	die "Go 1.26 or later is needed, and this is $(go version): https://go.dev/dl"

packages=
if [ "${1:-}" = --test ]; then
	packages=$(missing)
fi
if [ -n "$packages" ]; then
	have apt-get || die "missing: install the likes of these Debian packages, and try again:" $packages
	install $packages
fi
"$here/bitcoind.sh" >/dev/null
