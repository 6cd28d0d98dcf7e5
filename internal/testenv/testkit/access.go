package testkit

import (
	"errors"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/wallet"
)

// Access returns a user's access to the wallet for which they have this alias. Without such
// a wallet it returns the zero value, with which all operations return wallet.ErrNotFound.
func Access(t testing.TB, wallets *wallet.Service, who *auth.Principal, alias string) wallet.Access {
	t.Helper()
	access, err := wallets.Access(t.Context(), who, alias)
	if err != nil && !errors.Is(err, wallet.ErrNotFound) {
		t.Error(err) // not Fatal: it may be called in another goroutine
	}
	return access
}
