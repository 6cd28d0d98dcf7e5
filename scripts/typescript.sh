#!/bin/sh
# Build the TypeScript client and its tests in .cache/typescript, with the npm packages that its package-lock.json pins.
set -eu

cd "$(dirname -- "$0")/.."
from=clients/typescript
to=.cache/typescript

scripts/npm.sh "$from"
rm -rf "$to/src" "$to/test" "$to/build" "$to/dist"
mkdir -p "$to/src" "$to/test"
cp "$from/package.json" "$from/generate.mjs" "$from"/tsconfig*.json "$to"
cp "$from"/src/index.ts "$from"/src/types.ts "$from"/src/webhook.ts "$to/src"
cp "$from"/test/*.ts "$to/test"
cd "$to"
node generate.mjs ../../docs/openapi.json
node_modules/.bin/tsc -p .
node_modules/.bin/tsc -p tsconfig.test.json
