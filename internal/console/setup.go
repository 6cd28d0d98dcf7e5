package console

import (
	"maps"
	"slices"
)

// setupRoutes are the pages that set up a wallet: new wallet, members, settings of a wallet, policies.
var setupRoutes = slices.Concat(newWalletRoutes, memberRoutes, walletSettingsRoutes, findRoutes, policyRoutes, policyListRoutes, simulateRoutes)

// setupNotices are the notices of these pages.
var setupNotices = func() map[string]string {
	all := maps.Clone(newWalletNotices)
	maps.Copy(all, memberNotices)
	maps.Copy(all, walletSettingsNotices)
	maps.Copy(all, policyNotices)
	return all
}()
