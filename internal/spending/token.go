package spending

import (
	"context"
	"fmt"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
)

// TokenPolicy returns the canonical form of the policy of a new token. The policy must not
// permit more than the policy of the caller's token or, if it has none, of its nearest ancestor
// that has one. It returns faults about fields of the document; for wider fields with the code
// policy_wider.
func (s *Service) TokenPolicy(ctx context.Context, who *auth.Principal, document []byte) (string, error) {
	parser, err := s.parser(ctx, who, policy.Token, nil)
	if err != nil {
		return "", err
	}
	p, err := parser.Policy(document)
	if err != nil || who.TokenID == "" {
		return string(p.Canonical()), err
	}
	documents, err := s.store.TokenPolicies(ctx, who.TokenID)
	if err != nil || len(documents) == 0 {
		return string(p.Canonical()), err
	}
	parent, err := policy.ParseStored(policy.Token, []byte(documents[0]))
	if err != nil {
		return "", notCallers(err)
	}
	var problems []error
	for _, w := range policy.Narrower(p, parent) {
		field := "policy." + w.Field
		if w.Rule != "" {
			field = fmt.Sprintf("policy.allow[%s].%s", w.Rule, w.Field)
		}
		problems = append(problems, fault.InvalidAs("policy_wider", field, "permits more than the policy of the token that creates it"))
	}
	return string(p.Canonical()), fault.JoinErrors(problems...)
}
