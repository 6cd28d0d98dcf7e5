package main

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

// healthPatience is how long the server may take to answer. It gives up on its
// database after two seconds.
const healthPatience = 4 * time.Second

func (p *program) healthCommand() *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use: "health", Short: "Ask the server on this machine whether it is well; fails where it is not",
		Long: `Ask the server on this machine whether it answers, and with --ready also whether
its database and its node can be used. It ends with status 0 if so and 1 if not,
after 4 seconds at most, so that Docker, systemd and scripts can ask, too.

It reads the settings of the server to know where that listens.`,
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
	config.AddFlags(cmd.Flags(), "host", "port", "tls-cert-file", "tls-key-file")
	cmd.Flags().BoolVar(&ready, "ready", false, "ask also for the database and the node")
	return cmd
}

// askHealth asks the server of these settings how it is, and returns what it says.
func askHealth(ctx context.Context, cfg config.Config, ready bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	if cfg.Port == 0 {
		return "", errors.New("PORT (or --port) is 0, and nobody knows which one the server took; it has to be named")
	}
	url := healthURL(cfg, ready)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{
		Transport: &http.Transport{
			// The certificate has the server's public name, which is not asked for here;
			// nothing secret is sent, and the answer is believed by this machine only.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct{ Message, Reason string }
	err = json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&answer)
	switch {
	case err != nil || answer.Message == "":
		return "", fmt.Errorf("%s answers %s, and not as specterd does", url, response.Status)
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
	switch ip := net.ParseIP(host); { // every address: by way of loopback
	case ip.Equal(net.IPv4zero):
		host = "127.0.0.1"
	case ip.Equal(net.IPv6unspecified):
		host = "::1"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(cfg.Port)) + path
}
