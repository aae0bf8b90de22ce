"""Decide which requests are handed over: those of accounts that can be sent to.

Source: barter 0.12.5 ``engine/action/send_requests.rs``. Nothing leaves here: what is "sent" stands in the tick, and
the shell hands it over once the tick is durable.
"""

from tradebus.core.engine.audit.tick import FailedAmend, FailedCancel, FailedOpen
from tradebus.core.engine.error import EngineError, EngineErrorKind
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.core.model.order import OrderRequestAmend, OrderRequestCancel, OrderRequestOpen


def link_error(state: EngineState, exchange: ExchangeIndex) -> EngineError | None:
    """Return why nothing can be handed over to an exchange's account, none if it can."""
    if not 0 <= exchange < len(state.connectivity):
        return EngineError(EngineErrorKind.INDEX, f"ExchangeIndex: no exchange with index {exchange}")
    link = state.connectivity[exchange].link
    if link is AccountLink.HEALTHY:
        return None
    name = state.index.exchanges[exchange].value
    if link is AccountLink.UNHEALTHY:
        return EngineError(EngineErrorKind.LINK_UNHEALTHY, f"the account of {name} cannot be reached now")
    if link is AccountLink.TERMINATED:
        return EngineError(EngineErrorKind.LINK_TERMINATED, f"the account of {name} is gone for good")
    return EngineError(EngineErrorKind.INDEX, f"ExchangeIndex: {name} has no account to send orders to")


def send_opens(
    state: EngineState, requests: tuple[OrderRequestOpen, ...]
) -> tuple[tuple[OrderRequestOpen, ...], tuple[FailedOpen, ...]]:
    """Split open requests into sent and failed, each tried independently, in order."""
    sent: list[OrderRequestOpen] = []
    failed: list[FailedOpen] = []
    for request in requests:
        error = link_error(state, request.key.exchange)
        if error is None:
            sent.append(request)
        else:
            failed.append(FailedOpen(request, error))
    return tuple(sent), tuple(failed)


def send_amends(
    state: EngineState, requests: tuple[OrderRequestAmend, ...]
) -> tuple[tuple[OrderRequestAmend, ...], tuple[FailedAmend, ...]]:
    """Split amend requests into sent and failed, each tried independently, in order."""
    sent: list[OrderRequestAmend] = []
    failed: list[FailedAmend] = []
    for request in requests:
        error = link_error(state, request.key.exchange)
        if error is None:
            sent.append(request)
        else:
            failed.append(FailedAmend(request, error))
    return tuple(sent), tuple(failed)


def send_cancels(
    state: EngineState, requests: tuple[OrderRequestCancel, ...]
) -> tuple[tuple[OrderRequestCancel, ...], tuple[FailedCancel, ...]]:
    """Split cancel requests into sent and failed, each tried independently, in order."""
    sent: list[OrderRequestCancel] = []
    failed: list[FailedCancel] = []
    for request in requests:
        error = link_error(state, request.key.exchange)
        if error is None:
            sent.append(request)
        else:
            failed.append(FailedCancel(request, error))
    return tuple(sent), tuple(failed)
