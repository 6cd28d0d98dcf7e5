"""Streams of events (server-sent events)."""

from __future__ import annotations

import json
import time
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from . import types
from ._errors import Error, InvalidResponse, NetworkError
from ._http import Request, Transport, backoff
from ._values import decode

# The server sends its position every 15 seconds if there are no events.
_SILENCE = 30.0


def parse(lines: Iterable[bytes]) -> Iterator[Tuple[Optional[str], Optional[str]]]:
    """Yield the id and the data of each message; data is None in a message without data."""
    message_id: Optional[str] = None
    data: List[str] = []
    for line in lines:
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "id":
            message_id = value
        elif name == "data":
            data.append(value)
        elif name == "" and value == "":  # the end of a message; a comment has a value
            if message_id is not None or data:
                yield message_id, "\n".join(data) if data else None
            message_id, data = None, []


def stream(
    transport: Transport,
    path: str,
    wallet: Optional[str],
    after: Optional[str],
    kinds: Union[str, Sequence[str], None],
) -> Iterator[types.LoggedEvent]:
    """Yield events, and connect again from the last position when the connection ends."""
    failures = 0
    while True:
        request = Request(
            "GET",
            path,
            params={"alias": wallet} if wallet is not None else {},
            query={"after": after, "kinds": kinds},
            accept="text/event-stream",
        )
        wait = backoff(2)
        try:
            with transport.open(request, timeout=_SILENCE) as response:
                for position, data in parse(response):
                    failures = 0
                    after = position or after
                    if data is not None:
                        yield _event(data, wallet)
        except Error as error:
            failures += 1
            wait = _delay(error, failures)
        time.sleep(wait)


def _event(data: str, wallet: Optional[str]) -> types.LoggedEvent:
    try:
        event: types.LoggedEvent = decode(types.LoggedEvent, json.loads(data))
    except (ValueError, TypeError) as error:
        raise InvalidResponse("invalid_response", f"the stream contains data that is not an event: {error}") from error
    event.wallet_alias = wallet
    return event


def _delay(error: Error, failures: int) -> float:
    """Return the delay before the next connection. Raises an error that would occur again."""
    passing = isinstance(error, NetworkError) or error.status == 429 or (error.status or 0) >= 500
    if not passing:
        raise error
    return max(error.retry_after or 0, backoff(failures + 1))
