"""Tests of the client. Those in test_live need the server that internal/cli starts for them."""
