"""Closing out at the end: by commands in the ticks, with everything delivered before the last record."""

from decimal import Decimal

from tests.support.builders import (
    BTC,
    ETH,
    book,
    engine_of,
    engine_started,
    market_request,
    open_request,
    setup_of,
    simulated_account,
)
from tests.support.scenario import Scripted, answer_once
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.command import CancelOrders, ClosePositions, Command
from tradebus.core.engine.event import AccountEvent, FeedEnded, TradeReceived
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketEvent
from tradebus.core.strategy.interface import Decision

DECISION = Decision((), [market_request("m"), open_request("r", price=1)])


def run(
    *events: MarketEvent, decision: Decision = DECISION, latency_ns: int = 100, close_out: bool = True
) -> tuple[list[AuditTick], EngineState]:
    """Run a strategy that decides once, and end the feed."""
    strategy = Scripted(answer_once(decision))
    started = engine_started([setup_of(strategy.id)], accounts=[simulated_account(latency_ns=latency_ns)])
    engine = engine_of(strategy, started=started)
    ticks: list[AuditTick] = []
    loop = VirtualTimeLoop(engine, simulated_exchanges(started), ticks.append)
    for event in events:
        loop.feed(event)
    loop.finish(close_out=close_out)
    return ticks, engine.state


def commands(ticks: list[AuditTick]) -> list[type]:
    return [type(tick.event.action) for tick in ticks if isinstance(tick.event, Command)]


def fills(ticks: list[AuditTick]) -> int:
    events = [tick.event for tick in ticks]
    return sum(isinstance(event, AccountEvent) and isinstance(event.data, TradeReceived) for event in events)


def test_orders_are_cancelled_and_positions_closed_before_the_last_record() -> None:
    ticks, state = run(book((99, 10), (101, 10), time_ns=10))
    assert commands(ticks) == [CancelOrders, ClosePositions]
    assert fills(ticks) == 2
    assert state.instruments[BTC].position is None
    assert not state.instruments[BTC].orders
    assert state.instruments[BTC].exits.pnl_realised == -2
    assert isinstance(ticks[-1].event, FeedEnded)


def test_it_is_asked_for() -> None:
    ticks, state = run(book((99, 10), (101, 10), time_ns=10), close_out=False)
    assert commands(ticks) == []
    assert state.instruments[BTC].position is not None


def test_what_the_market_does_not_take_stays_open() -> None:
    ticks, state = run(book((99, "0.25"), (101, 10), time_ns=10))
    assert state.instruments[BTC].quantity_net() == Decimal("0.75")
    assert commands(ticks)[:2] == [CancelOrders, ClosePositions]
    assert len(commands(ticks)) <= 3, "it does not ask again where nothing came of it"


def test_several_positions_are_closed_by_one_command() -> None:
    decision = Decision((), [market_request("b"), market_request("e", instrument=ETH)])
    ticks, state = run(
        book((49, 9), (51, 9), instrument=ETH, time_ns=9), book((99, 9), (101, 9), time_ns=10), decision=decision
    )
    if state.instruments[ETH].position is not None or state.instruments[BTC].position is not None:
        raise AssertionError([each.quantity_net() for each in state.instruments])
    assert commands(ticks) == [CancelOrders, ClosePositions]


def test_without_positions_only_orders_are_cancelled() -> None:
    ticks, state = run(book(time_ns=10), decision=Decision((), [open_request("r", price=1)]))
    assert commands(ticks) == [CancelOrders]
    assert not state.instruments[BTC].orders


def test_a_feed_without_events_has_nothing_to_close() -> None:
    ticks, _ = run()
    assert isinstance(ticks[-1].event, FeedEnded)
