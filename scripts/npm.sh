#!/bin/sh
# Install the npm packages that the package-lock.json of tools/$1, or of the folder $1, pins in .cache/$1, when that file
# changes. Further arguments are flags of npm.
set -eu

cd "$(dirname -- "$0")/.."
from=tools/$1
to=.cache/$1
if [ ! -d "$from" ]; then
	from=$1
	to=.cache/$(basename "$1")
fi
shift

if ! cmp -s "$from/package-lock.json" "$to/installed"; then
	mkdir -p "$to"
	cp "$from/package.json" "$from/package-lock.json" "$to"
	npm ci --prefix "$to" "$@" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2
	cp "$from/package-lock.json" "$to/installed"
fi
