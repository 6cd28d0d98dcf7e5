"""Conversion between JSON and the types of the client."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import re
import typing
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union


class Unset(enum.Enum):
    """The type of UNSET."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset.UNSET
"""Leaves a field as it is in methods that change an object, where None has its own meaning."""


class Object:
    """Base class of everything that the server returns.

    etag is the version of the object, if the response had one; methods that change the object
    send it as If-Match. wallet_alias is the alias of the wallet from which the object was read.
    """

    etag: Optional[str] = None
    wallet_alias: Optional[str] = None


_Decoder = Callable[[Any], Any]
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))")


def parse_time(text: str) -> datetime:
    """Parse a time as RFC 3339 defines it, to the microsecond."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    seconds, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    zone = timezone(-offset if sign == "-" else offset)
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    return datetime.fromisoformat(seconds).replace(microsecond=microsecond, tzinfo=zone)


def decode(kind: Any, value: Any) -> Any:
    """Convert a JSON value to a type. Unknown fields are ignored; missing ones are None."""
    return _decoder(kind)(value)


def _plain(value: Any) -> Any:
    return value


@lru_cache(maxsize=None)
def _decoder(kind: Any) -> _Decoder:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union:  # always Optional
        inner = _decoder(arguments[0])
        return lambda value: None if value is None else inner(value)
    if origin is list:
        item = _decoder(arguments[0])
        return lambda value: [item(one) for one in value or []]
    if origin is dict:
        entry = _decoder(arguments[1])
        return lambda value: {name: entry(one) for name, one in (value or {}).items()}
    if kind is datetime:
        return lambda value: None if value is None else parse_time(value)
    if dataclasses.is_dataclass(kind):
        return _object_decoder(kind)
    return _plain


def _object_decoder(kind: Any) -> _Decoder:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    fields: List[Tuple[str, _Decoder]] = []

    def read(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise ValueError(f"a {kind.__name__} is not an object")
        if not fields:  # at the first object, since types may refer to themselves
            fields.extend((name, _decoder(hints[name])) for name in names)
        return kind(**{name: read_field(value.get(name.rstrip("_"))) for name, read_field in fields})

    return read


def encode(value: Any) -> Any:
    """Convert a value to JSON. Fields of a dataclass that are None are omitted."""
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {name.rstrip("_"): encode(one) for name, one in fields.items() if one is not None}
    if isinstance(value, Mapping):
        return {name: encode(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [encode(one) for one in value]
    return value


def time_text(value: datetime) -> str:
    """Format a time as RFC 3339 defines it."""
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone; use datetime.now(timezone.utc), for example")
    return value.isoformat()


def present(fields: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def given(fields: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the fields that are not UNSET."""
    return {name: value for name, value in fields.items() if value is not UNSET}


def json_lines(values: Union[str, bytes, Sequence[Any]]) -> bytes:
    """Return values as JSON Lines. Text is returned as it is."""
    if isinstance(values, str):
        return values.encode()
    if isinstance(values, bytes):
        return values
    return b"".join(json.dumps(encode(value)).encode() + b"\n" for value in values)
