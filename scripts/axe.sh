#!/bin/sh
# Print the path of axe-core, which checks pages for accessibility. It is pinned in tools/axe/package-lock.json and
# installed in .cache/axe when that file changes.
set -eu

cd "$(dirname -- "$0")/.."
from=tools/axe
to=.cache/axe

if ! cmp -s "$from/package-lock.json" "$to/installed"; then
	mkdir -p "$to"
	cp "$from/package.json" "$from/package-lock.json" "$to"
	npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2
	cp "$from/package-lock.json" "$to/installed"
fi
echo "$PWD/$to/node_modules/axe-core/axe.min.js"
