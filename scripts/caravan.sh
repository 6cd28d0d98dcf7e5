#!/bin/sh
# Run tools/caravan/interop.mjs, which reads wallets with Caravan's npm packages. The packages are pinned in
# tools/caravan/package-lock.json and installed in .cache/caravan when that file changes.
set -eu

cd "$(dirname -- "$0")/.."
from=tools/caravan
to=.cache/caravan

if ! cmp -s "$from/package-lock.json" "$to/installed"; then
	mkdir -p "$to"
	cp "$from/package.json" "$from/package-lock.json" "$to"
	npm ci --prefix "$to" --legacy-peer-deps --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2
	cp "$from/package-lock.json" "$to/installed"
fi
cp "$from/interop.mjs" "$to"
exec node "$to/interop.mjs"
