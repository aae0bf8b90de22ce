"""Say what went wrong between us and an account: the text of every failure, and what clients raise.

A failed request is a value (``OrderError``) and stands in the tick. What a client cannot do at all (no snapshot, no
stream, no answer) is raised in the shell.

Source: barter 0.12.5, barter-execution ``error``.
"""

from mypy_extensions import mypyc_attr

from tradebus.core.model.identifiers import parse_exchange_id
from tradebus.core.model.order import OrderError, OrderErrorKind


def is_connectivity(error: OrderError) -> bool:
    """Tell whether the venue was not reached, or did not answer: it refused nothing."""
    kind = error.kind
    return kind is OrderErrorKind.EXCHANGE_OFFLINE or kind is OrderErrorKind.TIMEOUT or kind is OrderErrorKind.SOCKET


def cause_text(error: OrderError) -> str:
    """Return what happened, without whom it happened to: ``rate limit exceeded``."""
    kind, subject, message = error.kind, error.subject, error.message
    if kind is OrderErrorKind.EXCHANGE_OFFLINE:
        return f"Exchange offline: {_display(subject)}"
    if kind is OrderErrorKind.TIMEOUT:
        return "ExecutionRequest timed out"
    if kind is OrderErrorKind.SOCKET:
        return message
    if kind is OrderErrorKind.ASSET_INVALID:
        return f"asset {subject} invalid: {message}"
    if kind is OrderErrorKind.INSTRUMENT_INVALID:
        return f"instrument {subject} invalid: {message}"
    if kind is OrderErrorKind.RATE_LIMIT:
        return "rate limit exceeded"
    if kind is OrderErrorKind.BALANCE_INSUFFICIENT:
        return f"asset {subject} balance insufficient: {message}"
    if kind is OrderErrorKind.ORDER_REJECTED:
        return f"order rejected: {message}"
    if kind is OrderErrorKind.ORDER_ALREADY_CANCELLED:
        return "order already cancelled"
    if kind is OrderErrorKind.ORDER_ALREADY_FULLY_FILLED:
        return "order already fully filled"
    return f"order {subject} unknown: {message}"


def order_error_text(error: OrderError) -> str:
    """Return the whole text of a failed request: ``connectivity: ...`` or ``order rejected: ...``."""
    return f"{'connectivity' if is_connectivity(error) else 'order rejected'}: {cause_text(error)}"


def _display(exchange: str) -> str:
    try:
        return parse_exchange_id(exchange).display
    except ValueError:
        return exchange


@mypyc_attr(native_class=False)
class ClientError(Exception):
    """Base of what a client of an account cannot do."""


@mypyc_attr(native_class=False)
class ClientUnreachable(ClientError):
    """The account was not reached or did not answer; it may be tried again. ``error`` says how."""

    def __init__(self, error: OrderError) -> None:
        super().__init__(f"Connectivity: {cause_text(error)}")
        self.error = error


@mypyc_attr(native_class=False)
class ClientRefused(ClientError):
    """The venue refused; trying again gives the same. ``error`` says why."""

    def __init__(self, error: OrderError) -> None:
        super().__init__(f"API: {cause_text(error)}")
        self.error = error


@mypyc_attr(native_class=False)
class AccountSnapshotFailed(ClientError):
    """No snapshot of the account could be fetched."""

    def __init__(self, message: str) -> None:
        super().__init__(f"failed to fetch AccountSnapshot: {message}")


@mypyc_attr(native_class=False)
class AccountStreamFailed(ClientError):
    """No stream of the account's events could be opened."""

    def __init__(self, message: str) -> None:
        super().__init__(f"failed to init AccountStream: {message}")


@mypyc_attr(native_class=False)
class NotNamedError(LookupError):
    """Base of failed look-ups from our indices to a venue's names; the message begins with the kind."""


@mypyc_attr(native_class=False)
class ExchangeKeyError(NotNamedError):
    """An exchange that this account does not trade on."""


@mypyc_attr(native_class=False)
class AssetKeyError(NotNamedError):
    """An asset that is not indexed."""


@mypyc_attr(native_class=False)
class InstrumentKeyError(NotNamedError):
    """An instrument that is not indexed, or belongs to another exchange than the order."""


@mypyc_attr(native_class=False)
class ClientMismatch(ValueError):
    """A client of one venue for the account of another."""
