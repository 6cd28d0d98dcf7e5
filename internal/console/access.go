package console

import "slices"

// accessRoutes are the pages of access: tokens, webhooks, users, the audit log, the node, and the settings of the user.
var accessRoutes = slices.Concat(tokenRoutes, webhookRoutes, userRoutes, auditRoutes, nodeRoutes, settingsRoutes, invitationRoutes, firstRunRoutes)

// accessNotices are the notices of these pages.
var accessNotices = merged(tokenNotices, webhookNotices, userNotices, settingsNotices, invitationNotices, firstRunNotices)
