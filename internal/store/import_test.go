package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestImportedAs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		ctx := t.Context()
		event := auth.Event{At: b.now, Action: "import"}
		u := auth.User{ID: uuid.NewString(), Name: "alice", PasswordHash: "$specter$…", CreatedAt: b.now}
		add := func(here *auth.User) (auth.User, auth.Event, error) {
			if here != nil {
				return auth.User{}, event, auth.ErrUserExists
			}
			return u, event, nil
		}
		testkit.Check(t, b.ImportUser(ctx, "folder/alice", "Alice", add))
		got, err := b.UserByID(ctx, u.ID)
		testkit.Check(t, err)
		if diff := cmp.Diff(u, got); diff != "" {
			t.Error(diff)
		}
		wantFault(t, b.ImportUser(ctx, "another/alice", "ALICE", add), auth.ErrUserExists)

		token := tokenFor(u, "x", "", b.now)
		token.Imported = true
		testkit.Check(t, b.ImportToken(ctx, "folder/token", token, event))
		c, err := b.CredentialByID(ctx, token.ID)
		testkit.Check(t, err)
		if diff := cmp.Diff(token, c.Token); diff != "" {
			t.Error(diff)
		}
		wantFault(t, b.ImportToken(ctx, "folder/token", tokenFor(u, "y", "", b.now), event), auth.ErrDescriptionTaken)
		wantFault(t, b.ImportToken(ctx, "folder/other", token, event), auth.ErrDescriptionTaken)
		if n := b.count("SELECT count(*) FROM v_tokens WHERE imported = 'yes'"); n != 1 {
			t.Errorf("the view shows %d imported tokens", n)
		}
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'import'"); n != 2 {
			t.Errorf("%d entries in the audit record", n)
		}

		// The import of a deleted object is still recorded.
		_, err = b.EditUser(ctx, operator, "alice", func(e *auth.UserEdit) error { e.Remove = true; return nil })
		testkit.Check(t, err)
		_, err = b.UserByID(ctx, u.ID)
		wantFault(t, err, auth.ErrUserNotFound)
		for origin, want := range map[[2]string]string{
			{auth.ImportUser, "folder/alice"}: u.ID, {auth.ImportToken, "folder/token"}: token.ID,
			{auth.ImportUser, "another/alice"}: "", {auth.ImportUser, "folder/token"}: "", {auth.ImportToken, "folder/other"}: "",
		} {
			t.Run(fmt.Sprint(origin), func(t *testing.T) {
				if id, err := b.ImportedAs(ctx, origin[0], origin[1]); id != want || err != nil {
					t.Errorf("%v: %q, %v", origin, id, err)
				}
			})
		}
		wantFault(t, b.ImportUser(ctx, "folder/alice", "alice", add), auth.ErrUserExists)
		token.UserID = uuid.NewString()
		wantFault(t, b.ImportToken(ctx, "folder/nobody's", token, event), auth.ErrUnauthenticated)
	})
}

func TestImportUser_UpdatesExistingUser(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("admin", true)
		testkit.Check(t, b.ImportUser(t.Context(), "folder/admin", "admin", func(here *auth.User) (auth.User, auth.Event, error) {
			changed := *here
			changed.PasswordHash = "another"
			return changed, auth.Event{At: b.now}, nil
		}))
		got, err := b.UserByName(t.Context(), "admin")
		testkit.Check(t, err)
		if got.ID != u.ID || got.PasswordHash != "another" {
			t.Errorf("%+v", got)
		}
	})
}

// TestImports_Concurrent checks that concurrent imports import each object only once.
func TestImports_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() {
				errs[i] = b.ImportUser(t.Context(), "folder/alice", "alice", func(here *auth.User) (auth.User, auth.Event, error) {
					if here != nil {
						return auth.User{}, auth.Event{}, auth.ErrUserExists
					}
					return auth.User{ID: uuid.NewString(), Name: "alice", CreatedAt: b.now}, auth.Event{At: b.now}, nil
				})
			})
		}
		wg.Wait()
		good := 0
		for _, err := range errs {
			if err == nil {
				good++
			} else if !errors.Is(err, auth.ErrUserExists) {
				t.Error(err)
			}
		}
		if n := b.count("SELECT count(*) FROM users WHERE name = 'alice'"); n != 1 || good != 1 {
			t.Errorf("%d users of %d imports that went well", n, good)
		}
	})
}
