package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// WebhookTolerance is the maximum difference between the time of a message and the time of its
// receiver.
const WebhookTolerance = 5 * time.Minute

// WebhookMessage is a verified message of a webhook. A receiver ignores an ID that it has stored
// before.
type WebhookMessage struct {
	ID        string
	Type      string          // kind of the event
	Timestamp time.Time       // of the event
	Data      json.RawMessage // as in v1.LoggedEvent
}

// VerifyWebhook verifies a message of a webhook (Standard Webhooks 1.0), and returns it. The body
// is the body of the request before it is parsed. The secrets are the secret of the webhook, or
// several during a rotation. The error of a message that must not be trusted is
// [ErrUntrustedMessage].
func VerifyWebhook(header http.Header, body []byte, secrets ...string) (*WebhookMessage, error) {
	id, sent := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if id == "" || err != nil {
		return nil, untrusted("the header webhook-id or webhook-timestamp is missing or invalid")
	}
	if time.Since(time.Unix(seconds, 0)).Abs() > WebhookTolerance {
		return nil, untrusted("the message was signed more than " + WebhookTolerance.String() + " before or after now")
	}
	if len(secrets) == 0 {
		return nil, errors.New("client: VerifyWebhook requires a secret")
	}
	matches := false
	for _, secret := range secrets {
		text, ok := strings.CutPrefix(secret, "whsec_")
		key, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil || len(key) == 0 {
			return nil, errors.New("client: the secret of a webhook must be whsec_ and base64")
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + sent + "."))
		mac.Write(body)
		wanted := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		for _, signature := range strings.Fields(header.Get("Webhook-Signature")) {
			matches = matches || hmac.Equal([]byte(signature), []byte(wanted))
		}
	}
	if !matches {
		return nil, untrusted("no signature is valid; the secret may be the wrong one, or the body was changed")
	}
	var message struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &message); err != nil || message.Type == "" {
		return nil, untrusted("the body is not a message of specterd")
	}
	return &WebhookMessage{id, message.Type, message.Timestamp, message.Data}, nil
}

func untrusted(message string) *Error { return &Error{Code: ErrUntrustedMessage, Message: message} }
