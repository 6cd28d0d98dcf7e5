#!/bin/bash
# Attack specterd from seven sides and print the results. Each attempt is a test in its short form; the long forms
# are in verify-long.sh. `make verify-long-attack` runs this script.
set -euo pipefail

# side | package | tests | what is attempted
all=$(cat <<'TABLE'
outsider    | ./internal/httpapi  | TestMatrix|TestIsolation | every route with every kind of credential
outsider    | ./internal/httpapi  | TestLoginThrottle_.* | guess passwords of one user, of all, of unknown ones
outsider    | ./internal/auth     | TestGuessablePasswords.*|TestLoginThrottle_.*|TestLoginCounts.* | guessable passwords; find users by the time of a login
outsider    | ./internal/store    | TestRefusedLogins_BoundedAuditLog | fill the audit log with refused logins
outsider    | ./internal/httpapi  | TestBodyLimit_.*|TestForwardedFor|TestTrustedProxies|TestUndeclaredProxy|TestUnknownUsersCostAsMuch|TestDefaultPasswordsFromOutside | large bodies; claim another address; the default password; find users by the time of a login
outsider    | ./cmd/specterd      | TestSlowHeaders|TestLoginFlood | slow headers, a flood of logins
user        | ./internal/httpapi  | TestRecheck_.* | go on with a credential that ended while the body was on its way
user        | ./internal/store    | TestGrants_.*|TestAccessVersion|TestCreateToken_ParentRetired | the same, between the check and the transaction
user        | ./internal/httpapi  | TestWallets | re-point the alias of another member, join uninvited, learn who is a user
user        | ./internal/store    | TestUsedAliases|TestInvitations.*|TestQuota.* | take over a used alias; store more than the quota, two at once
user        | ./internal/httpapi  | TestHeavyRequests_.*|TestQuota | occupy the server with heavy requests
user        | ./internal/psbt     | TestDecode_MemoryPerByte | bodies that become large in memory
user        | ./internal/indexer | TestRescans_FairByUser | make others wait behind rescans
token       | ./internal/httpapi  | TestRightsSearch|TestPasswordRequired|TestRolesTakeScopes|TestRoleScopes | obtain rights that the token does not have
token       | ./internal/httpapi  | TestSuccessors.*|TestTokensEndTheirOwn|TestUserTokens | outlive the deletion of a stolen token, delete others
token       | ./internal/proposal    | TestSignaturesAreWithheld|TestEndedProposalsLoseSignatures|TestRemedy | read signatures without the right to sign or send
token       | ./internal/httpapi  | TestFields | read fields beyond role and scope
node        | ./internal/proposal    | TestLyingNode|TestLyingSigner|TestLyingEstimates|TestMaxFeeRate|TestDeficitOfAncestors | another address, amount, change or fee than requested
node        | ./internal/node/backend     | TestBadAnswers|TestAncestryThatCannotBe|TestBadPublishers | answers that cannot be
node        | ./internal/node/zmq      | TestSources.*|TestBadPublishers | announcements from other hosts, and malformed ones
file        | ./cmd/specterd      | TestPlantedSymlinks|TestTerminalEscapes | symbolic links in the data folder, escapes for the terminal
file        | ./internal/privatefile | Test.* | symbolic links wherever files are written
file        | ./internal/text     | Test.* | text that misleads a reader
file        | ./internal/backup   | Test.* | damaged and forged backups
file        | ./internal/specter/datadir | Test.* | hostile folders of Specter Desktop
reader      | ./cmd/specterd      | TestSecrets | passwords, tokens and keys in database, log and backups
reader      | ./internal/store    | TestAuditChain.*|TestAuditArchive.* | change or cut the audit log unnoticed
page        | ./internal/httpapi  | TestCrossOrigin|TestHosts|TestSecurityHeaders|TestPageLoadsNothingElse | requests of other origins, DNS rebinding, frames
TABLE
)

failed=0
printf '%-9s %-24s %6s %7s  %s\n' side package tests result attempt
while IFS= read -r line; do
	side=$(cut -d'|' -f1 <<<"$line" | xargs)
	package=$(cut -d'|' -f2 <<<"$line" | xargs)
	attempt=${line##*|}
	tests=${line#*|*|}
	tests=$(xargs <<<"${tests%|*}")
	log=$(mktemp)
	result=ok
	go test -count=1 -v -timeout 20m -run "^($tests)\$" "$package" >"$log" 2>&1 </dev/null || result=FAILED
	ran=$(grep -c '^ *--- PASS' "$log" || true)
	[ "$ran" -gt 0 ] || result=FAILED
	printf '%-9s %-24s %6s %7s %s\n' "$side" "${package#./}" "$ran" "$result" "$attempt"
	if [ "$result" = FAILED ]; then
		failed=1
		grep -E '^ *--- FAIL|_test.go:|no tests to run|panic:' "$log" | head -40
	fi
	rm -f "$log"
done <<<"$all"
exit "$failed"
