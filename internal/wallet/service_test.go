package wallet_test

import (
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestService runs all tests that need a node that stays up, on one node.
func TestService(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t)
	n.CLI(t, "createwallet", funder)
	var address string
	decode(t, n.WalletCLI(t, funder, "getnewaddress"), &address)
	n.CLI(t, "generatetoaddress", 5, address)
	n.Mine(t, 115)
	onBoth(t, n, map[string]func(r *fixture){
		"create, and reveal addresses":          testCreate,
		"an interrupted creation is finished":   testFinish,
		"delete":                                testDelete,
		"delete, concurrently with the indexer": testDelete_Concurrent,
		"delete with files":                     testDeleteFiles,
		"files that are kept":                   testFilesStay,
		"rename":                                testRename,
		"maximum fee rate":                      testMaxFeeRate,
		"final":                                 testFinalAfter,
		"members":                               testMembers,
		"members, added by an admin":            testAddedMembers,
		"invitations":                           testInvitations,
		"invitations that end":                  testInvitationsEnd,
		"invitations do not reveal users":       testInvitationsDoNotRevealUsers,
		"aliases are not reassigned":            testAliases_Kept,
		"one wallet per descriptor":             testSameAddresses,
		"roles":                                 testRoles,
		"access":                                testAccess,
		"role taken meanwhile":                  testRoleTaken,
		"tokens for certain wallets":            testLimitedTokens,
		"concurrent addresses":                  testAddressesAtOnce,
		"UTXOs and labels":                      testUTXOs,
		"history of several wallets":            testHistory,
		"wait for a height":                     testWaitForHeight,
	})
	// These tests depend on the node and not on the database, so they run on SQLite only.
	onOne(t, n, map[string]func(r *fixture){
		"create from keys":                testCreateFromKeys,
		"create, invalid requests":        testCreateRefuses,
		"create compares with the node":   testCreateComparesWithTheNode,
		"birthday":                        testBirthday,
		"without the node":                testWithoutTheNode,
		"a refused wallet is removed":     testFinishGivesUp,
		"addresses beyond the range":      testRange,
		"addresses of a lost Core wallet": testRangeOfALostWallet,
		"find an address":                 testFindAddress,
		"rescan":                          testRescan,
	})
}
