"""Turn a client's answer to a request, or that none came in time, into an account event.

That a request timed out is told as such and refuses nothing: the order's state is then unknown until the venue is
asked (see ``order_machine``).

Source: barter 0.12.5, barter-execution ``manager``.
"""

from typing import Final

from tradebus.core.engine.event import CancelAnswered, OrderReceived
from tradebus.core.execution.error import ClientMismatch
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import (
    FULLY_FILLED,
    Cancelled,
    Open,
    OpenFailed,
    OrderError,
    OrderErrorKind,
    OrderRequestCancel,
    OrderRequestOpen,
    order_from_request,
)

TIMED_OUT: Final = OrderError(OrderErrorKind.TIMEOUT, "", "")
"""The answer to a request that got none in time."""

_SERVE_ANY: Final = (ExchangeId.MOCK, ExchangeId.SIMULATED)


def open_answered(request: OrderRequestOpen, answer: Open | OrderError | None) -> OrderReceived | None:
    """Return the order that an open request led to, none where the client leaves that to the account's stream.

    An answer that leaves nothing to fill is a filled order, whatever the venue calls it.
    """
    if answer is None:
        return None
    order = order_from_request(request)
    if isinstance(answer, OrderError):
        return OrderReceived(order.with_state(OpenFailed(answer)))
    is_filled = order.quantity - answer.filled_quantity <= ZERO
    return OrderReceived(order.with_state(FULLY_FILLED if is_filled else answer))


def cancel_answered(request: OrderRequestCancel, answer: Cancelled | OrderError | None) -> CancelAnswered | None:
    """Return what a cancel request led to, none where the client leaves that to the account's stream."""
    if answer is None:
        return None
    if isinstance(answer, OrderError):
        return CancelAnswered(request.key, None, None, answer)
    return CancelAnswered(request.key, answer.id, answer.time_exchange_ns, None)


def account_name(client: ExchangeId, exchange: ExchangeId) -> str:
    """Return the account that a client serves on an exchange: ``okx``, or ``okx-paper`` where it is simulated.

    Raises ClientMismatch for a venue's client on another exchange; simulated ones serve any.
    """
    name: str = exchange.value
    if client in _SERVE_ANY:
        return f"{name}-paper"
    if client is not exchange:
        raise ClientMismatch(f"expected a client of {exchange.value}, found one of {client.value}")
    return name
