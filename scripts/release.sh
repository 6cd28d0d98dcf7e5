#!/bin/sh
# Build dist/ from the current commit: an archive and a bill of materials (CycloneDX) for each platform, Debian
# packages, and SHA256SUMS. On Linux, the same commit, tags and Go version result in the same bytes in any directory.
set -eu
cd "$(dirname -- "$0")/.."
platforms="linux/amd64 linux/arm64 darwin/amd64 darwin/arm64"

die() { echo "release.sh: $*" >&2; exit 1; }
[ -z "$(git status --porcelain)" ] || die "there are changes that are not committed"

# The result must not depend on this machine. The timestamps are that of the commit.
version=$(git describe --tags --always --abbrev=12)
epoch=$(git log -1 --format=%ct)
export CGO_ENABLED=0 GOFLAGS='-trimpath -buildvcs=true -mod=readonly' GOAMD64=v1 GOARM64=v8.0 LC_ALL=C TZ=UTC
unset GOOS GOARCH GOEXPERIMENT
umask 022

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build writes the program for platform $1 (empty for the current one) to $2.
build() {
	GOOS=${1%/*} GOARCH=${1#*/} go build -ldflags "-s -w -X github.com/specterd/specterd/internal/cli.version=$version" -o "$2" ./cmd/specterd
}

build "" "$work/here"
rm -rf dist
mkdir dist

for platform in $platforms; do
	name=specterd-$version-$(echo "$platform" | tr / -)
	folder=$work/$name
	mkdir -p "$folder/completions"
	build "$platform" "$folder/specterd"
	go run -C tools ./sbom "$folder/specterd" "$version" "$PWD/dist/$name.cdx.json" "$folder/LICENSES-OF-OTHERS"
	cp -R LICENSE README.md CHANGELOG.md SECURITY.md docs deploy "$folder"
	"$work/here" man >"$folder/specterd.1"
	"$work/here" completion bash >"$folder/completions/specterd.bash"
	"$work/here" completion zsh >"$folder/completions/_specterd"
	"$work/here" completion fish >"$folder/completions/specterd.fish"
	tar --create --directory "$work" --format=ustar --sort=name --mtime="@$epoch" \
		--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX "$name" | gzip -9n >"dist/$name.tar.gz"
	case $platform in
	linux/*) SOURCE_DATE_EPOCH=$epoch scripts/deb.sh "$folder" "${platform#*/}" "$version" "$PWD/dist" ;;
	esac
done

(cd dist && sha256sum -- * >SHA256SUMS && cat SHA256SUMS)

# What was tested of these files, and how to test the rest.
cat <<END

*.tar.gz      built for each platform; make reproduce builds them again and compares every byte
*.deb         built; make verify-deb checks them with lintian, and installs, uses, upgrades and purges the one of this
              machine in a clean Debian root; make reproduce compares them
*.cdx.json    written from the build information of each program
SHA256SUMS    covers all of these
Not in dist:  the container image (Dockerfile), Umbrel, StartOS, NixOS and Homebrew in deploy/: tests of internal/cli parse
              them, and docs/install.md says what else was tested
END
