"""Requests to a server: credentials, retries and errors."""

from __future__ import annotations

import base64
import http.client
import json
import random
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Protocol, Tuple, Type, TypeVar, Union

from ._errors import Error, FieldProblem, InvalidResponse, NetworkError, kind_of
from ._values import Object, decode, encode, time_text

VERSION = "0.1.0"
_IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}
_CHUNK = 1 << 16

T = TypeVar("T")


class HasID(Protocol):
    """An object with an id, which methods accept instead of the id."""

    @property
    def id(self) -> Optional[str]: ...


Reference = Union[str, HasID]
"""The id of an object, or the object."""


def new_key() -> str:
    """Return an Idempotency-Key."""
    return str(uuid.uuid4())


def etag_of(reference: Reference) -> Optional[str]:
    """Return the ETag of an object, or None for an id."""
    return reference.etag if isinstance(reference, Object) else None


@dataclass
class Request:
    """A request. params are the values of the placeholders in path; key is an Idempotency-Key."""

    method: str
    path: str
    params: Mapping[str, Reference] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    key: Optional[str] = None
    if_match: Optional[str] = None
    if_none_match: Optional[str] = None
    accept: str = "application/json"

    @property
    def repeatable(self) -> bool:
        """Whether a second execution of the request cannot do harm."""
        return self.method in _IDEMPOTENT or self.key is not None

    @property
    def wallet(self) -> Optional[str]:
        alias = self.params.get("alias")
        return alias if isinstance(alias, str) else None

    def target(self) -> str:
        """Return the path and the query."""
        values = {name: _segment(name, value) for name, value in self.params.items()}
        pairs = [(name, _query_text(value)) for name, value in self.query.items() if value is not None]
        return self.path.format(**values) + ("?" + urllib.parse.urlencode(pairs) if pairs else "")

    def headers(self) -> Dict[str, str]:
        headers = {"Accept": self.accept}
        if self.body is not None:
            headers["Content-Type"] = self.content_type
        if self.key is not None:
            headers["Idempotency-Key"] = self.key
        if self.if_match is not None:
            headers["If-Match"] = self.if_match
        if self.if_none_match is not None:
            headers["If-None-Match"] = self.if_none_match
        return headers

    def payload(self) -> Optional[bytes]:
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(encode(self.body), allow_nan=False).encode()


