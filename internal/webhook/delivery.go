package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
)

// Status is the status of a delivery.
type Status string

// The statuses.
const (
	Pending   Status = "pending"
	Delivered Status = "delivered" // the receiver responded with 2xx
	Failed    Status = "failed"    // after the last attempt
	Skipped   Status = "skipped"   // the event must not be sent any more; see Delivery.Reason
)

// The reasons for which a delivery is skipped.
const (
	NotVisible   = "not_visible"   // the user may not see the event any more
	EventDeleted = "event_deleted" // with its wallet, or because it was old
	AtRestore    = "restored"      // it may have been sent after the backup was made
)

// Delivery is the delivery of an event to a webhook.
type Delivery struct {
	// ID identifies the message for the receiver, and is the same in all attempts.
	ID        string
	WebhookID string
	Seq       int64  // position of the event in the log; it must not be shown
	WalletID  string // of the event; empty for an event of the user
	N         int64  // of the event
	Kind      event.Kind
	EventAt   time.Time
	Queue     string
	Status    Status
	Reason    string // why it was skipped
	Attempts  int
	Failures  int       // since it has been pending
	NextAt    time.Time // of the next attempt; zero after the last attempt, or while it waits for another delivery
	StatusAt  time.Time // since when it has its status
	// LeaseUntil is the time until which an attempt is in progress; in the past without one.
	LeaseUntil time.Time
	// Behind is the id of the delivery that it waits for, and BehindSince the time since which
	// that one has been pending; empty if it waits for none.
	Behind      string
	BehindSince time.Time
	Last        *Attempt // last attempt, in lists
}

// InProgress reports whether an attempt is in progress.
func (d *Delivery) InProgress(now time.Time) bool {
	return d.Status == Pending && now.Before(d.LeaseUntil)
}

// Attempt is one attempt to deliver an event.
type Attempt struct {
	Number int // from 1
	At     time.Time
	Ended  bool // false if it is in progress, or if its process was killed
	Result egress.Result
}

const (
	statusGone        = 410
	statusTooMany     = 429
	statusUnavailable = 503
)

// DeliveryID returns the id of the delivery of an event. It follows from the event, so that a
// repeated message has the same id, even if the delivery was forgotten in between. It does
// not depend on Event.Seq, which must not be guessed from it and can be used again after a
// restore.
func DeliveryID(webhookID string, e event.Event) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%s\x00%s\x00%d\x00%s\x00%s",
		webhookID, e.WalletID, e.N, e.UserID, e.Kind, e.At.UnixMicro(), e.Subject, e.Data))
	return "msg_" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// delays are the times between the attempts of a delivery. Each varies by jitter.
var delays = []time.Duration{
	5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute,
	2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 24 * time.Hour,
}

const (
	jitter = 0.2
	// MaxAttempts is the number of attempts after which a delivery has failed.
	MaxAttempts = 10
	// DisableAfter is the time without a success after which a failure disables a webhook.
	DisableAfter = 5 * 24 * time.Hour
)

// settle changes a delivery and its webhook after an attempt. The webhook is disabled if the
// receiver says so, or if it has failed for too long.
func settle(w *Webhook, d *Delivery, r egress.Result, now time.Time) {
	d.NextAt = time.Time{}
	if r.OK() {
		d.Status, d.StatusAt = Delivered, now
		w.FailingSince = time.Time{}
		return
	}
	d.Failures++
	if d.Failures >= MaxAttempts {
		d.Status, d.StatusAt = Failed, now
	} else {
		d.NextAt = now.Add(delayAfter(d.Failures, r))
	}
	if w.FailingSince.IsZero() {
		w.FailingSince = now
	}
	switch {
	case r.Status == statusGone:
		w.Disable(now, Gone)
	case now.Sub(w.FailingSince) >= DisableAfter:
		w.Disable(now, Failing)
	}
}

// delayAfter returns the delay after a number of failures. It is not shorter than the
// receiver requested.
func delayAfter(failures int, r egress.Result) time.Duration {
	delay := delays[failures-1]
	delay = time.Duration(float64(delay) * (1 - jitter + 2*jitter*rand.Float64())) //nolint:gosec // not a secret
	if r.Status == statusTooMany || r.Status == statusUnavailable {
		delay = max(delay, r.RetryAfter)
	}
	return delay.Truncate(time.Microsecond)
}
