package testkit_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestSecrets(t *testing.T) {
	const secret = "päss\"word/of+somebody"
	var s testkit.Secrets
	s.Add("it", secret)
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{
		secret, string(quoted), url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)), "ess" + secret[5:20],
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte("a:" + secret)), base64.RawStdEncoding.EncodeToString([]byte("a" + secret + "b")),
	} {
		if found := s.Find("something before " + hidden + " and behind"); len(found) == 0 {
			t.Errorf("%s is not found", hidden)
		}
	}
	if found := s.Find("what has nothing to do with it, but " + secret[:gram-1] + " and " + hex.EncodeToString([]byte(secret))[:gram-1]); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}

const gram = 12