def _segment(name: str, value: Reference) -> str:
    if not isinstance(value, str):
        if value.id is None:
            raise ValueError("the object has no id, because it was made in a dry run")
        value = value.id
    if value in ("", ".", ".."):  # such a path is the path of another request
        raise ValueError(f"{name} must not be {value!r}")
    return urllib.parse.quote(value, safe="")


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(str(one) for one in value)
    if hasattr(value, "tzinfo"):
        return time_text(value)
    return str(value)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, which would send the credential to another address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Transport:
    """Sends requests to one server."""

    def __init__(
        self,
        url: str,
        *,
        token: Optional[str],
        user: Optional[str],
        password: Optional[str],
        timeout: float,
        retries: int,
        ssl_context: Optional[ssl.SSLContext],
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("url must be http://host:port or https://host; pass credentials as arguments")
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.retries = retries
        self._authorization = _authorization(token, user, password)
        handlers: List[urllib.request.BaseHandler] = [_NoRedirects()]
        if ssl_context is not None:
            handlers.append(urllib.request.HTTPSHandler(context=ssl_context))
        self._opener = urllib.request.build_opener(*handlers)

    @contextmanager
    def open(self, request: Request, *, timeout: Optional[float] = None) -> Iterator[http.client.HTTPResponse]:
        """Send a request once, and yield the response. Failures while it is read are NetworkErrors."""
        outgoing = urllib.request.Request(self.url + request.target(), request.payload(), method=request.method)
        for name, value in {**request.headers(), "User-Agent": f"specterd-client-python/{VERSION}"}.items():
            outgoing.add_header(name, value)
        if self._authorization:
            outgoing.add_unredirected_header("Authorization", self._authorization)
        try:
            with self._opener.open(outgoing, timeout=self.timeout if timeout is None else timeout) as response:
                yield response
        except urllib.error.HTTPError as error:
            raise _problem(error) from None
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            message = f"no complete response from the server: {cause or type(cause).__name__}"
            raise NetworkError("network_error", message) from (cause if isinstance(cause, Exception) else error)

    def read(self, request: Request, *, timeout: Optional[float] = None) -> Tuple[bytes, http.client.HTTPMessage]:
        """Send a request, again after passing failures if that is safe, and return body and headers."""
        attempt = 0
        while True:
            try:
                with self.open(request, timeout=timeout) as response:
                    return response.read(), response.headers
            except Error as error:
                attempt += 1
                error.attempts = attempt
                wait = self.delay(error, attempt)
                if attempt > self.retries or not request.repeatable or wait is None:
                    raise
            time.sleep(wait)

    def delay(self, error: Error, attempt: int) -> Optional[float]:
        """Return the delay before a repetition, or None if a repetition would fail as well."""
        if error.retry_after is not None and (error.status in (429, 503) or error.code == "request_in_progress"):
            # A longer delay is for the caller to decide.
            return error.retry_after + random.uniform(0, 0.5) if error.retry_after <= self.timeout else None
        lost = isinstance(error, NetworkError) and not isinstance(error.__cause__, ssl.SSLCertVerificationError)
        proxy = isinstance(error, InvalidResponse) and error.status in (502, 503, 504)
        return backoff(attempt) if lost or proxy else None

    def json(self, request: Request, *, timeout: Optional[float] = None) -> Tuple[Any, http.client.HTTPMessage]:
        """Send a request, and return the parsed body, or None without one."""
        body, headers = self.read(request, timeout=timeout)
        if not body:
            return None, headers
        try:
            return json.loads(body), headers
        except ValueError as error:
            raise InvalidResponse("invalid_response", "the response is not JSON; check the address of the server") from error

    def one(self, kind: Type[T], request: Request, *, timeout: Optional[float] = None) -> T:
        """Send a request whose response has an object."""
        value = self.maybe(kind, request, timeout=timeout)
        if value is None:
            raise InvalidResponse("invalid_response", "the response has no body")
        return value

    def maybe(self, kind: Type[T], request: Request, *, timeout: Optional[float] = None) -> Optional[T]:
        """Send a request whose response may have an object."""
        value, headers = self.json(request, timeout=timeout)
        return None if value is None else self._made(kind, value, request, headers.get("ETag"))

    def none(self, request: Request) -> None:
        """Send a request whose response has no body."""
        self.read(request)

    def text(self, request: Request) -> str:
        """Send a request whose response is text."""
        return self.read(request)[0].decode()

    def lines(self, kind: Type[T], request: Request) -> List[T]:
        """Send a request whose response is JSON Lines."""
        request.accept = "application/jsonl"
        values = [json.loads(line) for line in self.read(request)[0].splitlines()]
        return [self._made(kind, value, request) for value in values]

    def pages(self, kind: Type[T], request: Request) -> Iterator[T]:
        """Yield the entries of all pages of a list."""
        query = dict(request.query)
        while True:
            request.query = query
            value, _ = self.json(request)
            for item in (value or {}).get("items", []):
                yield self._made(kind, item, request)
            query = {**query, "cursor": (value or {}).get("next_cursor")}
            if not query["cursor"]:
                return

    def stream(self, request: Request) -> Iterator[bytes]:
        """Yield the body of a response in pieces, without a retry after the first one."""
        with self.open(request) as response:
            while True:
                piece = response.read(_CHUNK)
                if not piece and response.length:  # http.client does not report it if a size is passed to read
                    raise http.client.IncompleteRead(b"", response.length)
                if not piece:
                    return
                yield piece

    def _made(self, kind: Type[T], value: Any, request: Request, etag: Optional[str] = None) -> T:
        try:
            made: T = decode(kind, value)
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidResponse("invalid_response", f"the response is not a {kind.__name__}: {error}") from error
        if isinstance(made, Object):
            made.etag, made.wallet_alias = etag, request.wallet
            for item in getattr(made, "items", None) or []:
                if isinstance(item, Object):
                    item.wallet_alias = request.wallet
        return made


def backoff(attempt: int) -> float:
    """Return the delay after a failure: about 0.5, 1, 2 … seconds, up to 30, with jitter."""
    return min(30.0, 0.5 * 2.0 ** min(attempt - 1, 10)) * random.uniform(0.5, 1.0)


def _authorization(token: Optional[str], user: Optional[str], password: Optional[str]) -> Optional[str]:
    if (user is None) != (password is None) or (token is not None and user is not None):
        raise ValueError("pass either token, or user and password")
    if user is not None:
        if ":" in user:
            raise ValueError("a user name must not contain a colon")
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if token is None:
        return None
    token = token.strip()  # files end with a line feed
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ValueError("the token contains characters that no token has")
    return "Bearer " + token


def _problem(error: urllib.error.HTTPError) -> Error:
    """Return the error of a response that is not 2xx."""
    with error:
        try:
            document = json.loads(error.read())
        except (OSError, http.client.HTTPException) as cut:
            return NetworkError("network_error", f"the connection ended within the response {error.code}: {cut}")
        except ValueError:
            document = None
    request_id = error.headers.get("X-Request-Id")
    retry_after = _seconds(error.headers.get("Retry-After"))
    if error.code == 304:
        return kind_of(304, "")("not_modified", "the object has not changed", status=304, request_id=request_id)
    if isinstance(document, dict) and "code" not in document and "message" in document:  # of the health probes
        document = {"code": f"status_{error.code}", "detail": document["message"]}
    if not isinstance(document, dict) or "code" not in document:
        message = f"the response {error.code} is not from specterd; check the address, and the proxy if there is one"
        return InvalidResponse("invalid_response", message, status=error.code, retry_after=retry_after, request_id=request_id)
    code = str(document["code"])
    return kind_of(error.code, code)(
        code,
        str(document.get("detail", "")),
        status=error.code,
        fields=[FieldProblem(str(f.get("field")), str(f.get("message"))) for f in document.get("errors") or []],
        required_scope=document.get("required_scope"),
        required_role=document.get("required_role"),
        retry_after=retry_after,
        request_id=document.get("request_id", request_id),
        details=document.get("details"),
    )


def _seconds(text: Optional[str]) -> Optional[float]:
    """Parse Retry-After in seconds; specterd sends no dates."""
    return float(text) if text and text.isascii() and text.isdecimal() else None
