"""Parts of the client that need no server."""

from __future__ import annotations

import base64
import unittest
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Tuple

from specterd import Client, InvalidSignature, Recipient, types, verify_webhook
from specterd._events import parse
from specterd._http import Request
from specterd._values import decode, encode, parse_time


class Values(unittest.TestCase):
    def test_times(self) -> None:
        utc = timezone.utc
        for text, want in {
            "2026-11-29T10:15:02Z": datetime(2026, 11, 29, 10, 15, 2, tzinfo=utc),
            "2026-11-29T10:15:02.5Z": datetime(2026, 11, 29, 10, 15, 2, 500_000, tzinfo=utc),
            "2026-11-29T10:15:02.123456789Z": datetime(2026, 11, 29, 10, 15, 2, 123_456, tzinfo=utc),
            "2026-11-29T10:15:02-03:30": datetime(2026, 11, 29, 13, 45, 2, tzinfo=utc),
        }.items():
            with self.subTest(text):
                self.assertEqual(parse_time(text), want)
        for text in ("", "2026-11-29", "2026-11-29T10:15:02", "2026-11-29T10:15:02Z\n"):
            with self.subTest(text), self.assertRaises(ValueError):
                parse_time(text)

    def test_encode(self) -> None:
        zone = timezone(timedelta(hours=1))
        for value, want in (
            (Recipient(address="a", amount_sat=1), {"address": "a", "amount_sat": 1}),
            ({"psbt": b"psbt\xff"}, {"psbt": "cHNidP8="}),
            ([datetime(2026, 1, 2, tzinfo=zone)], ["2026-01-02T00:00:00+01:00"]),
        ):
            with self.subTest(value=value):
                self.assertEqual(encode(value), want)
        with self.assertRaisesRegex(ValueError, "no time zone"):
            encode(datetime(2026, 1, 2))

    def test_decode(self) -> None:
        """Unknown fields are ignored, missing ones are None, and integers stay integers."""
        sat = 2_099_999_997_690_001  # has no exact float neighbour of its own in many JSON libraries
        output = decode(types.Payee, {"address": "a", "amount_sat": sat, "new": {}})
        self.assertEqual((output.amount_sat, type(output.amount_sat)), (sat, int))
        self.assertIsNone(decode(types.Payee, {"address": "a"}).amount_sat)
        with self.assertRaisesRegex(ValueError, "a Payee is not an object"):
            decode(types.Payee, [])

    def test_secrets_are_not_printed(self) -> None:
        self.assertNotIn("whsec_1", repr(types.NewSecret(secret="whsec_1")))


class Requests(unittest.TestCase):
    def test_target(self) -> None:
        cases: List[Tuple[Dict[str, str], Dict[str, Any], str]] = [
            ({"alias": "a/b?c"}, {}, "/w/a%2Fb%3Fc"),
            ({"alias": "ä"}, {"x": True, "y": None, "z": ["a", "b"]}, "/w/%C3%A4?x=true&z=a%2Cb"),
        ]
        for params, query, want in cases:
            with self.subTest(want):
                self.assertEqual(Request("GET", "/w/{alias}", params, query).target(), want)
        for alias in ("", ".", ".."):  # /api/v1/tokens/ would be the list of tokens
            with self.subTest(alias), self.assertRaisesRegex(ValueError, "alias must not be"):
                Request("DELETE", "/w/{alias}", {"alias": alias}).target()

    def test_credentials(self) -> None:
        cases: List[Dict[str, Any]] = [{"token": "a", "user": "b", "password": "c"}, {"user": "b"}, {"token": "a\nb"}, {"token": " "}]
        for arguments in cases:
            with self.subTest(arguments), self.assertRaises(ValueError) as raised:
                Client("http://127.0.0.1:1", **arguments)
            self.assertNotIn("a\nb", str(raised.exception))
        for url in ("127.0.0.1", "ftp://a", "http://u:p@a", "http://a?b=c"):
            with self.subTest(url), self.assertRaisesRegex(ValueError, "url must be"):
                Client(url)
        self.assertNotIn("secret", repr(Client("http://127.0.0.1:1", token="secret")))


class Events(unittest.TestCase):
    def test_parse(self) -> None:
        lines = b"id: 1\n\n:comment\n\nid: 2\nevent: a\ndata: {\ndata:}\n\nid: 3\r\ndata: x\r\n\r\ndata: not complete\n".splitlines(True)
        self.assertEqual(list(parse(lines)), [("1", None), ("2", "{\n}"), ("3", "x")])


class Webhooks(unittest.TestCase):
    """The signature is the one in internal/webhook/signature, which openssl made."""

    secret = "whsec_" + base64.b64encode(b"012345678901234567890123456789012").decode()
    body = b"{}"
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": "1764417600",
        "Webhook-Signature": "v1,o3zyjP0SfP40gANwW352Tn+nn0yIwFq+KvOLSe2+8uU=",
    }

    def refused(self, why: str, *, secret: str = "", body: bytes = b"{}", now: float = 1764417600.0, **headers: str) -> None:
        changed = {**self.headers, **{"Webhook-" + name.capitalize(): value for name, value in headers.items()}}
        with self.assertRaisesRegex(InvalidSignature, why):
            verify_webhook(secret or self.secret, changed, body, now=now)

    def test_signature(self) -> None:
        # The signature is valid; the body {} has no type.
        self.refused("the body is not a message")
        self.refused("no signature is valid", body=b"{} ")
        self.refused("no signature is valid", id="msg_2")
        self.refused("no signature is valid", timestamp="1764417601")
        self.refused("no signature is valid", signature="v1,")
        self.refused("no signature is valid", signature="")
        self.refused("no signature is valid", secret="whsec_" + base64.b64encode(b"x" * 32).decode())
        self.refused("more than 300 seconds", now=1764417600 + 301)
        self.refused("more than 300 seconds", now=1764417600 - 301)
        self.refused("missing or invalid", timestamp="")
        self.refused("missing or invalid", timestamp="1e9")
        self.refused("missing or invalid", id="")
        self.refused("the body is not a message", signature="v1,AAAA " + self.headers["Webhook-Signature"])

    def test_secret(self) -> None:
        for secret in ("", "whsec_", "whsec_!", self.secret[6:], []):
            with self.subTest(secret), self.assertRaises(ValueError):
                verify_webhook(secret, self.headers, self.body, now=1764417600)


if __name__ == "__main__":
    unittest.main()
