#!/bin/sh
# Build a Debian package from the unpacked release in directory $1, for architecture $2, of version $3, into
# directory $4. With SOURCE_DATE_EPOCH, the same input results in the same bytes.
set -eu
cd "$(dirname -- "$0")/.."

release=$1 arch=$2 version=$3 out=$4
: "${SOURCE_DATE_EPOCH:?}"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# A version of Debian begins with a digit, and a later commit has a higher one: v0.1.0 is 0.1.0, five commits after it
# are 0.1.0+5.gabc, and a commit without any tag before it is 0~20261130.abc.
deb_version() {
	case $version in
	v[0-9]*) echo "${version#v}" | sed -E 's/-([0-9]+)-g/+\1.g/; s/-/~/g' ;;
	*) echo "0~$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$version" ;;
	esac
}

DEB_VERSION=$(deb_version)-1
DEB_ARCH=$arch
export DEB_VERSION DEB_ARCH

cp deploy/debian/* "$stage"
cp -R "$release/specterd" "$release/completions" "$stage"
# deploy/specterd.service is for /usr/local, where an administrator installs.
sed 's,/usr/local/bin/specterd,/usr/bin/specterd,' deploy/specterd.service >"$stage/specterd.service"
cp deploy/specterd.env "$stage"
mkdir "$stage/examples"
cp deploy/Caddyfile deploy/nginx.conf deploy/torrc "$stage/examples"
gzip -9n <"$release/specterd.1" >"$stage/specterd.1.gz"
gzip -9n <"$release/LICENSES-OF-OTHERS" >"$stage/dependencies.gz"
gzip -9n <"$release/CHANGELOG.md" >"$stage/changelog.gz"
gzip -9n "$stage/specterd-admin.8"
gzip -9n >"$stage/changelog.Debian.gz" <<END
specterd ($DEB_VERSION) stable; urgency=medium

  * Version $version: see changelog.gz.

 -- The specterd authors <specterd@users.noreply.github.com>  $(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
END
# The timestamps of all files are those of the commit.
find "$stage" -exec touch --date="@$SOURCE_DATE_EPOCH" {} +

GOFLAGS=-mod=readonly go build -C tools/package -o "$stage/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm
(cd "$stage" && ./nfpm package --config nfpm.yaml --packager deb --target "specterd_${DEB_VERSION}_$arch.deb" >&2)
mv "$stage/specterd_${DEB_VERSION}_$arch.deb" "$out"
