package httpcall

import (
	"context"
	"net/http"

	"github.com/specterd/specterd/internal/admission"
)

// Limited is the response writer of a request that waits for a place of its user and for a slot
// of the server. Each write releases the slot, so that clients that read slowly do not block
// other requests.
type Limited struct {
	http.ResponseWriter

	gate   *admission.Gate
	userID string
	kind   admission.Kind
	slot   *admission.Slot // nil unless the request has a place
}

// NewLimited returns the response writer of a request of a user, which has no place yet.
func NewLimited(w http.ResponseWriter, gate *admission.Gate, userID string, kind admission.Kind) *Limited {
	return &Limited{ResponseWriter: w, gate: gate, userID: userID, kind: kind}
}

// Work waits for a place and a slot, or again for a slot after a write.
func (w *Limited) Work(ctx context.Context) (err error) {
	if w.slot == nil {
		w.slot, err = w.gate.Enter(ctx, w.userID, w.kind)
		return err
	}
	return w.slot.Resume(ctx)
}

// Write implements http.ResponseWriter.
func (w *Limited) Write(b []byte) (int, error) {
	if w.slot != nil {
		w.slot.Pause()
	}
	return w.ResponseWriter.Write(b)
}

// Leave releases the slot and the place.
func (w *Limited) Leave() {
	if w.slot != nil {
		w.slot.Leave()
		w.slot = nil
	}
}

// WithSlot returns a context with the slot for admission.Idle. The request must have one.
func (w *Limited) WithSlot(ctx context.Context) context.Context {
	return admission.WithSlot(ctx, w.slot)
}

// Unwrap returns the wrapped response writer, for http.ResponseController.
func (w *Limited) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// AnnouncedSize returns the maximum size of the body of a request in bytes: its Content-Length
// or, if the length is unknown, most, the limit of the route.
func AnnouncedSize(r *http.Request, most int64) int64 {
	if r.ContentLength < 0 {
		return most
	}
	return r.ContentLength
}
