#!/bin/sh
# Run every fuzz target of the module, one after the other, each for the duration $1 (default: 20s).
# Minimizing each new input takes up to a minute by default, in which no new inputs are tried.
set -eu
cd "$(dirname -- "$0")/.."

targets=$(grep -rEo '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . | sort)
for target in $(echo "$targets" | tr -d ' '); do
	file=${target%%:*}
	name=${target##*:func}
	echo "$(dirname "$file") $name"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "${1:-20s}" -fuzzminimizetime 1x "$(dirname "$file")"
done
