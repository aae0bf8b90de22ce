"""Tell what a tick changed of what streams show, from the tick and the state after it.

It follows from the journal alone: the same ticks give the same changes, live and read back from the archive. Market
data is left out: it changes with nearly every tick, and readers are told how it stands, not each step (``board``).
"""

from collections.abc import Iterator
from typing import NamedTuple, final

from services.audit.api.stream.event import NO_INSTRUMENT, Topic
from services.audit.projections import Exit, Fill, OrderLife, Projections
from tradebus.core.engine.audit.tick import AuditTick, Halted, PositionExit, RequestsDecided
from tradebus.core.engine.command import Command, CommandRejected
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    EngineStarted,
    FundingReceived,
    OrderReceived,
    OwnerChanged,
    RequestInDoubt,
    RequestNeverReceived,
    Shutdown,
    SnapshotReceived,
    TradeReceived,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.resumed import CodeChanged, EngineResumed
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting


class Change(NamedTuple):
    """Something that a tick changed; ``subject`` is what its view is made of.

    That is an index of an exchange, an asset or an instrument, an order's life, a fill, or the tick itself.
    """

    topic: Topic
    instrument: int
    subject: object


class PositionChange(NamedTuple):
    """The position of an instrument changed; ``exit`` is what it was if it was closed."""

    instrument: int
    exit: Exit | None


class _LinkStates(NamedTuple):
    market_data: Health
    account: Health
    link: AccountLink


class BeginsAnew(Exception):
    """The engine started or resumed with this tick: what was known before is best read anew."""


