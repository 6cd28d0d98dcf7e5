package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/idempotency"
)

// keyField is the name of the hidden field with the idempotency key of a form that creates
// something.
const keyField = "key"

// formKey returns the key of the form, or a new one.
func (c *call) formKey() string {
	if key := c.form.Get(keyField); idempotency.IsKey(key) {
		return key
	}
	return rand.Text()
}

// errSentBefore is returned by once for a form that was changed after it was sent.
var errSentBefore = fault.New(fault.Conflict, "form_sent_before", "This form was sent before with other values. Check the list of proposals before you send it again.")

// errInProgress is returned by once if the same form is being processed for too long.
var errInProgress = fault.New(fault.Unavailable, "form_in_progress", "The same form was sent before and is still being processed. Look at the result in a minute, before you send it again.")

// Waiting for the same form that was sent twice.
const (
	onceInterval = 100 * time.Millisecond
	oncePatience = 15 * time.Second
)

// once calls do, which creates something and returns the path of its page, unless the form
// with the same key and the same values was sent before: then it returns the path of that
// page. If the earlier one is in progress, once waits for it. A form whose creation failed can
// be sent again.
func (c *call) once(do func() (path string, err error)) (path string, err error) {
	key := c.form.Get(keyField)
	if !idempotency.IsKey(key) {
		return "", fault.New(fault.Invalid, "invalid_form", "The form is incomplete. Open the page again.")
	}
	request := idempotency.Request{UserID: c.who.UserID, Route: "console " + c.to.method + " " + c.to.path, Key: key, Fingerprint: c.formHash(keyField, passwordField)}
	ctx, cancel := context.WithTimeout(c.r.Context(), oncePatience)
	defer cancel()
	claim, answer, err := c.Keys.Begin(ctx, request)
	for errors.Is(err, idempotency.ErrRunning) {
		if wait(ctx, onceInterval) != nil {
			return "", errInProgress
		}
		claim, answer, err = c.Keys.Begin(ctx, request)
	}
	switch {
	case errors.Is(err, idempotency.ErrReused):
		return "", errSentBefore
	case err != nil:
		return "", err
	case answer != nil:
		return string(answer.Body), nil
	}
	background := context.WithoutCancel(c.r.Context())
	settled := false
	defer func() { // also after a panic
		if !settled {
			c.logKey(background, claim.Release(background))
		}
	}()
	if path, err = do(); err != nil {
		return "", err
	}
	settled = true
	c.logKey(background, claim.Keep(background, idempotency.Answer{Status: http.StatusSeeOther, Body: []byte(path)}))
	return path, nil
}

// wait waits for d without the slot of the request, which the request that it waits for may need.
func wait(ctx context.Context, d time.Duration) error {
	return admission.Idle(ctx, func() error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// logKey logs err, if it is not nil: the key of a form could not be stored or released. The
// response is not affected.
func (c *call) logKey(ctx context.Context, err error) {
	if err != nil {
		c.Log.ErrorContext(ctx, "form key not settled", "request_id", c.info.ID[0], "error", err)
	}
}

// formHash returns a hash of the path and of all fields of the form, except some.
func (c *call) formHash(except ...string) [sha256.Size]byte {
	values := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(c.form)) {
		if !slices.Contains(except, name) {
			values[name] = c.form[name]
		}
	}
	return sha256.Sum256([]byte(c.r.URL.Path + "?" + values.Encode()))
}
