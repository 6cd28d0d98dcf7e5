package signature_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/webhook/signature"
)

var body = []byte(`{"type":"transaction.seen","timestamp":"2026-11-29T12:00:00Z","data":{"n":1}}`)

func sign(t *testing.T, at time.Time, secrets ...string) http.Header {
	t.Helper()
	signed, err := signature.Sign("msg_1", at, body, secrets...)
	testkit.Check(t, err)
	header := http.Header{}
	for name, value := range signed {
		header.Set(name, value)
	}
	return header
}

func verify(t *testing.T, secret string, message []byte, header http.Header) error {
	t.Helper()
	receiver, err := standardwebhooks.NewWebhook(secret)
	testkit.Check(t, err)
	return receiver.Verify(message, header)
}

// TestSign verifies signatures with the Go library of Standard Webhooks.
func TestSign(t *testing.T) {
	secret, now := signature.Generate(), time.Now()
	if err := verify(t, secret, body, sign(t, now, secret)); err != nil {
		t.Error(err)
	}
	changed := func(name, value string) http.Header {
		header := sign(t, now, secret)
		header.Set(name, value)
		return header
	}
	for name, test := range map[string]struct {
		secret string
		body   []byte
		header http.Header
	}{
		"another secret":     {signature.Generate(), body, sign(t, now, secret)},
		"changed body":       {secret, append([]byte(" "), body...), sign(t, now, secret)},
		"changed id":         {secret, body, changed("webhook-id", "msg_2")},
		"changed timestamp":  {secret, body, changed("webhook-timestamp", "1")},
		"old timestamp":      {secret, body, sign(t, now.Add(-6*time.Minute), secret)},
		"future timestamp":   {secret, body, sign(t, now.Add(6*time.Minute), secret)},
		"no signature":       {secret, body, changed("webhook-signature", "")},
		"an empty signature": {secret, body, changed("webhook-signature", "v1,")},
	} {
		t.Run(name, func(t *testing.T) {
			if verify(t, test.secret, test.body, test.header) == nil {
				t.Errorf("%s is accepted", name)
			}
		})
	}
}

// TestSign_Rotation checks that receivers with the old and with the new secret accept a
// message that is signed with both.
func TestSign_Rotation(t *testing.T) {
	before, after, now := signature.Generate(), signature.Generate(), time.Now()
	header := sign(t, now, after, before)
	if got := header.Get("webhook-signature"); strings.Count(got, "v1,") != 2 || strings.Count(got, " ") != 1 {
		t.Errorf("%q", got)
	}
	for _, secret := range []string{before, after} {
		if err := verify(t, secret, body, header); err != nil {
			t.Error(err)
		}
	}
	if verify(t, signature.Generate(), body, header) == nil {
		t.Error("a third secret is accepted")
	}
}

// TestSign_Known compares with a signature that openssl made of the same message:
//
//	printf 'msg_1.1764417600.{}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:303132333435363738393031323334353637383930313233343536373839303132 -binary | base64
func TestSign_Known(t *testing.T) {
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("012345678901234567890123456789012"))
	got, err := signature.Sign("msg_1", time.Unix(1764417600, 999_999_999), []byte("{}"), secret)
	testkit.Check(t, err)
	want := map[string]string{"webhook-id": "msg_1", "webhook-timestamp": "1764417600", "webhook-signature": "v1,o3zyjP0SfP40gANwW352Tn+nn0yIwFq+KvOLSe2+8uU="}
	for name, value := range want {
		t.Run(name, func(t *testing.T) {
			if got[name] != value {
				t.Errorf("%s: %q, want %q", name, got[name], value)
			}
		})
	}
}

func TestGenerate(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		secret := signature.Generate()
		encoded, found := strings.CutPrefix(secret, "whsec_")
		if key, err := base64.StdEncoding.DecodeString(encoded); !found || err != nil || len(key) != 32 {
			t.Errorf("%q: %d bytes, %v", secret, len(key), err)
		}
		if seen[secret] {
			t.Errorf("%q occurs twice", secret)
		}
		seen[secret] = true
	}
}

func TestSign_Invalid(t *testing.T) {
	of := func(bytes int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, bytes)) }
	for _, secret := range []string{of(24), of(64)} {
		if _, err := signature.Sign("msg_1", time.Now(), body, secret); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
	for _, secret := range []string{"", "whsec_", of(23), of(65), strings.TrimPrefix(of(32), "whsec_"), of(32) + "!", "whsec_" + strings.Repeat("-", 44)} {
		_, err := signature.Sign("msg_1", time.Now(), body, secret)
		if err == nil || secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", secret, err)
		}
	}
	if _, err := signature.Sign("msg_1", time.Now(), body); err == nil {
		t.Error("a message without a secret is signed")
	}
	for _, id := range []string{"", "msg.1"} {
		if _, err := signature.Sign(id, time.Now(), body, of(32)); err == nil {
			t.Errorf("the id %q is signed", id)
		}
	}
}
