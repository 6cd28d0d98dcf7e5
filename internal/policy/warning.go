package policy

// Warning is a property of a policy that is probably unintended.
type Warning struct {
	Code    string // stable
	Rule    string // name of the rule
	Message Sentence
}

// Splittable is the code of a rule that limits single payments but not their sum: several small
// payments can pay any amount.
const Splittable = "splittable"

// TooFewApprovers is the code of a rule that requires more approvals than members can give.
const TooFewApprovers = "too_few_approvers"

// ApproverWarning returns a warning about a rule whose approvals only available members can give.
func (r *Rule) ApproverWarning(available int) Warning {
	return Warning{TooFewApprovers, r.Name, say(
		"The rule %s requires more approvals (%d) than members of the wallet can give (%d). Invite more, or change their roles.", r.Name, r.Approvals.Count, available)}
}

// Warnings returns the warnings about a policy, in the order of its rules.
func (p Policy) Warnings() []Warning {
	var all []Warning
	for i := range p.Allow {
		if r := &p.Allow[i]; r.splittable() {
			all = append(all, Warning{Splittable, r.Name, say(
				"The rule %s limits only single payments: several small ones can pay any amount. Add a window.", r.Name)})
		}
	}
	return all
}

// splittable reports whether a rule limits the amount of a payment, or requires approvals only
// above an amount, without a window. A window limits the sum also if it limits only the number.
func (r *Rule) splittable() bool {
	limited := r.MaxPayment != nil || r.Approvals != nil && r.Approvals.Above > 0
	return limited && len(r.Windows) == 0
}
