#!/bin/sh
# Run tools/caravan/interop.mjs, which reads wallets with Caravan's npm packages. The packages are pinned in
# tools/caravan/package-lock.json and installed in .cache/caravan when that file changes.
set -eu

cd "$(dirname -- "$0")/.."
scripts/npm.sh caravan --legacy-peer-deps
cp tools/caravan/interop.mjs .cache/caravan
exec node .cache/caravan/interop.mjs
