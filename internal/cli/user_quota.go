package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) userQuotaCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "quota NAME [QUOTA=LIMIT …]", Short: "Show or set the quotas of a user", Args: cobra.MinimumNArgs(1),
		Long: `Show or set the quotas of a user.

A limit set here replaces the limit of SPECTER_QUOTAS for this user; QUOTA=default
removes it. If a user already exceeds a new limit, nothing is deleted.`,
		Example: "  specterd user quota alice wallets=20 tokens=default",
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			u, err := userNamed(cmd.Context(), a, args[0])
			if err != nil {
				return err
			}
			if len(args) > 1 {
				change, err := quotaChange(args[1:])
				if err != nil {
					return err
				}
				if sameQuotas(u, change) {
					fmt.Fprintf(p.stderr, "User %s has these quotas already; nothing was changed.\n", u.Name)
				} else if u, err = a.Users.Change(cmd.Context(), operator(), args[0], auth.UserChange{Quotas: change}); err != nil {
					return err
				}
			}
			uses, err := a.Users.QuotaUse(cmd.Context(), u)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowUserDetails(u, uses))
			}
			number := func(head string, n func(auth.QuotaUse) int64) column[auth.QuotaUse] {
				return column[auth.QuotaUse]{head, func(q auth.QuotaUse) string { return strconv.FormatInt(n(q), 10) }, true}
			}
			return printRows(
				p, cmd, uses, nil,
				col("QUOTA", func(q auth.QuotaUse) string { return string(q.Quota) }),
				number("USED", func(q auth.QuotaUse) int64 { return q.Used }),
				number("LIMIT", func(q auth.QuotaUse) int64 { return q.Limit }),
				col("SET BY", setBy),
				col("MEANING", func(q auth.QuotaUse) string { return q.Means }),
			)
		}),
	})
}

func setBy(q auth.QuotaUse) string {
	if q.Own {
		return "admin"
	}
	return "server"
}

// sameQuotas reports whether a change sets only limits that the user has already.
func sameQuotas(u auth.User, change map[auth.Quota]*int64) bool {
	for quota, limit := range change {
		own, set := u.Quotas[quota]
		if set != (limit != nil) || set && own != *limit {
			return false
		}
	}
	return true
}

// quotaChange parses arguments such as tokens=5 and wallets=default. The limit is nil for
// default.
func quotaChange(args []string) (map[auth.Quota]*int64, error) {
	change := map[auth.Quota]*int64{}
	var names []string
	for _, info := range auth.Quotas() {
		names = append(names, string(info.Quota))
	}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if !slices.Contains(names, name) {
			return nil, errUsage("%q is not a quota; the quotas are %s", name, text.List(names, "and"))
		}
		if value == "default" {
			change[auth.Quota(name)] = nil
			continue
		}
		limit, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, errUsage("%s must be QUOTA=LIMIT or QUOTA=default", arg)
		}
		change[auth.Quota(name)] = &limit
	}
	return change, nil
}
