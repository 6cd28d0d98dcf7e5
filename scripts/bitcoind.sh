#!/bin/sh
# Print the path of a bitcoind executable on stdout. All other messages go to stderr.
#
# Candidates, in this order: $BITCOIND, bitcoind on PATH, the one in ~/.cache/specterd/bitcoind. If there is
# none, Debian's package bitcoin-knots and its libraries are downloaded to that directory. Nothing is installed
# on the system, root is not required, and apt verifies the signatures as usual.
#
#   scripts/bitcoind.sh              find it, or fetch it
#   scripts/bitcoind.sh --no-fetch   find it, or fail
#
# internal/testenv/regtest.FindBinary looks in the same places.
set -eu

package=bitcoin-knots
suite=sid
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cache=${XDG_CACHE_HOME:-$HOME/.cache}/specterd
home=$cache/bitcoind

say() { echo "bitcoind.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# mirror prints the address of the first Debian mirror among the system's own apt sources.
mirror() {
	found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
		grep -Ev '^[[:space:]]*#' | grep -Eo 'https?://[^[:space:]]*/debian/?([[:space:]]|$)' | head -n 1) || true
	echo "${found:-http://deb.debian.org/debian}" | tr -d '[:space:]'
}

# apt_config prints settings that restrict apt to directory $1. The empty status file makes apt assume that no
# package is installed, so that it resolves all libraries, including libc.
apt_config() {
	cat <<-CONFIG
		Dir::State "$1";
		Dir::State::lists "$1/lists";
		Dir::State::status "$1/status";
		Dir::Cache "$1/cache";
		Dir::Cache::archives "$1/archives";
		Dir::Etc::SourceList "$1/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		APT::Sandbox::User "root";
		APT::Install-Recommends "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
		#clear Acquire::IndexTargets::deb::DEP-11;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	CONFIG
}

# wrapper prints a script that runs program $1 of the script's directory with the libraries of that directory.
wrapper() {
	cat <<-WRAPPER
		#!/bin/sh
		lib=\$(dirname -- "\$0")/root/usr/lib/$triplet
		exec "\$lib/$loader" --library-path "\$lib" "\$lib/../../bin/$1" "\$@"
	WRAPPER
}

# fetch creates directory $1: the package and its libraries in root/, and the wrapper scripts.
fetch() {
	apt=$1/apt
	mkdir -p "$apt/lists/partial" "$apt/cache" "$apt/archives/partial"
	: >"$apt/status"
	echo "deb [arch=$arch signed-by=$keyring] $(mirror) $suite main" >"$apt/sources.list"
	apt_config "$apt" >"$apt/apt.conf"

	say "fetching $package for $arch from $(mirror) $suite"
	apt-get -c "$apt/apt.conf" -qq update >&2
	apt-get -c "$apt/apt.conf" -qq --yes --download-only install "$package" >&2

	for deb in "$apt"/archives/*.deb; do
		dpkg-deb --extract "$deb" "$apt/unpacked"
	done
	mkdir -p "$1/root/usr/bin" "$1/root/usr/lib"
	mv "$apt"/unpacked/usr/bin/bitcoin* "$1/root/usr/bin"
	mv "$apt/unpacked/usr/lib/$triplet" "$1/root/usr/lib"
	for program in bitcoind bitcoin-cli; do
		[ -x "$1/root/usr/bin/$program" ] || continue
		wrapper "$program" >"$1/$program"
		chmod +x "$1/$program"
	done
	rm -rf "$apt"
	say "fetched $("$1/bitcoind" -version | head -n 1)"
}

fetchable() {
	[ -r "$keyring" ] || return 1
	for tool in apt-get dpkg dpkg-deb flock tar; do
		command -v "$tool" >/dev/null || return 1
	done
	arch=$(dpkg --print-architecture)
	case $arch in
	amd64) triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
	arm64) triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
	*) return 1 ;;
	esac
}

case ${1:-} in
'' | --no-fetch) ;;
*) die "usage: scripts/bitcoind.sh [--no-fetch]" ;;
esac

if [ -n "${BITCOIND:-}" ]; then
	[ -f "$BITCOIND" ] && [ -x "$BITCOIND" ] || die "BITCOIND=$BITCOIND is not an executable file"
	echo "$BITCOIND"
	exit
fi
if command -v bitcoind; then
	exit
fi
if [ ! -x "$home/bitcoind" ]; then
	[ "${1:-}" != --no-fetch ] || die "no bitcoind here: run make deps, or set BITCOIND"
	fetchable || die "no bitcoind here, and it can be fetched on Debian (amd64, arm64) only:" \
		"install Bitcoin Core or Knots 25 or later, or set BITCOIND to its path"

	# The directory is created under another name and then renamed, so that an interrupted run leaves nothing
	# incomplete. Of two concurrent runs, the second waits for the first and uses its result.
	mkdir -p "$cache"
	exec 9>"$cache/bitcoind.lock"
	flock 9
	if [ ! -x "$home/bitcoind" ]; then
		rm -rf "$home" "$home.new"
		fetch "$home.new"
		mv "$home.new" "$home"
	fi
fi
echo "$home/bitcoind"
