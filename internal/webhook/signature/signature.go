// Package signature signs webhook messages as specified by Standard Webhooks 1.0. A
// receiver verifies with the shared secret that specterd sent a message, and when.
package signature

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed message.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

const (
	prefix   = "whsec_"
	keyBytes = 32
)

// ErrSecret is returned for a secret that is not whsec_ and the base64 of 24 to 64 bytes.
var ErrSecret = errors.New("the secret of a webhook is invalid")

// Generate returns a new random secret of 32 bytes: whsec_ and their base64.
func Generate() string {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return prefix + base64.StdEncoding.EncodeToString(key)
}

// Sign returns the three headers of a message that is sent at the given time. The id is the
// same in every attempt to deliver a message, and contains no dot. During a rotation there
// are several secrets, and the receiver accepts the message if it knows one of them.
func Sign(id string, at time.Time, body []byte, secrets ...string) (map[string]string, error) {
	if id == "" || strings.Contains(id, ".") {
		return nil, errors.New("the id of a webhook message is empty or contains a dot")
	}
	if len(secrets) == 0 {
		return nil, ErrSecret
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		key, err := decode(secret)
		if err != nil {
			return nil, err
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return map[string]string{
		HeaderID: id, HeaderTimestamp: timestamp, HeaderSignature: strings.Join(signatures, " "),
	}, nil
}

func decode(secret string) ([]byte, error) {
	encoded, found := strings.CutPrefix(secret, prefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, ErrSecret
	}
	return key, nil
}