@final
class Changes:
    """Tells the changes of one tick after the other."""

    def __init__(self, state: EngineState) -> None:
        self._links: list[_LinkStates] = []
        self.begin(state)

    def begin(self, state: EngineState) -> None:
        """Go on from a state that the next tick follows."""
        self._links = [_LinkStates(each.market_data, each.account, each.link) for each in state.connectivity]

    def market_link_changed(self, state: EngineState, exchange: int) -> bool:
        """Tell whether a market event made a feed healthy again; all that a market event can change but market data."""
        return state.connectivity[exchange].market_data is not self._links[exchange].market_data

    def market_end(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> int:
        """Return up to where of plain ticks all change market data and nothing else.

        That is all of them while every feed is healthy; else up to the first one that makes a feed so.
        """
        lost = [at for at, each in enumerate(self._links) if each.market_data is not Health.HEALTHY]
        if not lost:
            return end
        for place in range(begin, end):
            event = ticks[place].event
            if isinstance(event, MarketEvent) and event.exchange in lost:
                return place
        return end

    def of(
        self, tick: AuditTick, state: EngineState, projections: Projections, *, is_duplicate: bool
    ) -> Iterator[Change]:
        """Yield what a tick changed, that ``state`` and ``projections`` have taken in just now. Raises BeginsAnew."""
        event = tick.event
        if isinstance(event, (EngineStarted, EngineResumed)):
            raise BeginsAnew
        if _changes_trading(tick):
            yield Change(Topic.TRADING, NO_INSTRUMENT, None)
        yield from self._connectivity(event, state)
        if isinstance(event, AccountEvent) and not is_duplicate:
            yield from (Change(Topic.ASSET, NO_INSTRUMENT, asset) for asset in _assets(event))
        for life in _orders(tick, projections, is_duplicate=is_duplicate):
            yield Change(Topic.ORDER, life.order.key.instrument, life)
        if isinstance(event, AccountEvent) and not is_duplicate:
            yield from _holdings(tick, event, projections)
        if _is_command(event):
            yield Change(Topic.COMMAND, NO_INSTRUMENT, tick)

    def _connectivity(self, event: EngineEvent, state: EngineState) -> Iterator[Change]:
        if not isinstance(
            event, (MarketEvent, AccountEvent, MarketReconnecting, MarketGap, AccountReconnecting, AccountLinkChanged)
        ):
            return
        now = state.connectivity[event.exchange]
        states = _LinkStates(now.market_data, now.account, now.link)
        counted = isinstance(event, (MarketReconnecting, MarketGap, AccountReconnecting)) or (
            isinstance(event, AccountEvent) and isinstance(event.data, OwnerChanged)
        )
        if counted or states != self._links[event.exchange]:
            self._links[event.exchange] = states
            yield Change(Topic.CONNECTIVITY, NO_INSTRUMENT, int(event.exchange))


def _changes_trading(tick: AuditTick) -> bool:
    event = tick.event
    return (
        isinstance(event, TradingStateUpdate)
        or (isinstance(event, CodeChanged) and event.state_differs)
        or any(isinstance(output, Halted) for output in tick.outputs)
    )


def _is_command(event: EngineEvent) -> bool:
    """Tell whether an event is what an operator asked for."""
    return isinstance(event, (Command, CommandRejected, ConfigChanged, Shutdown)) or (
        isinstance(event, TradingStateUpdate) and bool(event.command_id)
    )


def _assets(event: AccountEvent) -> list[int]:
    data = event.data
    if isinstance(data, BalanceReceived):
        return [data.balance.asset]
    if isinstance(data, SnapshotReceived):
        return [balance.asset for balance in data.snapshot.balances]
    return []


def _orders(tick: AuditTick, projections: Projections, *, is_duplicate: bool) -> Iterator[OrderLife]:
    """Yield the orders that something happened to, each once."""
    orders = projections.orders
    if isinstance(tick.event, AccountLinkChanged):  # rare, and it may leave every order in doubt
        yield from (life for life in list(orders.oldest_first()) if life.sequence_last == tick.sequence)
        return
    ids: dict[str, None] = {}
    if isinstance(tick.event, AccountEvent) and not is_duplicate:
        ids.update(dict.fromkeys(_ids_of_event(tick.event)))
    for output in tick.outputs:
        if isinstance(output, RequestsDecided):
            ids.update(dict.fromkeys(_ids_of_output(output)))
    for cid in ids:
        life = orders.get(cid)
        if life is not None and life.sequence_last == tick.sequence:
            yield life


def _ids_of_event(event: AccountEvent) -> list[str]:
    data = event.data
    if isinstance(data, TradeReceived):
        return [data.trade.cid]
    if isinstance(data, OrderReceived):
        return [data.order.key.cid]
    if isinstance(data, (CancelAnswered, AmendAnswered, RequestInDoubt, RequestNeverReceived)):
        return [data.key.cid]
    if isinstance(data, SnapshotReceived):
        return [order.key.cid for order in data.snapshot.orders]
    return []


def _ids_of_output(output: RequestsDecided) -> Iterator[str]:
    yield from (request.key.cid for request in output.opens_sent)
    yield from (request.key.cid for request in output.cancels_sent)
    yield from (request.key.cid for request in output.amends_sent)
    yield from (refused.request.key.cid for refused in output.opens_refused)
    yield from (failed.request.key.cid for failed in output.opens_failed)
    yield from (refused.request.key.cid for refused in output.cancels_refused)
    yield from (failed.request.key.cid for failed in output.cancels_failed)
    yield from (refused.request.key.cid for refused in output.amends_refused)
    yield from (failed.request.key.cid for failed in output.amends_failed)


def _holdings(tick: AuditTick, event: AccountEvent, projections: Projections) -> Iterator[Change]:
    """Yield what a fill or a funding payment changed: the fill itself, the position, what was made in all."""
    data = event.data
    if isinstance(data, TradeReceived):
        instrument = data.trade.instrument
        fill = _newest_fill(projections)
        assert fill is not None, "the projections have taken in the fill of this tick"
        yield Change(Topic.TRADE, instrument, fill)
    elif isinstance(data, FundingReceived):
        instrument = data.instrument
    else:
        return
    yield Change(Topic.POSITION, instrument, PositionChange(instrument, _exit_of(tick, projections)))
    yield Change(Topic.STATS, instrument, int(instrument))


def _newest_fill(projections: Projections) -> Fill | None:
    return next((row for _, row in projections.fills.rows.newest_first()), None)


def _exit_of(tick: AuditTick, projections: Projections) -> Exit | None:
    if not any(isinstance(output, PositionExit) for output in tick.outputs):
        return None
    newest = next((row for _, row in projections.exits.rows.newest_first()), None)
    return newest if newest is not None and newest.sequence == tick.sequence else None
