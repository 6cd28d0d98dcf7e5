#!/bin/sh
# Run the clients of an earlier commit ($1; by default the latest release) and their tests with the server of this source.
set -eu
cd "$(dirname -- "$0")/.."

die() { echo "old-client.sh: $*" >&2; exit 1; }

rev=${1:-$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)}
[ -n "$rev" ] || die "no release is tagged; name a commit: make verify-old-client REV=<commit>"
commit=$(git rev-parse --verify --quiet "$rev^{commit}") || die "there is no commit $rev"
for file in client/story_test.go clients/python/tests/test_story.py clients/typescript/test/story.test.ts internal/cli/testdata/story.txt; do
	git cat-file -e "$commit:$file" 2>/dev/null || die "$rev has no $file, which tells the story of the tutorial; name a later commit"
done

old=$PWD/.cache/old-client
rm -rf "$old"
mkdir -p "$old"
git archive "$commit" | tar --extract --directory "$old"
SPECTERD_OLD_CLIENT=$old go test -count=1 -v -timeout 25m \
	-run '^(TestGoClient_Programs|TestPythonClient|TestTypeScriptClient)$' ./internal/cli
echo "the clients of $rev ($commit) pass with this server"
