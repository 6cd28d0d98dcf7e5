package httpapi

// NewHandler serves any table of routes, for tests of what no route has yet.
var NewHandler = newHandler
