"""Errors of the client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Sequence, Type


@dataclass(frozen=True)
class FieldProblem:
    """A problem with one field of a request."""

    field: str
    message: str


class Error(Exception):
    """A request that failed, with the values of the server's problem document (RFC 9457).

    code identifies the problem, and never changes; message is text for people. status is the
    HTTP status, or None without a response. fields lists the problems of each field of the
    request. required_scope and required_role tell what the credential lacks. retry_after is the
    delay, in seconds, that the server requests before the next attempt. request_id finds the
    request in the server's log. details has values for the code, such as lowest_height. attempts
    is the number of requests that were sent: if it is above 1, the server may have executed an
    earlier one, whose response was lost.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: Optional[int] = None,
        fields: Sequence[FieldProblem] = (),
        required_scope: Optional[str] = None,
        required_role: Optional[str] = None,
        retry_after: Optional[float] = None,
        request_id: Optional[str] = None,
        details: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = tuple(fields)
        self.required_scope = required_scope
        self.required_role = required_role
        self.retry_after = retry_after
        self.request_id = request_id
        self.details: Dict[str, str] = dict(details or {})
        self.attempts = 1

    def __str__(self) -> str:
        notes = [self.code]
        if self.status is not None:
            notes.append(f"status {self.status}")
        if self.required_scope:
            notes.append(f"requires the scope {self.required_scope}")
        if self.request_id:
            notes.append(f"request {self.request_id}")
        missing = [f"{f.field}: {f.message}" for f in self.fields if f.message not in self.message]
        return "; ".join([self.message, *missing]) + f" ({', '.join(notes)})"


class NetworkError(Error):
    """No complete response: the server was not reached, or the connection failed or timed out."""


class InvalidResponse(Error):
    """A response that is not from specterd, for example from a proxy."""


class NotModified(Error):
    """The object still has the ETag that was passed as if_none_match."""


class InvalidRequest(Error):
    """The request has an invalid value; fields lists them (400, 413, 415, 422)."""


class Unauthorized(Error):
    """The credential is missing, invalid, expired or revoked (401)."""


class Forbidden(Error):
    """The credential lacks a scope or a role (403)."""


class NotFound(Error):
    """The object does not exist, or the credential gives no access to it (404)."""


class Conflict(Error):
    """The request conflicts with the current state; code has the reason (409)."""


class InsufficientFunds(Conflict):
    """The available balance is lower than the amounts with the fee (409 insufficient_funds)."""


class Gone(Error):
    """The position in the events does not exist any more (410 events_pruned)."""


class PreconditionFailed(Error):
    """The object has changed since its ETag (412)."""


class TooManyRequests(Error):
    """A limit on requests was exceeded; retry_after has the delay (429)."""


class Unavailable(Error):
    """The server, its database or its node cannot process the request at present (503)."""


class WaitTimeout(Error, TimeoutError):
    """wait_for reached its timeout before the proposal had the status."""


class ProposalClosed(Error):
    """wait_for cannot succeed, because the proposal was closed; code is its status."""


class InvalidSignature(Error):
    """A webhook message is not from specterd, or too old."""


_BY_STATUS: Dict[int, Type[Error]] = {
    304: NotModified,
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: PreconditionFailed,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: TooManyRequests,
    503: Unavailable,
}
_BY_CODE: Dict[str, Type[Error]] = {"insufficient_funds": InsufficientFunds}


def kind_of(status: int, code: str) -> Type[Error]:
    """Return the class of a response's error."""
    return _BY_CODE.get(code, _BY_STATUS.get(status, Error))
