package console

// accessRoutes are the pages of access: tokens, webhooks, users, the audit log, the node, and the settings of the user.
var accessRoutes = []route{}

// accessNotices are the notices of these pages.
var accessNotices = map[string]string{}
