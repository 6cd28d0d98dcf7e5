#!/bin/sh
# Lint docs/openapi.json with Redocly, and compile the TypeScript types that openapi-typescript generates from it. The
# programs are pinned in tools/openapi/package-lock.json and installed in .cache/openapi when that file changes.
set -eu

cd "$(dirname -- "$0")/.."
from=tools/openapi
to=.cache/openapi
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

scripts/npm.sh openapi
"$to/node_modules/.bin/redocly" lint --config "$from/redocly.yaml" docs/openapi.json
"$to/node_modules/.bin/openapi-typescript" docs/openapi.json --output "$to/api.d.ts"
cp "$from/check.ts" "$to"
"$to/node_modules/.bin/tsc" --noEmit --strict --target es2022 --moduleResolution bundler --module esnext "$to/check.ts"
