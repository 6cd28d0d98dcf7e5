package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// reader sends requests to a server over one connection. Unlike client, it uses
// net/http and supports every kind of response.
type reader struct {
	seeded
	*server
	http *http.Client
}

func newReader(at *server, s seeded) *reader {
	return &reader{seeded: s, server: at, http: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}}
}

// get requests a path and returns the size of the body in bytes. If accept is not
// empty, it is the Accept header.
func (r *reader) get(ctx context.Context, path, accept string) (int64, error) {
	body, err := r.open(ctx, path, accept)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, body)
	_ = body.Close()
	return n, err
}

func (r *reader) getJSON(ctx context.Context, path string, into any) error {
	body, err := r.open(ctx, path, "")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return json.NewDecoder(body).Decode(into)
}

// open requests a path and returns the body of the response, which must have status
// 200.
func (r *reader) open(ctx context.Context, path, accept string) (io.ReadCloser, error) {
	return r.openURL(ctx, "http://"+r.address+path, accept)
}

// openURL is like open for a URL.
func (r *reader) openURL(ctx context.Context, url, accept string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	response, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		_ = response.Body.Close()
		return nil, fmt.Errorf("GET %s: %s: %s", url, response.Status, text)
	}
	return response.Body, nil
}
