"""Change the state: the only functions that do, run by the engine and by every replica alike.

``apply_event`` takes in what happened, ``apply_output`` what was decided. Both are total: they accept whatever the
engine put into a tick and never look at the clock, the strategy's decisions or anything outside the state.

Source: barter 0.12.5 ``engine/state/mod.rs`` (order of updates); added are keys of account events, gaps and timers.
"""

from typing import Final

from tradebus.core.engine.accounting import take_funding, take_trade
from tradebus.core.engine.apply_user import after_account_event, before_account_event, note_halted, record_requests
from tradebus.core.engine.audit.tick import (
    DataPatched,
    Halted,
    Output,
    RequestsDecided,
    TimerCleared,
    TimerSet,
)
from tradebus.core.engine.command import Command, CommandRejected
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    FundingReceived,
    OrderReceived,
    RequestInDoubt,
    RequestNeverReceived,
    Shutdown,
    SnapshotReceived,
    TimerFired,
    TradeReceived,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.resumed import CodeChanged
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.engine.state.orders import (
    doubt_all,
    record_amend,
    record_cancel,
    record_open,
    update_from_amend_answer,
    update_from_cancel_answer,
    update_from_doubt,
    update_from_fill,
    update_from_never_received,
    update_from_snapshot,
)
from tradebus.core.engine.state.position import PositionExited
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting
from tradebus.core.model.order import Order

_HEALTHY: Final = Health.HEALTHY  # looked up once: reading a member of an enum is slow


def apply_event(state: EngineState, event: EngineEvent) -> PositionExited | None:
    """Take in an event; return the position that it closed, if it closed one."""
    if isinstance(event, MarketEvent):
        apply_market_event(state, event)
        return None
    if isinstance(event, AccountEvent):
        return _apply_account_event(state, event)
    if isinstance(event, (Command, CommandRejected)):
        state.commands.note(event.id, event.position, state.time_ns)
    elif isinstance(event, TradingStateUpdate):
        state.commands.note(event.command_id, event.position, state.time_ns)
        state.trading = event.state
    elif isinstance(event, MarketReconnecting):
        _mark_stale(state, event)
    elif isinstance(event, MarketGap):
        state.instruments[event.instrument].data.mark_stale()
    elif isinstance(event, AccountReconnecting):
        state.connectivity[event.exchange].account = Health.RECONNECTING
    elif isinstance(event, AccountLinkChanged):
        _change_link(state, event)
    elif isinstance(event, TimerFired):
        state.clear_timer(event.strategy, event.id)
    elif isinstance(event, ConfigChanged):
        state.commands.note(event.command_id, event.position, state.time_ns)
        _configure(state, event)
    elif isinstance(event, Shutdown):
        state.commands.note(event.command_id, event.position, state.time_ns)
    elif isinstance(event, CodeChanged) and event.state_differs:
        state.trading = TradingState.DISABLED
    return None


def apply_market_event(state: EngineState, event: MarketEvent) -> None:
    """Take in a market event: link health, global data, the instrument's data, then what the strategies remember."""
    links = state.connectivity[event.exchange]
    if links.market_data is not _HEALTHY:
        links.market_data = _HEALTHY
    instrument = state.instruments[event.instrument]
    if state.global_data is not None:
        state.global_data.process_market(state, event)
    instrument.data.process(event)
    if instrument.user_data is not None:
        instrument.user_data.process_market(instrument, event)
    for strategy in state.strategies:
        strategy.process(state, event)


def _mark_stale(state: EngineState, event: MarketReconnecting) -> None:
    state.connectivity[event.exchange].market_data = Health.RECONNECTING
    for instrument in state.instruments:
        if instrument.instrument.exchange == event.exchange:
            instrument.data.mark_stale()


def _change_link(state: EngineState, event: AccountLinkChanged) -> None:
    """Note whether requests can be handed over. One that is gone for good answers no more, which ends no order."""
    state.connectivity[event.exchange].link = event.link
    if event.link is AccountLink.TERMINATED:
        for instrument in state.instruments:
            if instrument.instrument.exchange == event.exchange:
                doubt_all(instrument.orders)


def _configure(state: EngineState, event: ConfigChanged) -> None:
    for setup in event.strategies:
        state.strategy(setup.id).configure(setup)
    for check in event.risk:
        state.risk.configure(check)


