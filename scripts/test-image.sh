#!/bin/bash
# Build the image of the Dockerfile for amd64 and arm64, without Docker, and use the one for this machine: start it with
# a root file system that is read only and without rights, sign in, create a token, stop.
#
# Buildah builds it; it needs to be told the platform of the builder. In place of the image golang, which may be out of reach, it gets a Debian root with this machine's Go.
# It needs root and apt.
set -euo pipefail
cd "$(dirname -- "$0")/.."

die() { echo "test-image.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "requires root"

packages=()
for program in buildah debootstrap; do
	command -v "$program" >/dev/null || packages+=("$program")
done
[ ${#packages[@]} = 0 ] || { apt-get -qq update && apt-get -qq --yes --no-install-recommends install "${packages[@]}"; } >&2

cache=$PWD/.cache/image
mkdir -p "$cache/modules" "$cache/builds"
if [ ! -e "$cache/root/complete" ]; then
	rm -rf "$cache/root"
	debootstrap --variant=minbase --include=ca-certificates bookworm "$cache/root" >"$cache/root.log" || die "debootstrap failed: $cache/root.log"
	touch "$cache/root/complete"
fi

work=$(mktemp -d)
images() { buildah --root "$work/images" --runroot "$work/run" --storage-driver vfs "$@"; }
trap 'images rm --all >/dev/null; rm -rf "$work"' EXIT

version=$(sed -n 's/^FROM .*golang:\([0-9.]*\) AS build$/\1/p' Dockerfile)
case $(go env GOVERSION) in go"$version"*) ;; *) die "the Dockerfile has Go $version, and this machine $(go env GOVERSION)" ;; esac
builder=$(images from scratch)
images add -q "$builder" "$cache/root" / >/dev/null
images add -q "$builder" "$(go env GOROOT)" /usr/local/go >/dev/null
images add -q "$builder" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt >/dev/null
images config --env PATH=/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin --env GOFLAGS=-buildvcs=false \
	--env "GOPROXY=$(go env GOPROXY)" --env GOMODCACHE=/modules --env GOCACHE=/builds "$builder"
images commit -q "$builder" "docker.io/library/golang:$version" >/dev/null

for arch in amd64 arm64; do
	images bud --isolation chroot --network host --format docker --pull-never --target specterd --build-arg VERSION=tested \
		--build-arg "BUILDPLATFORM=linux/$(dpkg --print-architecture)" --build-arg TARGETOS=linux --build-arg "TARGETARCH=$arch" --platform "linux/$arch" \
		--volume "$cache/modules:/modules" --volume "$cache/builds:/builds" --tag "specterd:$arch" . >"$work/$arch.log" 2>&1 ||
		{ cat "$work/$arch.log"; die "the image for $arch cannot be built"; }
	built=$(images inspect --type image --format '{{.Docker.Architecture}} {{.Docker.Config.User}} {{.Docker.Config.Entrypoint}} {{.Docker.Config.Cmd}} {{.Docker.Config.Volumes}} {{.Docker.Config.Healthcheck.Test}}' "specterd:$arch")
	[ "$built" = "$arch 65532:65532 [/specterd] [serve] map[/data:{}] [CMD /specterd health]" ] || die "the image for $arch has: $built"
	container=$(images from --pull-never "specterd:$arch")
	root=$(images mount "$container")
	files=$(cd "$root" && find . -not -type d | sort | xargs)
	[ "$files" = "./etc/ssl/certs/ca-certificates.crt ./specterd" ] || die "the image for $arch has the files: $files"
	case $(go version -m "$root/specterd") in *"GOARCH=$arch"*) ;; *) die "the program in the image for $arch is for another processor" ;; esac
	[ "$arch" != "$(dpkg --print-architecture)" ] || unshare --net --pid --ipc --uts --mount --fork scripts/test-image-inside.sh "$root"
	echo "ok: the image for $arch"
done
