package httpapi

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// Database is what health asks of the database.
type Database interface {
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
}

// health answers those who watch over the process. It works also while the rest
// of the API is switched off.
type health struct {
	database Database
	node     Node
}

type healthResponse struct {
	Message string `json:"message"`
}

func (*health) liveness(context.Context, struct{}) (healthResponse, error) {
	return healthResponse{"i am alive"}, nil
}

// pingPatience is how long the database may take to answer.
const pingPatience = 2 * time.Second

func (h *health) readiness(ctx context.Context, _ struct{}) (healthResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, pingPatience)
	defer cancel()
	if err := h.database.Ping(ctx); err != nil {
		return healthResponse{}, notReady("the database does not answer", 5*time.Second).Because(err)
	}
	if f := h.node.Status().Ready(); f != nil {
		return healthResponse{}, notReady(f.Message, f.RetryAfter).Because(f)
	}
	return healthResponse{"i am ready"}, nil
}

// notReady keeps the message of the original and puts the reason beside it.
func notReady(reason string, after time.Duration) *fault.Error {
	return fault.New(fault.Unavailable, "not_ready", "Readyness probe failed").With("reason", reason).After(after)
}
