#!/bin/bash
# Run the long forms of the tests in docs/reliability.md, which print their figures. make test runs the short forms.
# Without an argument, all are run, one after the other.
set -euo pipefail

# name, package, test; or bench and its arguments; or script and its path
all=$(cat <<'TABLE'
kills        ./test/system           TestKilledUnderLoad
kills-calls  ./test/system           TestKilledAtSystemCalls
kills-proposals ./test/system           TestKilledWhileProposing
events-kills ./test/system           TestEvents_Killed
events-speed ./test/system           TestEvents_Speed
events-streams ./test/system           TestEvents_Streams
sync         ./test/system           TestSyncBeforeResponse
revocation   ./test/system           TestTokenRevocation_AcrossProcesses|TestTokenRevocation_AtAShell
pairs        ./internal/proposal        TestCreate_ConcurrentPairs
replacements ./internal/proposal        TestReplacementHistories
locks        ./test/system           TestCommands_WhileServing|TestServers_Concurrent|TestServers_ConcurrentPostgres|TestLongLock
damage       ./test/system           TestDamagedDatabase
disk         ./test/system           TestFullAndReadOnlyDisk
clock        ./internal/httpapi      TestClockJumps
money        ./internal/btc          TestAmounts_Exact
money-rpc    ./internal/node/backend         TestAmounts_Exact
money-alpha  ./internal/httpapi/v1alpha TestAmounts_Exact
mutations    ./internal/httpapi      TestMutations
lying-node   ./internal/proposal        TestLyingNode|TestLyingSigner
honest-node  ./internal/proposal        TestHonestNode
tampering    ./internal/psbt         TestEveryFieldTampered
node-faults  ./test/system           TestNodeFaults
nodes        ./internal/httpapi      TestNodeSettings
nodes-doctor ./test/system           TestDoctor_NodeSettings
secrets      ./test/system           TestSecrets
idle         ./test/system           TestIdleConnections
slow-headers ./test/system           TestSlowHeaders
login-flood  ./test/system           TestLoginFlood
enumeration  bench                   -only login -rounds 100
soak         ./test/system           TestSoak
processes    ./test/system           TestSeveralProcesses
restore      ./test/system           TestRestore_AnotherNode|TestRestore_BroadcastAfterBackup
export       ./test/system           TestExport
rights       ./internal/httpapi      TestRightsSearch
policy       ./internal/store        TestSpends_Model_Concurrent
webhooks     ./internal/store        TestDelivery.*|TestWebhook_.*|TestRestoredWebhook
webhook-targets ./internal/egress    TestPost_.*|TestDial_.*|TestClassify.*
attack       script                  scripts/verify-attack.sh
TABLE
)

if [ $# -eq 0 ]; then
	failed=
	while read -r name _; do
		"$0" "$name" </dev/null || failed="$failed $name"
	done <<<"$all"
	[ -z "$failed" ] || { echo "verify-long: failed:$failed" >&2; exit 1; }
	exit 0
fi

read -r name package tests < <(grep "^$1 " <<<"$all") || { echo "verify-long: there is no $1; there are: $(cut -d' ' -f1 <<<"$all" | xargs)" >&2; exit 2; }
echo "== $name"
if [ "$package" = script ]; then
	exec "$tests"
fi
if [ "$package" = bench ]; then
	# shellcheck disable=SC2086 # several arguments
	exec go run ./internal/bench $tests
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! SPECTERD_LONG=1 go test -count=1 -v -timeout 3h -run "^($tests)\$" "$package" >"$log" 2>&1 || grep -q 'no tests to run' "$log"; then
	cat "$log"
	exit 1
fi
sed -n 's/^.*FIGURE /   /p' "$log"
grep '^ok' "$log"
