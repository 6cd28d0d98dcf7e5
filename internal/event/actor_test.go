package event_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
)

func TestActorOf(t *testing.T) {
	user := auth.User{ID: "u", Name: "alice"}
	for name, c := range map[string]struct {
		who  *auth.Principal
		want event.Actor
	}{
		"user":                        {&auth.Principal{UserID: "u", UserName: "alice", TokenID: "t"}, event.Actor{UserID: "u", UserName: "alice", TokenID: "t"}},
		"operator":                    {auth.Operator("root"), event.Actor{UserName: "root"}},
		"operator on behalf of alice": {auth.Operator("root").For(user), event.Actor{UserName: "root"}},
		"specterd":                    {auth.Program("specterd"), event.Actor{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := event.ActorOf(c.who.Event(time.Now(), "", "", ""))
			if got != c.want || got.IsOperator() != (got.UserName == "root") {
				t.Errorf("the actor is %+v", got)
			}
		})
	}
}
