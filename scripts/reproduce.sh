#!/bin/sh
# Build the release of the current commit again, in a clone in another directory with an empty build cache, and
# compare it with dist/.
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
