package system

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, roots := certificate(t, dir)
	s := startServer(t, dir, "SPECTER_TLS_CERT_FILE="+certFile, "SPECTER_TLS_KEY_FILE="+keyFile)
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("url %s", s.url)
	}
	ask := func() *x509.Certificate {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		}}
		defer client.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/healthz/liveness", nil)
		testkit.Check(t, err)
		resp, err := client.Do(req)
		testkit.Check(t, err)
		testkit.Check(t, resp.Body.Close())
		if got := resp.Header.Get("Strict-Transport-Security"); got != "max-age=31536000; includeSubDomains" {
			t.Errorf("Strict-Transport-Security is %q", got)
		}
		if resp.StatusCode != http.StatusOK || resp.TLS == nil {
			t.Fatalf("%v over %v", resp.Status, resp.Proto)
		}
		return resp.TLS.PeerCertificates[0]
	}
	first := ask()

	// A damaged certificate is rejected, and the previous one stays in use. A valid one
	// is used for new connections.
	testkit.Check(t, os.WriteFile(certFile, []byte("no certificate"), 0o600))
	testkit.Check(t, s.cmd.Process.Signal(syscall.SIGHUP))
	testkit.Eventually(t, "a line in the log", func() bool { return strings.Contains(s.log.String(), "reloading the certificate failed") })
	if !ask().Equal(first) {
		t.Error("the certificate changed after a failed reload")
	}
	renew(t, certFile, keyFile, roots)
	testkit.Check(t, s.cmd.Process.Signal(syscall.SIGHUP))
	testkit.Eventually(t, "the new certificate", func() bool { return !ask().Equal(first) })
}

// TestDefaultPassword_OtherMachines checks that a server that can be reached from other machines
// does not start while the first admin has the default password.
func TestDefaultPassword_OtherMachines(t *testing.T) {
	refuses := func(t *testing.T, dir, remedy string, settings ...string) {
		t.Helper()
		s, err := tryServer(t, serveCommand(dir, append(settings, "HOST=0.0.0.0")...))
		if err == nil {
			t.Fatalf("it listens on %s", s.url)
		}
		if !strings.Contains(s.log.String(), remedy) {
			t.Errorf("the log does not contain %q:\n%s", remedy, s.log)
		}
	}
	t.Run("first start", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		refuses(t, dir, "SPECTER_ADMIN_PASSWORD", "SPECTER_ADMIN_PASSWORD=")
		refuses(t, dir, "SPECTER_ADMIN_PASSWORD", "SPECTER_ADMIN_PASSWORD="+auth.DefaultPassword)
		startServer(t, dir, "HOST=0.0.0.0") // with a password, which applies, because no user was created
	})
	t.Run("later start", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		startServer(t, dir, "SPECTER_ADMIN_PASSWORD=").kill()
		refuses(t, dir, "specterd user set admin --password")
	})
}

// TestUnencryptedWarning checks that a server that can be reached from other machines without TLS
// logs a warning.
func TestUnencryptedWarning(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, _ := certificate(t, dir)
	for name, c := range map[string]struct {
		settings []string
		warns    bool
	}{
		"loopback":           {nil, false},
		"every address":      {[]string{"HOST=0.0.0.0"}, true},
		"with a certificate": {[]string{"HOST=0.0.0.0", "SPECTER_TLS_CERT_FILE=" + certFile, "SPECTER_TLS_KEY_FILE=" + keyFile}, false},
		"behind a proxy":     {[]string{"HOST=0.0.0.0", "SPECTER_TRUSTED_PROXIES=10.0.0.0/8"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, t.TempDir(), c.settings...)
			if got := strings.Contains(s.log.String(), app.UnencryptedWarning); got != c.warns {
				t.Errorf("warned: %t\n%s", got, s.log)
			}
		})
	}
}

// renew writes another certificate for 127.0.0.1, with a new key.
func renew(t *testing.T, certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	testkit.Check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	testkit.Check(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	testkit.Check(t, err)
	testkit.Check(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	testkit.Check(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	made, err := x509.ParseCertificate(der)
	testkit.Check(t, err)
	roots.AddCert(made)
}

func TestTLS_BadCertificate(t *testing.T) {
	dir := t.TempDir()
	certFile, _, _ := certificate(t, dir)
	cmd := tool(t, dir, "serve")
	cmd.Env = append(cmd.Env, "SPECTER_TLS_CERT_FILE="+certFile, "SPECTER_TLS_KEY_FILE="+certFile)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "read the certificate: ") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestLogLevelSignal checks that SIGUSR1 switches the log level back and forth.
func TestLogLevelSignal(t *testing.T) {
	s := startServer(t, t.TempDir())
	logged := func(n int, text string) {
		t.Helper()
		testkit.Eventually(t, text+" in the log", func() bool { return strings.Count(s.log.String(), text) == n })
	}
	get(t, s.url+"/api/healthz/liveness", http.StatusOK)
	testkit.Check(t, s.cmd.Process.Signal(syscall.SIGUSR1))
	logged(1, "SIGUSR1")
	get(t, s.url+"/api/openapi.json", http.StatusOK)
	logged(1, `"msg":"request"`)
	testkit.Check(t, s.cmd.Process.Signal(syscall.SIGUSR1))
	logged(2, "SIGUSR1")
	get(t, s.url+"/api/healthz/liveness", http.StatusOK)
	testkit.Check(t, s.cmd.Process.Signal(syscall.SIGTERM))
	testkit.Check(t, s.cmd.Wait())
	logged(1, `"msg":"request"`)
}

// certificate writes httptest's certificate for 127.0.0.1 and its key to files, and
// returns their paths and a pool that trusts the certificate.
func certificate(t *testing.T, dir string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	donor := httptest.NewUnstartedServer(nil)
	donor.StartTLS()
	defer donor.Close()
	pair := donor.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	testkit.Check(t, err)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	testkit.Check(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600))
	testkit.Check(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	roots = x509.NewCertPool()
	roots.AddCert(donor.Certificate())
	return certFile, keyFile, roots
}
