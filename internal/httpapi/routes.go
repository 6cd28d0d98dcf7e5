package httpapi

import (
	"net/http"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/httpapi/v1alpha"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

// The columns: method and path; who may come in, with which scope and role;
// what answers; what it is for.
func table(health *health, alpha *v1alpha.API, one *v1.API) []route.Route {
	return []route.Route{
		line(get, "/api/healthz/liveness", route.Nobody, 0, route.Anybody, route.Read(health.liveness), "Say that the process lives"),
		line(get, "/api/healthz/readyness", route.Nobody, 0, route.Anybody, route.Read(health.readiness), "Say whether database and node can be used"),

		line(get, "/api/v1alpha/token", route.Basic, 0, route.Anybody, route.Read(alpha.ListTokens), "List your tokens"),
		line(post, "/api/v1alpha/token", route.Basic, 0, route.Anybody, route.Create(alpha.CreateToken), "Make a token"),
		line(get, "/api/v1alpha/token/{id}", route.Basic, 0, route.Anybody, route.Read(alpha.GetToken), "Show a token's details"),
		line(remove, "/api/v1alpha/token/{id}", route.Basic, 0, route.Anybody, route.Read(alpha.DeleteToken), "Delete a token, which ends it at once"),
		line(get, "/api/v1alpha/specter", route.Bearer, auth.NodeRead, route.Admin, route.Read(alpha.GetSpecter), "Show settings, node and wallets"),

		line(get, "/api/v1/tokens", route.Either, auth.TokensRead, route.Anybody, route.Read(one.ListTokens), "List your tokens"),
		line(post, "/api/v1/tokens", route.Either, auth.TokensWrite, route.Anybody, route.Create(one.CreateToken), "Make a token"),
		line(get, "/api/v1/tokens/self", route.OwnToken, 0, route.Anybody, route.Read(one.GetOwnToken), "Show the token that the request is made with"),
		line(remove, "/api/v1/tokens/self", route.OwnToken, 0, route.Anybody, route.Delete(one.DeleteOwnToken), "Delete the token that the request is made with"),
		line(get, "/api/v1/tokens/{id}", route.Either, auth.TokensRead, route.Anybody, route.Read(one.GetToken), "Show a token's details"),
		line(remove, "/api/v1/tokens/{id}", route.Either, auth.TokensWrite, route.Anybody, route.Delete(one.DeleteToken), "Delete a token and those made with it, which ends them at once"),
		line(post, "/api/v1/tokens/{id}/rotate", route.Either, auth.TokensWrite, route.Anybody, route.Create(one.RotateToken), "Replace a token by one with the same rights"),

		line(get, "/api/v1/users", route.Bearer, auth.UsersRead, route.Admin, route.Read(one.ListUsers), "List the users"),
		line(post, "/api/v1/users", route.Bearer, auth.UsersWrite, route.Admin, route.Create(one.CreateUser), "Add a user"),
		line(get, "/api/v1/users/me", route.AnyToken, 0, route.Anybody, route.Read(one.GetSelf), "Show who you are"),
		line(patch, "/api/v1/users/me", route.Basic, 0, route.Anybody, route.Read(one.ChangeSelf), "Change your password"),
		line(get, "/api/v1/users/{name}", route.Bearer, auth.UsersRead, route.Admin, route.Read(one.GetUser), "Show a user"),
		line(patch, "/api/v1/users/{name}", route.Bearer, auth.UsersWrite, route.Admin, route.Read(one.ChangeUser), "Reset a password, change the role, disable or enable"),
		line(remove, "/api/v1/users/{name}", route.Bearer, auth.UsersWrite, route.Admin, route.Delete(one.DeleteUser), "Delete a user with all their tokens"),

		line(get, "/api/v1/node", route.Bearer, auth.NodeRead, route.Anybody, route.Read(one.GetNode), "Show the node's state"),
	}
}

// line is one line of the table.
func line(method, path string, who route.Credentials, scope auth.Scopes, role route.Role, h route.Handler, summary string) route.Route {
	return route.Route{Method: method, Path: path, Credentials: who, Scope: scope, Role: role, Handler: h, Summary: summary}
}
