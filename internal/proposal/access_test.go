package proposal_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/wallet"
)

// withoutAccess are the methods of the services that do not take the access to a wallet.
var withoutAccess = map[reflect.Type][]string{
	reflect.TypeFor[*wallet.Service](): {
		"Access", "Accesses", "Memberships", // determine the access
		"Create", "Devices", "FindAddress", "Inspect", "List", "Problems", "RenameDevice", // take the caller instead
		"Accept", "EndInvitation", "OwnInvitations", // take the invited user, or the id of an invitation
		"EnsureRange", "EnsureScanRange", "ExtendRange", "Finish", "LockSelection", // for the indexer
		"Network", "WithAdminsAddingMembers", "WithLookahead", // concern no wallet
	},
	reflect.TypeFor[*proposal.Service](): {
		"TryImport",                                                                                // for a wallet that does not exist yet
		"CompleteUpgrade", "ExpireOverdue", "NextExpiry", "ReleaseDue", "NextRelease", "Reconcile", // for the server
		"CheckMaxFeeRate", "MaxFeeRate", "Remedy", // concern no wallet, or take a proposal that was read
	},
	reflect.TypeFor[*spending.Service](): {
		"GetServer", "PutServer", "DeleteServer", "PreviewPutServer", "ServerChanges", "ApproveServerChange", "CancelServerChange", // take the caller, an admin
		"TokenPolicy",            // takes the caller
		"ApplyDue", "NextChange", // for the server
	},
}

// TestServices_TakeAccess checks that every method that the services offer to callers
// takes an access to the wallet instead of an alias, and that it returns ErrNotFound for
// the zero access, before it uses the database or the node.
func TestServices_TakeAccess(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	wallets := wallet.New(log, nil, nil, nil, time.Now, nil)
	proposals := proposal.New(log, nil, wallets, nil, time.Now, proposal.Options{})
	policies := spending.New(nil, wallets, proposals, nil, time.Now, nil, nil)
	for _, service := range []any{wallets, proposals, policies} {
		s := reflect.ValueOf(service)
		known := withoutAccess[s.Type()]
		for i := range s.NumMethod() {
			name, method := s.Type().Method(i).Name, s.Method(i)
			if slices.Contains(known, name) {
				continue
			}
			if !takesAccess(method.Type()) {
				t.Errorf("%s.%s takes neither a wallet.Access nor a wallet.Set as its second parameter: %s", s.Type(), name, method.Type())
				continue
			}
			args := []reflect.Value{reflect.ValueOf(context.Background())}
			for n := 1; n < method.Type().NumIn(); n++ {
				args = append(args, reflect.Zero(method.Type().In(n)))
			}
			results := method.Call(args)
			if err, _ := results[len(results)-1].Interface().(error); !errors.Is(err, wallet.ErrNotFound) {
				t.Errorf("%s.%s returns %v for the zero value", s.Type(), name, err)
			}
		}
		for _, name := range known {
			if !s.MethodByName(name).IsValid() {
				t.Errorf("%s has no method %s", s.Type(), name)
			}
		}
	}
}

// takesAccess reports whether a method takes the access to a wallet, and no other caller.
func takesAccess(method reflect.Type) bool {
	params := slices.Collect(method.Ins())
	if len(params) < 2 || slices.Contains(params, reflect.TypeFor[*auth.Principal]()) {
		return false
	}
	return params[1] == reflect.TypeFor[wallet.Access]() || params[1] == reflect.TypeFor[wallet.Set]()
}

func TestAccess_ZeroValue(t *testing.T) {
	for name, a := range map[string]wallet.Access{"zero": {}, "from a context without one": wallet.AccessFrom(t.Context())} {
		for _, role := range []auth.WalletRole{"", auth.RoleViewer, auth.RoleOwner} {
			if err := a.Need(role); !errors.Is(err, wallet.ErrNotFound) {
				t.Errorf("%s: the role %q: %v", name, role, err)
			}
		}
		if who := a.Caller(); who.UserID != "" || who.Scopes != 0 || who.IsTrusted() || who.MaySeeWallet("") || a.WalletID()+a.Alias()+string(a.Role()) != "" {
			t.Errorf("%s: %+v of %+v", name, a, who)
		}
	}
}
