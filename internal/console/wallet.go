package console

// walletRoutes are the pages of a wallet that show what it has: overview, receive, history, transactions, UTXOs.
var walletRoutes = []route{}

// walletNotices are the notices of these pages.
var walletNotices = map[string]string{}
