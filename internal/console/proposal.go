package console

// proposalRoutes are the pages of payments: send, proposals, QR codes.
var proposalRoutes = []route{}

// proposalNotices are the notices of these pages.
var proposalNotices = map[string]string{}
