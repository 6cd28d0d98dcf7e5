"""The client of a server."""

from __future__ import annotations

import random
import ssl
import time
from typing import Any, Iterable, Iterator, Optional, Sequence, Union

from . import types
from ._errors import NotFound, NotModified, ProposalClosed, WaitTimeout
from ._events import stream
from ._groups import Groups
from ._http import Transport

AnyProposal = Union[types.ProposalDetails, types.ProposalSummary]

# The statuses of a proposal in their order, and those after which none of them follows. A client
# keeps waiting at a status that it does not know.
PROGRESS = ["awaiting_approval", "created", "partially_signed", "complete", "broadcast", "confirmed"]
CLOSED = {"cancelled", "expired", "rejected", "conflicted", "replaced"}


class Client(Groups):
    """A client of one specterd server.

    url is the address of the server, such as https://specterd.example. The credential is a token,
    or a user with a password. timeout limits, in seconds, how long each request waits for data;
    retries is the maximum number of repetitions of a request, which happen only if a repetition is
    safe. ssl_context replaces the default settings of TLS. A client has no open connections, and
    several threads can share it.

    The methods are grouped by noun: client.wallets.get("savings"). Errors are subclasses of Error.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Optional[str] = None,
        user: Optional[str] = None,
        password: Optional[str] = None,
        timeout: float = 30.0,
        retries: int = 3,
        ssl_context: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._transport = Transport(
            url, token=token, user=user, password=password, timeout=timeout, retries=retries, ssl_context=ssl_context
        )
        super().__init__(self._transport)

    def __repr__(self) -> str:
        return f"Client({self._transport.url!r})"

    def is_mine(self, address: str) -> bool:
        """Return whether an address belongs to one of the wallets that the credential can read."""
        try:
            return bool(self.addresses.find(address).items)
        except NotFound:
            return False

    def iter_transactions(self, wallet: Optional[str] = None, **filters: Any) -> Iterator[types.Transaction]:
        """Iterate over the transactions of a wallet, or of all wallets, the latest first.

        filters are the keywords of transactions.iter, such as since and category.
        """
        if wallet is None:
            return self.transactions.iter_all(**filters)
        return self.transactions.iter(wallet, **filters)

    def events(
        self,
        after: Optional[str] = None,
        *,
        wallet: Optional[str] = None,
        kinds: Union[str, Sequence[str], None] = None,
    ) -> Iterator[types.LoggedEvent]:
        """Iterate over the events of a wallet, or of all wallets, and wait for new ones without end.

        after is the id of the last event that the program has processed, or "latest" for new events
        only; by default, the stream starts with the oldest event. The iterator connects again from
        the last position when a connection ends. It raises Gone if events after the position were
        deleted, and other errors that would occur again, such as Unauthorized.
        """
        path = "/api/v1/events" if wallet is None else "/api/v1/wallets/{alias}/events"
        return stream(self._transport, path, wallet, after, kinds)

    def wait_for(
        self,
        proposal: AnyProposal,
        status: Union[str, Iterable[str]],
        timeout: Optional[float] = None,
        *,
        interval: float = 1.0,
    ) -> types.ProposalDetails:
        """Wait until a proposal has reached a status, or one of several, and return the proposal.

        A proposal has also reached the earlier statuses in the order awaiting_approval, created,
        partially_signed, complete, broadcast, confirmed. Raises WaitTimeout after timeout seconds, and ProposalClosed
        if the proposal gets a status from which it cannot reach the requested one. interval is the
        delay between two requests, in seconds.
        """
        wanted = [status] if isinstance(status, str) else list(status)
        if proposal.wallet_alias is None:
            raise ValueError("the proposal was not read from a server")
        deadline = None if timeout is None else time.monotonic() + timeout
        current: Optional[types.ProposalDetails] = None
        while True:
            try:
                etag = current.etag if current else None
                current = self.proposals.get(proposal.wallet_alias, proposal, if_none_match=etag)
            except NotModified:
                pass
            assert current is not None  # NotModified is a response to an ETag
            if _reached(current.status, wanted):
                return current
            if current.status in CLOSED or current.status == "confirmed":
                raise ProposalClosed(current.status, f"the proposal is {current.status}: {current.reason or 'no reason'}")
            delay = interval * random.uniform(0.8, 1.2)
            if deadline is not None and time.monotonic() + delay > deadline:
                raise WaitTimeout("timeout", f"after {timeout:g} s, the proposal is {current.status}")
            time.sleep(delay)


def _reached(status: str, wanted: Iterable[str]) -> bool:
    passed = PROGRESS[: PROGRESS.index(status) + 1] if status in PROGRESS else [status]
    return any(one in passed for one in wanted)
