"""One step: sequence, time, what each kind of event does, and what ends an engine."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    ALPHA,
    ASSET_USDT,
    BTC,
    asset_balance,
    balance_told,
    book,
    command_of,
    engine_of,
    engine_started,
    fill,
    filled,
    open_request,
    opened,
    order_in,
    order_told,
    public_trade,
    setup_of,
)
from tests.support.scenario import Scripted, decided, follow
from tradebus.core.engine.audit.tick import NO_OUTPUTS, PositionExit
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.command import SendOpenRequests
from tradebus.core.engine.event import (
    AccountLinkChanged,
    AccountReconnecting,
    ClockAdvanced,
    EngineStarted,
    FeedEnded,
    Shutdown,
    TimerFired,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketGap, MarketReconnecting
from tradebus.core.model.identifiers import ClientOrderId, StrategyId
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision

EVENTS: list[EngineEvent] = [
    public_trade(),
    book(),
    MarketReconnecting(ALPHA, "lost"),
    MarketGap(ALPHA, BTC, 1, 2),
    filled(fill()),
    AccountReconnecting(ALPHA, "lost"),
    AccountLinkChanged(ALPHA, AccountLink.UNHEALTHY),
    command_of(SendOpenRequests((open_request(),))),
    TradingStateUpdate(TradingState.DISABLED, "operator"),
    ClockAdvanced(),
    TimerFired(StrategyId("s"), "t", 1),
]


def test_start_is_the_first_tick_and_holds_all_that_the_state_is_built_from() -> None:
    engine = engine_of()
    tick = engine.start(5)
    assert (tick.sequence, tick.time_ns, tick.event) == (0, 5, engine.started)
    assert engine.process(ClockAdvanced(), 6).sequence == 1
    with pytest.raises(ValueError, match="start at sequence 0, found 2"):
        engine.start(7)


def test_an_engine_may_go_on_in_a_journal_that_holds_an_earlier_run() -> None:
    from tradebus.core.engine.engine import Engine  # noqa: PLC0415 - the one test that needs all its arguments
    from tradebus.core.risk.interface import RiskManager  # noqa: PLC0415

    strategy = Scripted(lambda _s, e: Decision((), [open_request("")]) if isinstance(e, ClockAdvanced) else None)
    started = engine_started([setup_of(strategy.id)], engine_id="paper")
    engine = Engine(started, [strategy], RiskManager(), sequence=40, epoch=7)
    assert engine.start(0).sequence == 40
    assert decided(engine.process(ClockAdvanced(), 0)).opens_sent[0].key.cid == "papere7s41n0"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_gives_one_tick_and_asks_the_strategy_while_trading_is_on(event: EngineEvent) -> None:
    strategy = Scripted()
    followed = follow(strategy)
    tick = followed.process(event, 3)
    assert (tick.sequence, tick.time_ns, tick.event) == (1, 3, event)
    assert not tick.is_terminal
    is_disabling = isinstance(event, TradingStateUpdate)
    assert strategy.asked == ([] if is_disabling else [event])
    assert followed.process(ClockAdvanced()).sequence == 2


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_no_strategy_is_asked_while_trading_is_off(event: EngineEvent) -> None:
    strategy = Scripted()
    followed = follow(strategy, started=engine_started([setup_of(strategy.id)], trading=TradingState.DISABLED))
    followed.process(event)
    assert strategy.asked == []


def test_enabling_asks_in_the_same_step() -> None:
    strategy = Scripted()
    followed = follow(strategy, started=engine_started([setup_of(strategy.id)], trading=TradingState.DISABLED))
    enabling = TradingStateUpdate(TradingState.ENABLED, "operator")
    followed.process(enabling)
    assert strategy.asked == [enabling]


@pytest.mark.parametrize("event", [Shutdown(), FeedEnded()], ids=lambda event: type(event).__name__)
def test_the_end_does_nothing_else(event: EngineEvent) -> None:
    strategy = Scripted()
    followed = follow(strategy)
    before = followed.engine.hash()
    tick = followed.process(event, 9)
    assert tick.is_terminal
    assert tick.outputs is NO_OUTPUTS
    assert tick.errors == ()
    assert strategy.asked == []
    assert followed.engine.hash() == before
    assert followed.replica.is_ended


def test_time_never_goes_backwards() -> None:
    followed = follow()
    assert [followed.process(ClockAdvanced(), now).time_ns for now in (10, 7, 10, 11, -5, 12)] == [
        10,
        10,
        10,
        11,
        11,
        12,
    ]


def test_time_is_the_shells_and_not_the_events() -> None:
    followed = follow()
    assert followed.process(public_trade(time_ns=10**18), 5).time_ns == 5


def test_a_refused_event_takes_no_sequence_and_no_time() -> None:
    followed = follow()
    with pytest.raises(InvalidEvent):
        followed.engine.process(public_trade(instrument=9), 50)
    tick = followed.process(public_trade(), 5)
    assert (tick.sequence, tick.time_ns) == (1, 5)


def test_strategies_must_be_those_of_the_start_record() -> None:
    with pytest.raises(ValueError, match=r"expected strategies \['s'\], found \['t'\]"):
        engine_of(Scripted(strategy_id="t"), started=engine_started([setup_of(StrategyId("s"))]))


def test_an_engine_starts_once() -> None:
    followed = follow()
    assert isinstance(followed.engine.started, EngineStarted)
    with pytest.raises(InvalidEvent, match="EngineStarted"):
        followed.engine.process(followed.engine.started, 1)


def test_a_fill_that_closes_a_position_says_so_before_what_is_decided_on_it() -> None:
    strategy = Scripted(
        lambda state, _event: Decision((), [open_request("")]) if state.instruments[0].exits.count else None
    )
    followed = follow(strategy)
    followed.process(filled(fill("t1", Side.BUY, 100, 2, 1)))
    tick = followed.process(filled(fill("t2", Side.SELL, 110, 2, 1)))
    exit_, decision = tick.outputs
    assert isinstance(exit_, PositionExit)
    assert exit_.exited.pnl_realised == 18
    assert decision == decided(tick)
    totals = followed.engine.state.instruments[BTC].exits
    assert (totals.count, totals.pnl_realised, totals.fees) == (1, Decimal(18), Decimal(2))


def test_orders_and_balances_are_taken_in() -> None:
    followed = follow()
    followed.process(order_told(order_in(opened(1, "0.5"))))
    assert followed.engine.state.instruments[BTC].orders[ClientOrderId("c1")].quantity_remaining() == Decimal("0.5")
    followed.process(balance_told(asset_balance(ASSET_USDT, 10, 4, time_ns=5)))
    followed.process(balance_told(asset_balance(ASSET_USDT, 20, 4, time_ns=4)))
    assert followed.engine.state.assets[ASSET_USDT].balance == asset_balance(ASSET_USDT, 10, 4).balance


def test_a_link_takes_requests_from_when_the_journal_says_so() -> None:
    followed = follow(started=engine_started(accounts=()))
    links = followed.engine.state.connectivity[ALPHA]
    assert links.link is AccountLink.NOT_CONFIGURED
    followed.process(AccountLinkChanged(ALPHA, AccountLink.HEALTHY))
    assert followed.engine.state.connectivity[ALPHA].link is AccountLink.HEALTHY
    assert links.account is Health.RECONNECTING


def test_what_strategies_hold_is_found_by_name() -> None:
    followed = follow(Scripted(strategy_id="a"), Scripted(strategy_id="b"))
    state = followed.engine.state
    assert state.strategy(StrategyId("b")) is state.strategies[1]
    assert state.strategy_data(StrategyId("a")) is state.strategies[0].data
    assert state.instrument(BTC) is state.instruments[BTC]
    assert state.asset(ASSET_USDT) is state.assets[ASSET_USDT]
    assert state.exchange(ALPHA) is state.connectivity[ALPHA]
    assert state.pnl_realised() == {}
    with pytest.raises(KeyError, match="no strategy 'c', only"):
        state.strategy(StrategyId("c"))
    state.strategies[0].data = None
    with pytest.raises(KeyError, match="the data of strategy 'a' is not available"):
        state.strategy_data(StrategyId("a"))
