"""Client of specterd, an API for the watch-only wallets of a Bitcoin node.

    from specterd import Client

    client = Client("https://specterd.example", token=token)
    print(client.wallets.get("savings").balances.available_sat)

Amounts are integers, in satoshis.
"""

from . import types
from ._client import Client
from ._errors import (
    Conflict,
    Error,
    FieldProblem,
    Forbidden,
    Gone,
    InsufficientFunds,
    InvalidRequest,
    InvalidResponse,
    InvalidSignature,
    NetworkError,
    NotFound,
    NotModified,
    PreconditionFailed,
    ProposalClosed,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    WaitTimeout,
)
from ._groups import OPERATIONS
from ._http import VERSION as __version__
from ._values import UNSET
from ._webhook import WebhookMessage, verify_webhook
from .types import Label, LoggedEvent, ProposalDetails, Recipient, Transaction, Wallet

__all__ = [
    "OPERATIONS",
    "UNSET",
    "Client",
    "Conflict",
    "Error",
    "FieldProblem",
    "Forbidden",
    "Gone",
    "InsufficientFunds",
    "InvalidRequest",
    "InvalidResponse",
    "InvalidSignature",
    "Label",
    "LoggedEvent",
    "NetworkError",
    "NotFound",
    "NotModified",
    "PreconditionFailed",
    "ProposalClosed",
    "ProposalDetails",
    "Recipient",
    "TooManyRequests",
    "Transaction",
    "Unauthorized",
    "Unavailable",
    "Wallet",
    "WaitTimeout",
    "WebhookMessage",
    "__version__",
    "types",
    "verify_webhook",
]
