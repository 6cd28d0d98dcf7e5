#!/bin/bash
# Test the Debian packages of dist/ as a new user: install, sign in, create a token, upgrade, remove and purge, in a
# clean Debian root with its own network and processes, and without systemd. It runs the commands of docs/install.md.
#
#   scripts/test-deb.sh DIRECTORY   with the packages and the archives of `make release`
#
# It needs root, apt and a bitcoind.
set -euo pipefail
cd "$(dirname -- "$0")/.."

dist=$(realpath "$1")
arch=$(dpkg --print-architecture)
base=$PWD/.cache/deb/root

die() { echo "test-deb.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "requires root"

# The programs and a Debian root, which is kept for the next time.
packages=()
for program in debootstrap lintian; do
	command -v "$program" >/dev/null || packages+=("$program")
done
[ ${#packages[@]} = 0 ] || { apt-get -qq update && apt-get -qq --yes --no-install-recommends install "${packages[@]}"; } >&2
if [ ! -e "$base/complete" ]; then
	rm -rf "$base"
	mkdir -p "$base"
	debootstrap --variant=minbase --include=systemd-standalone-sysusers,bash-completion,curl,iproute2,man-db,procps bookworm "$base" >"$base.log" ||
		die "debootstrap failed: $base.log"
	touch "$base/complete"
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp -a "$base/." "$root"
mkdir -p "$root/test/old" "$root/test/new"
# The node that `make bitcoind` fetches has its libraries beside it; one of the system may need some of Debian's.
node=$(scripts/bitcoind.sh)
mkdir "$root/opt/bitcoind"
cp "$node" "$root/opt/bitcoind"
if [ -d "$(dirname "$node")/root" ]; then
	cp -a "$(dirname "$node")/root" "$root/opt/bitcoind"
fi
cp scripts/test-deb-inside.sh docs/install.md "$root/test"

deb=$(echo "$dist"/specterd_*_"$arch".deb)
[ -e "$deb" ] || die "$dist has no package for $arch: make release"
cp "$deb" "$root/test/new"
cp "$dist/SHA256SUMS" "$dist"/specterd-*-linux-amd64.tar.gz "$root/test"

# The older package has the same files and other settings, so that the upgrade meets a changed conffile.
dpkg-deb --raw-extract "$deb" "$root/test/tree"
sed -i 's/^Version: .*/Version: 0~0-1/' "$root/test/tree/DEBIAN/control"
sed -i 's/^#SPECTER_BACKUP_KEEP=7$/#SPECTER_BACKUP_KEEP=6/' "$root/test/tree/etc/specterd/specterd.env"
dpkg-deb --root-owner-group --build -Znone "$root/test/tree" "$root/test/old/specterd_0~0-1_$arch.deb" >/dev/null
rm -r "$root/test/tree"

for package in "$dist"/specterd_*.deb; do
	lintian --allow-root --fail-on error,warning "$package"
done

unshare --net --pid --ipc --uts --mount --fork chroot "$root" /bin/bash /test/test-deb-inside.sh
