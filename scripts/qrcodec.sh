#!/bin/sh
# Run tools/qrcodec/interop.mjs, which encodes and decodes QR texts with npm packages. The packages are pinned in
# tools/qrcodec/package-lock.json and installed in .cache/qrcodec when that file changes.
set -eu

cd "$(dirname -- "$0")/.."
scripts/npm.sh qrcodec
cp tools/qrcodec/interop.mjs .cache/qrcodec
exec node .cache/qrcodec/interop.mjs
