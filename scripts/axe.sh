#!/bin/sh
# Print the path of axe-core, which checks pages for accessibility. It is pinned in tools/axe/package-lock.json and
# installed in .cache/axe when that file changes.
set -eu

cd "$(dirname -- "$0")/.."
scripts/npm.sh axe
echo "$PWD/.cache/axe/node_modules/axe-core/axe.min.js"