def is_duplicate(state: EngineState, event: AccountEvent) -> bool:
    """Tell whether an account event was applied before; keys of one account only grow.

    Fills and funding payments have ids of their own, and may come again under another key.
    """
    data = event.data
    if isinstance(data, FundingReceived) and state.instruments[data.instrument].funding.has(
        data.time_exchange_ns, data.id
    ):
        return True
    if isinstance(data, TradeReceived) and state.instruments[data.trade.instrument].fills.has(data.trade):
        return True
    if event.cause == 0 and event.ordinal == 0:
        return False
    cursor = state.cursors[event.exchange]
    return (event.cause, event.ordinal) <= (cursor.cause, cursor.ordinal)


def _apply_account_event(state: EngineState, event: AccountEvent) -> PositionExited | None:
    if is_duplicate(state, event):
        return None
    if event.cause or event.ordinal:
        cursor = state.cursors[event.exchange]
        cursor.cause = event.cause
        cursor.ordinal = event.ordinal
    links = state.connectivity[event.exchange]
    if links.account is not _HEALTHY:
        links.account = _HEALTHY
    data = event.data
    before_account_event(state, event)
    exited: PositionExited | None = None
    if isinstance(data, TradeReceived):
        exited = take_trade(state, data.trade)
        instrument = state.instruments[data.trade.instrument]
        instrument.fills.add(data.trade)
        update_from_fill(instrument.orders, data.trade)
    elif isinstance(data, BalanceReceived):
        state.assets[data.balance.asset].update_from_balance(data.balance)
    elif isinstance(data, OrderReceived):
        _take_order(state, data.order)
    elif isinstance(data, CancelAnswered):
        orders = state.instruments[data.key.instrument].orders
        update_from_cancel_answer(orders, data.key.cid, data.error)
    elif isinstance(data, AmendAnswered):
        update_from_amend_answer(state.instruments[data.key.instrument].orders, data)
    elif isinstance(data, RequestInDoubt):
        update_from_doubt(state.instruments[data.key.instrument].orders, data.key.cid, data.request)
    elif isinstance(data, RequestNeverReceived):
        update_from_never_received(state.instruments[data.key.instrument].orders, data.key.cid, data.request)
    elif isinstance(data, SnapshotReceived):
        for balance in data.snapshot.balances:
            state.assets[balance.asset].update_from_balance(balance)
        for order in data.snapshot.orders:
            _take_order(state, order)
    elif isinstance(data, FundingReceived):
        take_funding(state, data)
    after_account_event(state, event)
    for strategy in state.strategies:
        strategy.process(state, event)
    return exited


def _take_order(state: EngineState, order: Order) -> None:
    orders = state.instruments[order.key.instrument].orders
    is_past = order.key.cid not in orders and state.numbering.is_past(order.key.cid)
    update_from_snapshot(orders, order, is_past=is_past)


def apply_output(state: EngineState, output: Output) -> None:
    """Take in one thing that was decided. What follows from the event itself (a closed position) changes nothing."""
    if isinstance(output, RequestsDecided):
        for cancel in output.cancels_sent:
            record_cancel(state.instruments[cancel.key.instrument].orders, cancel)
        for amend in output.amends_sent:
            record_amend(state.instruments[amend.key.instrument].orders, amend)
        for request in output.opens_sent:
            record_open(state.instruments[request.key.instrument].orders, request)
        if state.risk.checks:
            exchanges = [amend.key.exchange for amend in output.amends_sent]
            exchanges += [request.key.exchange for request in output.opens_sent]
            state.risk.record_sent(exchanges, state.time_ns)
        record_requests(state, output)
        if output.opens_sent:
            state.numbering.note(output.opens_sent)
    elif isinstance(output, TimerSet):
        state.set_timer(output.strategy, output.id, output.due_ns)
    elif isinstance(output, TimerCleared):
        state.clear_timer(output.strategy, output.id)
    elif isinstance(output, DataPatched):
        state.strategy(output.strategy).apply_patch(output.key, output.value)
    elif isinstance(output, Halted):
        state.trading = TradingState.DISABLED
        for strategy in state.strategies:
            if strategy.setup.id == output.strategy:
                strategy.failure = strategy.failure or output.reason
                strategy.is_halted = True
        note_halted(state, output)
