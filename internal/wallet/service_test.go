package wallet_test

import (
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestService is all that needs a node which stays up, so that one is enough.
func TestService(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t)
	n.CLI(t, "createwallet", funder)
	var address string
	decode(t, n.WalletCLI(t, funder, "getnewaddress"), &address)
	n.CLI(t, "generatetoaddress", 5, address)
	n.Mine(t, 115)
	onBoth(t, n, map[string]func(r *rig){
		"create, and hand out addresses": testCreate,
		"a half-made wallet is finished": testFinish,
		"delete":                         testDelete,
		"delete, the follower at once":   testDeleteOvertaken,
		"delete the files, too":          testDeleteFiles,
		"files that stay":                testFilesStay,
		"rename":                         testRename,
		"maximum fee rate":               testMaxFeeRate,
		"members":                        testMembers,
		"members, added by an admin":     testAddedMembers,
		"invitations":                    testInvitations,
		"invitations that end":           testInvitationsEnd,
		"invitations tell no users":      testInvitationsTellNoUsers,
		"aliases are not re-pointed":     testAliasesAreKept,
		"one wallet per descriptor":      testSameAddresses,
		"who may do what":                testRoles,
		"tokens for certain wallets":     testLimitedTokens,
		"addresses, many at once":        testAddressesAtOnce,
		"coins and labels":               testCoins,
		"history of several wallets":     testHistory,
		"wait for a height":              testWaitForHeight,
	})
	// What is more about the node than about what is stored.
	onOne(t, n, map[string]func(r *rig){
		"create from keys":               testCreateFromKeys,
		"create refuses":                 testCreateRefuses,
		"create asks the node's opinion": testCreateComparesWithTheNode,
		"birth":                          testBirth,
		"without the node":               testWithoutTheNode,
		"one that cannot be made goes":   testFinishGivesUp,
		"addresses, past the range":      testRange,
		"addresses, Core's wallet lost":  testRangeOfALostWallet,
		"find an address":                testFindAddress,
		"rescan":                         testRescan,
	})
}
