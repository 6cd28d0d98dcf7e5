#!/bin/sh
# Run tools/qrcodec/interop.mjs, which encodes and decodes QR texts with npm packages. The packages are pinned in
# tools/qrcodec/package-lock.json and installed in .cache/qrcodec when that file changes.
set -eu

cd "$(dirname -- "$0")/.."
from=tools/qrcodec
to=.cache/qrcodec

if ! cmp -s "$from/package-lock.json" "$to/installed"; then
	mkdir -p "$to"
	cp "$from/package.json" "$from/package-lock.json" "$to"
	npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2
	cp "$from/package-lock.json" "$to/installed"
fi
cp "$from/interop.mjs" "$to"
exec node "$to/interop.mjs"
