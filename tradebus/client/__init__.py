"""Use a running Tradebus from Python: read its state, follow it, command it, over the REST API of the audit service.

`Client` blocks, `AsyncClient` awaits; both have the same methods. Answers are the typed models of `models`, which are
generated from the API's own description. Numbers come as `Decimal`, times as RFC 3339 text with nanoseconds.

    with Client("http://127.0.0.1:8000", key="tb_...") as tradebus:
        print(tradebus.trading().data.state)
        tradebus.set_trading_state("disabled", wait_s=5)
"""

from tradebus.client.aio import AsyncClient
from tradebus.client.blocking import Client
from tradebus.client.errors import (
    ClientError,
    CommandLost,
    CommandRejected,
    CommandTimeout,
    Conflict,
    Forbidden,
    Gone,
    InvalidRequest,
    NotConfirmed,
    NotFound,
    ProblemError,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)
from tradebus.client.sse import StreamEvent

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "CommandLost",
    "CommandRejected",
    "CommandTimeout",
    "Conflict",
    "Forbidden",
    "Gone",
    "InvalidRequest",
    "NotConfirmed",
    "NotFound",
    "ProblemError",
    "ServiceUnavailable",
    "StreamEvent",
    "TooManyRequests",
    "Unauthorized",
    "UnexpectedAnswer",
    "Unreachable",
]
