#!/bin/bash
# Attack specterd from seven sides and print the results. Each attempt is a test in its short form; the long forms
# are in verify-long.sh. `make verify-long-attack` runs this script.
set -euo pipefail

# side | package | tests | what is attempted
all=$(cat <<'TABLE'
outsider    | ./internal/httpapi  | TestMatrix|TestIsolation | every route with every kind of credential
outsider    | ./internal/httpapi  | TestLoginThrottle_.* | guess passwords of one user, of all, of unknown ones
outsider    | ./internal/auth     | TestGuessablePasswords.*|TestLoginThrottle_.*|TestLoginCounts.*|TestQueue_.* | guessable passwords; find user names by the duration of a login
outsider    | ./internal/store    | TestRefusedLogins_BoundedAuditLog | fill the audit log with refused logins
outsider    | ./internal/httpapi  | TestBodyLimit_.*|TestForwardedFor|TestTrustedProxies|TestUndeclaredProxy|TestLogin_UnknownUserTiming|TestDefaultPasswords_ReachableServer|TestGuessablePasswords | large bodies; claim another address; the default password; find user names by the duration of a login
outsider    | ./test/system       | TestSlowHeaders|TestLoginFlood|TestDefaultPassword_OtherMachines|TestUnencryptedWarning | slow headers, a flood of logins, a server without TLS or with the default password
user        | ./internal/httpapi  | TestRecheck_.* | continue with a credential that was revoked while the body was being sent
user        | ./internal/store    | TestGrants_.*|TestAccessVersion|TestCreateToken_.*|TestLogin_UserChangesMeanwhile | the same, between authorization and transaction
user        | ./internal/wallet   | TestService | use a role that was taken meanwhile, an invitation that ended, or wallets of others
user        | ./internal/httpapi  | TestWallets | re-point the alias of another member, join uninvited, find out user names
user        | ./internal/store    | TestUsedAliases|TestInvitations.*|TestQuota.* | take over a used alias; exceed the quota with two concurrent requests
user        | ./internal/httpapi  | TestHeavyRequests_.*|TestQuota | occupy the server with heavy requests
user        | ./internal/admission | Test.* | hold more places, slots or memory than a user may
user        | ./internal/psbt     | TestDecode_MemoryPerByte|TestDecode_PartLimits | bodies that use much memory once decoded
user        | ./internal/indexer | TestRescans_FairByUser | delay the rescans of other users
token       | ./internal/httpapi  | TestRightsSearch|TestPasswordRequired|TestRoles_RequiredScopes|TestRoleScopes | obtain rights that the token does not have
token       | ./internal/httpapi  | TestSuccessors.*|TestToken_DeletesItself|TestUserTokens | stay valid after the deletion of a stolen token, delete other tokens
token       | ./internal/proposal    | TestSignatures_Withheld|TestSignatures_DeletedWhenClosed|TestRemedy | read signatures without the right to sign or send
token       | ./internal/httpapi  | TestFields | read fields beyond role and scope
node        | ./internal/proposal    | TestLyingNode|TestLyingSigner|TestLyingEstimates|TestMaxFeeRate|TestDeficitOfAncestors | another address, amount, change or fee than requested
node        | ./internal/node/backend     | TestBadHistories|TestBadFunding|TestAncestry_Impossible | responses with impossible values
node        | ./internal/node/zmq      | TestSources.*|TestBadPublishers | announcements from other hosts, and malformed ones
file        | ./test/system       | TestPlantedSymlinks|TestTerminalEscapes | symbolic links in the data directory, escapes for the terminal
file        | ./internal/privatefile | Test.* | symbolic links in place of written files
file        | ./internal/store    | TestLock_Link | a symbolic link in place of the lock file
file        | ./internal/text     | Test.* | deceptive text
file        | ./internal/backup   | Test.* | damaged and forged backups
file        | ./internal/specter/datadir | Test.* | manipulated Specter Desktop directories
reader      | ./test/system       | TestSecrets | passwords, tokens and keys in database, log and backups
reader      | ./internal/store    | TestAuditChain.*|TestAuditArchive.* | change or truncate the audit log without detection
page        | ./internal/httpapi  | TestCrossOrigin|TestHosts|TestSecurityHeaders|TestReference_OwnResources | requests of other origins, DNS rebinding, frames
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
	names=$(go test -list . "$package" </dev/null)
	for name in ${tests//|/ }; do # a renamed test must not drop out silently
		grep -Eq "^$name\$" <<<"$names" || { result=FAILED; echo "   there is no test $name in $package"; }
	done
	[ "$ran" -gt 0 ] || result=FAILED
	printf '%-9s %-24s %6s %7s %s\n' "$side" "${package#./}" "$ran" "$result" "$attempt"
	if [ "$result" = FAILED ]; then
		failed=1
		grep -E '^ *--- FAIL|_test.go:|no tests to run|panic:' "$log" | head -40
	fi
	rm -f "$log"
done <<<"$all"
exit "$failed"
