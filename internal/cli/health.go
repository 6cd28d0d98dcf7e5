package cli

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/config"
)

// healthPatience is how long the command waits for the server's response. The server
// itself waits up to two seconds for its database.
const healthPatience = 4 * time.Second

func (p *program) healthCommand() *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use: "health", Short: "Check the health of the server on this machine",
		Long: `Check whether the server on this machine responds and, with --ready, whether its
database and its node are usable. The exit status is 0 if so and 1 if not. The check
takes 4 seconds at most, so that Docker, systemd and scripts can use it.

The address comes from the settings, which must be the same as for the server.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), p.getenv)
			if err != nil {
				return err
			}
			message, err := askHealth(cmd.Context(), cfg, ready)
			if err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, message)
			return nil
		},
	}
	config.AddFlags(cmd.Flags(), "config", "data-folder", "host", "port", "tls-cert-file", "tls-key-file")
	cmd.Flags().BoolVar(&ready, "ready", false, "also check the database and the node")
	return cmd
}

// askHealth requests the liveness or, if ready is set, the readiness of the server
// that has these settings, and returns its message.
func askHealth(ctx context.Context, cfg config.Config, ready bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	if cfg.Port == 0 {
		return "", errors.New("PORT (or --port) is 0, so the server's port is unknown; set it to the port in use")
	}
	url := healthURL(cfg, ready)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{
		Transport: &http.Transport{
			// The certificate is for the server's public name, not for this address. The
			// request has no secrets, and only this machine relies on the response.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("no response: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct{ Message, Reason string }
	err = json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&answer)
	switch {
	case err != nil || answer.Message == "":
		return "", fmt.Errorf("%s responded with %s, which is not a response of specterd", url, response.Status)
	case answer.Reason != "":
		return "", errors.New(answer.Message + ": " + answer.Reason)
	case response.StatusCode != http.StatusOK:
		return "", errors.New(answer.Message)
	}
	return answer.Message, nil
}

func healthURL(cfg config.Config, ready bool) string {
	scheme, path := "http", "/api/healthz/liveness"
	if cfg.TLSCertFile != "" {
		scheme = "https"
	}
	if ready {
		path = "/api/healthz/readyness"
	}
	host := cfg.Host
	switch ip := net.ParseIP(host); { // if the server listens on all addresses, use loopback
	case ip.Equal(net.IPv4zero):
		host = "127.0.0.1"
	case ip.Equal(net.IPv6unspecified):
		host = "::1"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(cfg.Port)) + path
}
