package console

// setupRoutes are the pages that set up a wallet: new wallet, members, settings of a wallet.
var setupRoutes = []route{}

// setupNotices are the notices of these pages.
var setupNotices = map[string]string{}
