"""Read the venue's time from what happened.

Source: barter 0.12.5 ``engine/clock.rs`` and barter-execution's account events.
"""

from tradebus.core.engine.event import (
    AccountEvent,
    BalanceReceived,
    CancelAnswered,
    OrderReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.account import AccountSnapshot
from tradebus.core.model.order import state_time_exchange_ns


def snapshot_time_exchange_ns(snapshot: AccountSnapshot) -> int | None:
    """Return the newest time in an account's snapshot, of balances and orders; none if it has none."""
    newest: int | None = None
    for balance in snapshot.balances:
        if newest is None or balance.time_exchange_ns > newest:
            newest = balance.time_exchange_ns
    for order in snapshot.orders:
        time = state_time_exchange_ns(order.state)
        if time is not None and (newest is None or time > newest):
            newest = time
    return newest


def event_time_exchange_ns(event: EngineEvent) -> int | None:
    """Return the venue's time that an event carries, the newest where it carries several; none where it has none."""
    if isinstance(event, MarketEvent):
        return event.time_exchange_ns
    if not isinstance(event, AccountEvent):
        return None
    data = event.data
    if isinstance(data, TradeReceived):
        return data.trade.time_exchange_ns
    if isinstance(data, BalanceReceived):
        return data.balance.time_exchange_ns
    if isinstance(data, OrderReceived):
        return state_time_exchange_ns(data.order.state)
    if isinstance(data, CancelAnswered):
        return data.time_exchange_ns
    if isinstance(data, SnapshotReceived):
        return snapshot_time_exchange_ns(data.snapshot)
    return None
