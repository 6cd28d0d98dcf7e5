"""Verification of webhook messages (Standard Webhooks 1.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, Mapping, Optional, Sequence, Union

from ._errors import InvalidSignature
from ._values import parse_time

_PREFIX = "whsec_"


@dataclass
class WebhookMessage:
    """A verified message. A receiver ignores an id that it has stored before."""

    id: str
    type: str
    timestamp: datetime
    data: Dict[str, Any]


def verify_webhook(
    secret: Union[str, Sequence[str]],
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance: float = 300,
    now: Optional[float] = None,
) -> WebhookMessage:
    """Verify a message of a webhook, and return it.

    secret is the secret of the webhook, or several during a rotation. headers are the headers of
    the request, in upper or lower case, and body is its body, before it is parsed. A message that is
    more than tolerance seconds older or newer than now, a Unix time, is refused. Raises
    InvalidSignature.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    message_id, sent = lower.get("webhook-id", ""), lower.get("webhook-timestamp", "")
    if not message_id or not (sent.isascii() and sent.isdecimal() and len(sent) < 16):
        raise _refused("the header webhook-id or webhook-timestamp is missing or invalid")
    clock = time.time() if now is None else now
    if not abs(clock - int(sent)) <= tolerance:
        raise _refused(f"the message was signed more than {tolerance:g} seconds before or after now")
    signed = f"{message_id}.{sent}.".encode() + body
    received = [s.encode() for s in lower.get("webhook-signature", "").split()]
    matches = False
    for key in _keys(secret):
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        wanted = b"v1," + base64.b64encode(digest)
        for signature in received:
            matches |= hmac.compare_digest(signature, wanted)
    if not matches:
        raise _refused("no signature is valid; the secret may be the wrong one, or the body was changed")
    return _parse(message_id, body)


def _keys(secret: Union[str, Sequence[str]]) -> Sequence[bytes]:
    secrets = [secret] if isinstance(secret, str) else list(secret)
    keys = []
    for one in secrets:
        try:
            key = base64.b64decode(one[len(_PREFIX) :], validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not one.startswith(_PREFIX) or not key:
            raise ValueError("the secret of a webhook must be whsec_ and base64")
        keys.append(key)
    if not keys:
        raise ValueError("verify_webhook requires a secret")
    return keys


def _parse(message_id: str, body: bytes) -> WebhookMessage:
    try:
        fields = json.loads(body)
        return WebhookMessage(message_id, fields["type"], parse_time(fields["timestamp"]), fields["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise _refused("the body is not a message of specterd") from error


def _refused(message: str) -> InvalidSignature:
    return InvalidSignature("invalid_signature", message)
