package evasion

import (
	"slices"
	"strconv"
	"time"
)

// The types and functions in this file are a second, independent implementation of the policy
// document, for the verdict: whether a payment fits a rule.

type document struct {
	Allow *[]rule  `json:"allow"`
	Deny  []target `json:"deny"`
}

type rule struct {
	Name          string    `json:"name"`
	To            *[]target `json:"to"`
	MaxPayment    *int64    `json:"max_payment_sat"`
	MaxRecipients *int      `json:"max_recipients"`
	Windows       []window  `json:"windows"`
	Fee           struct {
		Rate    *float64 `json:"max_sat_vb"`
		Max     *int64   `json:"max_sat"`
		Percent *int64   `json:"max_percent"`
	} `json:"fee"`
	Hours *struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"hours"` // of UTC
	Coins struct {
		Confirmations int `json:"confirmations"`
	} `json:"coins"`
	Keep      *int64     `json:"keep_at_least_sat"`
	Approvals *approvals `json:"approvals"`
	Delay     string     `json:"delay"`
}

type window struct {
	Per      string `json:"per"`
	MaxSat   *int64 `json:"max_sat"`
	MaxCount *int   `json:"max_count"`
}

type approvals struct {
	Count       int      `json:"count"`
	Of          []string `json:"of"`
	NotProposer bool     `json:"not_proposer"`
	Above       int64    `json:"above_sat"`
}

type target struct {
	Address string `json:"address"`
	Wallet  string `json:"wallet"`
	List    string `json:"list"`
}

// duration parses durations such as 30m, 24h and 7d.
func duration(text string) time.Duration {
	if text == "" {
		return 0
	}
	n, _ := strconv.Atoi(text[:len(text)-1])
	return time.Duration(n) * map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[text[len(text)-1]]
}

// matches reports whether an address belongs to one of the targets.
func (w *world) matches(targets []target, address string) bool {
	return slices.ContainsFunc(targets, func(to target) bool {
		switch {
		case to.Wallet == w.cold.alias || to.Wallet == w.cold.id:
			return slices.Contains(w.cold.receive, address) || slices.Contains(w.cold.change, address)
		case to.List != "":
			return w.matches(w.laws.lists[to.List], address)
		}
		return to.Address == address
	})
}

// fits returns why a payment does not fit a rule, without its windows; empty if it fits.
func (w *world) fits(p *payment, r *rule) string {
	if r.To != nil {
		for _, out := range p.paid {
			if !w.matches(*r.To, out.address) {
				return "recipient " + out.address
			}
		}
	}
	amount := p.amount()
	hour := p.at.UTC().Format("15:04")
	switch {
	case r.MaxPayment != nil && amount > *r.MaxPayment:
		return "max_payment_sat"
	case r.MaxRecipients != nil && len(p.paid) > *r.MaxRecipients:
		return "max_recipients"
	case r.Fee.Max != nil && p.fee > *r.Fee.Max:
		return "fee.max_sat"
	case r.Fee.Percent != nil && p.fee*100 > *r.Fee.Percent*amount:
		return "fee.max_percent"
	case r.Fee.Rate != nil && float64(p.fee) > *r.Fee.Rate*float64(p.vsize):
		return "fee.max_sat_vb"
	case r.Hours != nil && (hour < r.Hours.From || hour >= r.Hours.To):
		return "hours"
	case r.Keep != nil && w.remaining() < *r.Keep:
		return "keep_at_least_sat"
	case r.Coins.Confirmations > 0 && !p.sent && w.confirmations(p) < r.Coins.Confirmations:
		return "coins.confirmations"
	case p.status != awaiting && w.realTime().Before(p.at.Add(duration(r.Delay))):
		return "delay"
	case p.status != awaiting && r.Approvals != nil && (amount > r.Approvals.Above || r.Approvals.Above == 0) && w.approved(p, r.Approvals) < r.Approvals.Count:
		return "approvals"
	}
	return ""
}

// approved returns the number of users whose approval counts: given since the last change of a
// policy, by a member of the groups.
func (w *world) approved(p *payment, a *approvals) int {
	users := map[string]bool{}
	for _, given := range p.approvals {
		own := given.user == p.user && (a.NotProposer || given.token != "")
		if !given.at.Before(w.laws.at) && !own && w.isOneOf(given.user, a.Of) {
			users[given.user] = true
		}
	}
	return len(users)
}

func (w *world) isOneOf(user string, groups []string) bool {
	if groups == nil {
		groups = []string{"role:signer"}
	}
	roles := []string{"", "viewer", "proposer", "signer", "owner"}
	return slices.ContainsFunc(groups, func(group string) bool {
		if group == "user:"+user {
			return w.roles[user] != ""
		}
		needed := slices.Index(roles, group[len("role:"):])
		return len(group) > 5 && group[:5] == "role:" && slices.Index(roles, w.roles[user]) >= needed
	})
}
