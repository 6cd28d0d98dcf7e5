#!/bin/sh
# Run the system's Node with the arguments, or, where it is older than 20, the one that tools/node/package-lock.json pins.
set -eu

node=node
if [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -lt 20 ]; then
	root=$(cd "$(dirname -- "$0")/.." && pwd)
	"$root/scripts/npm.sh" node
	node=$(echo "$root"/.cache/node/node_modules/node-linux-*/bin/node)
fi
exec "$node" "$@"
