#!/bin/bash
# Measure an earlier commit and the working tree in turns, and print the median of each result for both:
#   scripts/bench-turns.sh REV [flags of internal/bench]
# Both are measured by the bench of the working tree, so REV must compile with it. TURNS is the number of turns (3).
set -euo pipefail
rev=${1:?usage: scripts/bench-turns.sh REV [flags of internal/bench]}
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"; git worktree prune' EXIT
git worktree add --quiet --detach "$dir/before" "$rev"
rm -r "$dir/before/internal/bench"
cp -r internal/bench "$dir/before/internal/"
(cd "$dir/before" && go build -o "$dir/bench-before" ./internal/bench)
go build -o "$dir/bench-now" ./internal/bench

measure() { # version, directory of its source, turn, flags
	echo "bench-turns: $1, turn $3" >&2
	(cd "$2" && "$dir/bench-$1" "${@:4}") >"$dir/$1-$3" 2>"$dir/errors" && return
	if ! grep -q 'worse than their goals$' "$dir/errors"; then
		cat "$dir/errors" >&2
		exit 1
	fi
}
for turn in $(seq "${TURNS:-3}"); do
	if ((turn % 2)); then
		measure before "$dir/before" "$turn" "$@"
		measure now . "$turn" "$@"
	else
		measure now . "$turn" "$@"
		measure before "$dir/before" "$turn" "$@"
	fi
done

grep -h 'processors' "$dir/now-1"
awk -F '  +' '
function number(text,  of) { # in seconds, bytes, or without a unit
	of["s"] = 1; of["ms"] = 1e-3; of["µs"] = 1e-6; of["ns"] = 1e-9; of["MB"] = 1e6; of["kB"] = 1e3
	split(text, words, " ")
	return words[1] * (words[2] in of ? of[words[2]] : 1)
}
function add(key, text) {
	if (!(key in seen)) { seen[key] = 1; keys[++count] = key }
	at = version SUBSEP key
	texts[at, ++n[at]] = text
}
function median(at,  i, j, all, kept) {
	for (i = 1; i <= n[at]; i++) {
		all[i] = texts[at, i]
		for (j = i; j > 1 && number(all[j]) < number(all[j - 1]); j--) { kept = all[j]; all[j] = all[j - 1]; all[j - 1] = kept }
	}
	return all[int((n[at] + 1) / 2)]
}
FNR == 1 { version = FILENAME ~ /before-[0-9]+$/ ? "before" : "now"; requests = 0 }
$1 == "name" { requests = $2 == "base"; next }
NF < 3 { next }
requests { add($1 ": requests per second, of " $2, $5); add($1 ": processor", $(NF - 1) " µs"); next }
$3 ~ /^(p99 )?[+-]?[0-9]/ { sub(/, [0-9.]+ MB$/, "", $2); sub(/^p99 /, "", $3); add($1 ": " $2, $3) }
END {
	printf "%-80s  %10s  %10s  %s\n", "median of the turns", "before", "now", "now / before"
	for (i = 1; i <= count; i++) {
		before = median("before" SUBSEP keys[i]); now = median("now" SUBSEP keys[i])
		ratio = before == "" || now == "" || number(before) == 0 ? "" : sprintf("%.2f", number(now) / number(before))
		printf "%-80s  %10s  %10s  %s\n", keys[i], before, now, ratio
	}
}' "$dir"/before-* "$dir"/now-*
