"""Hooks: called when links are lost and trading goes off, recorded even when they ask for nothing."""

import pytest

from tests.support.builders import ALPHA, BETA, cancel_of, engine_started, open_request, public_trade, setup_of
from tests.support.scenario import Scripted, decided, follow
from tradebus.core.engine.audit.tick import DataPatched, Origin, RequestsDecided, TimerSet
from tradebus.core.engine.event import AccountReconnecting, TradingStateUpdate
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketReconnecting
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.core.strategy.interface import Decision

OFF = TradingStateUpdate(TradingState.DISABLED, "operator")
ON = TradingStateUpdate(TradingState.ENABLED, "operator")


@pytest.mark.parametrize(
    ("event", "origin"),
    [
        (MarketReconnecting(ALPHA, ""), Origin.MARKET_DISCONNECT),
        (AccountReconnecting(BETA, ""), Origin.ACCOUNT_DISCONNECT),
        (OFF, Origin.TRADING_DISABLED),
    ],
)
def test_being_called_is_an_output_even_when_nothing_is_asked(event: EngineEvent, origin: Origin) -> None:
    followed = follow(Scripted(strategy_id="a"), Scripted(strategy_id="b"))
    outputs = followed.process(event).outputs
    assert [(type(output), getattr(output, "origin", None)) for output in outputs] == [(RequestsDecided, origin)] * 2
    assert [getattr(output, "strategy", "") for output in outputs] == ["a", "b"]
    assert all(not getattr(output, "opens_sent", None) for output in outputs)


def test_a_hook_is_told_the_exchange_each_time_and_whether_trading_is_on_or_off() -> None:
    told: list[ExchangeIndex] = []
    strategy = Scripted(disconnected=lambda _state, exchange: told.append(exchange))
    started = engine_started([setup_of(strategy.id)], trading=TradingState.DISABLED)
    followed = follow(strategy, started=started)
    for event in (MarketReconnecting(BETA, ""), MarketReconnecting(BETA, ""), AccountReconnecting(ALPHA, "")):
        followed.process(event)
    assert told == [BETA, BETA, ALPHA]
    assert strategy.asked == []


def test_only_the_edge_from_on_to_off_calls_the_hook() -> None:
    called: list[int] = []
    followed = follow(Scripted(disabled=lambda _state: called.append(1)))
    for event, expected in ((ON, 0), (OFF, 1), (OFF, 1), (ON, 1), (OFF, 2)):
        followed.process(event)
        assert len(called) == expected


def test_a_hook_may_send_set_timers_and_patch() -> None:
    decision = Decision([cancel_of("x")], [open_request("")], [("again", 5)], [], [("note", "gone")])
    followed = follow(Scripted(disconnected=lambda _state, _exchange: decision))
    tick = followed.process(MarketReconnecting(ALPHA, ""))
    sent = decided(tick)
    assert [request.key.cid for request in sent.cancels_sent] == ["x"]
    assert [request.key.cid for request in sent.opens_sent] == ["teste1s1n0"]
    assert [type(output) for output in tick.outputs] == [RequestsDecided, TimerSet, DataPatched]


def test_orders_of_a_hook_come_before_those_of_the_algorithm() -> None:
    algo, hook = (Decision((), [open_request(cid)]) for cid in ("algo", "hook"))
    followed = follow(Scripted(lambda _s, _e: algo, disconnected=lambda _s, _e: hook))
    outputs = followed.process(MarketReconnecting(ALPHA, "")).outputs
    assert [getattr(output, "origin", None) for output in outputs] == [Origin.MARKET_DISCONNECT, Origin.ALGO]


def test_disabling_sends_what_the_hook_asks_and_nothing_else() -> None:
    strategy = Scripted(
        lambda _s, _e: Decision((), [open_request("algo")]), disabled=lambda _s: Decision([cancel_of("algo")])
    )
    followed = follow(strategy)
    followed.process(public_trade())
    output = decided(followed.process(OFF))
    assert (output.origin, len(output.cancels_sent), output.opens_sent) == (Origin.TRADING_DISABLED, 1, ())
