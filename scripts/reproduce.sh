#!/bin/sh
# Makes the release of the commit that is checked out a second time, in a clone in another folder and with an empty
# build cache, and compares it with dist/.
set -eu
cd "$(dirname -- "$0")/.."

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
git -c advice.detachedHead=false clone --quiet . "$there/clone"
git -C "$there/clone" checkout --quiet --detach "$(git rev-parse HEAD)"
GOCACHE=$there/cache "$there/clone/scripts/release.sh" >/dev/null
diff dist/SHA256SUMS "$there/clone/dist/SHA256SUMS"
(cd dist && sha256sum --check --quiet SHA256SUMS)
echo "the same, byte for byte"
