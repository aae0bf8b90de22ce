"""A backtest in one call: the same input gives the same result, in every respect."""

import json
import re
from collections.abc import Iterator
from decimal import Context, Decimal, getcontext, setcontext
from typing import Any

import pytest

import tradebus
from tests.support.builders import (
    ASSET_BETA_USDT,
    ASSET_USDT,
    engine_started,
    public_trade,
    setup_of,
)
from tests.support.flow import market_flow, ready_made
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.backtest.result import BacktestOptions, BacktestResult, RunCounts, run_backtest
from tradebus.core.engine.audit.state_hash import RunDigest
from tradebus.core.engine.audit.tick import RefusedOpen
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import ClockAdvanced
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import Health
from tradebus.core.market.event import (
    BookL1,
    Level,
    MarketData,
    MarketEvent,
    MarketGap,
    MarketReconnecting,
    PublicTrade,
)
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.number import NumberError
from tradebus.core.model.order import OrderRequestCancel, OrderRequestOpen
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskDecision, RiskManager
from tradebus.core.strategy.interface import Decision, Strategy
from tradebus.strategies.loading import load_strategy

EVENTS = list(market_flow(1500, seed=3))


def backtest(events: list[MarketEvent] | Iterator[MarketEvent], run: str = "a") -> BacktestResult:
    started = ready_made(run)
    strategies = [load_strategy(each, started.index) for each in started.strategies]
    return run_backtest(events, started, strategies, RiskManager())


RESULT = backtest(EVENTS)


def test_something_happened() -> None:
    assert RESULT.events == len(EVENTS)
    assert RESULT.fills > 50
    assert RESULT.cancels > 50
    assert RESULT.orders > RESULT.fills / 2
    assert RESULT.ticks > RESULT.events + RESULT.fills
    assert list(RESULT.pnl_realised) == ["usdt"]


def test_two_runs_are_the_same() -> None:
    again = backtest(iter(EVENTS), "another run")
    for name in BacktestResult.FIELDS:
        assert getattr(again, name) == getattr(RESULT, name), name


def test_other_events_give_another_digest() -> None:
    assert backtest(EVENTS[:-1]).digest != RESULT.digest
    assert backtest(list(market_flow(1500, seed=4))).digest != RESULT.digest


def test_how_events_are_handed_over_changes_nothing() -> None:
    started = ready_made()
    strategies = [load_strategy(each, started.index) for each in started.strategies]
    engine = Engine(started, strategies, RiskManager())
    digest, counts = RunDigest(), RunCounts()
    loop = VirtualTimeLoop(engine, simulated_exchanges(started), digest.add)
    batches = [EVENTS[0:1], EVENTS[1:7], [], EVENTS[7:1000], EVENTS[1000:]]
    for batch in batches:
        for event in batch:
            loop.feed(event)
        # Looking at the state or the digest between batches is no part of a run.
        engine.hash()
        digest.hexdigest()
    loop.finish()
    assert digest.hexdigest() == RESULT.digest
    assert engine.hash() == RESULT.hash
    assert counts.orders == 0


def test_counts_are_those_of_the_ticks() -> None:
    started = ready_made()
    strategies = [load_strategy(each, started.index) for each in started.strategies]
    counts = RunCounts()
    loop = VirtualTimeLoop(Engine(started, strategies, RiskManager()), simulated_exchanges(started), counts.add)
    for event in EVENTS:
        loop.feed(event)
    loop.finish()
    assert (counts.orders, counts.cancels, counts.fills) == (RESULT.orders, RESULT.cancels, RESULT.fills)


def test_the_callers_context_is_restored_even_when_the_run_fails() -> None:
    mine = Context(prec=5)
    before = getcontext()
    setcontext(mine)
    try:
        assert backtest(EVENTS[:20]).events == 20
        assert getcontext() is mine
        with pytest.raises(ValueError, match="expected strategies"):
            run_backtest([], ready_made(), [], RiskManager())
        assert getcontext() is mine
    finally:
        setcontext(before)


def test_profits_of_one_quote_are_added_over_exchanges() -> None:
    totals = RESULT.state.pnl_realised()
    assert set(totals) == {ASSET_USDT, ASSET_BETA_USDT}
    assert sum(totals.values()) == RESULT.pnl_realised["usdt"]


def test_balances_agree_with_positions() -> None:
    """What the accounts hold is what they began with, plus what the fills moved."""
    started = ready_made()
    for account in started.accounts:
        assert account.simulation is not None
        begun = dict(account.simulation.balances)
        for instrument in RESULT.state.instruments:
            definition = instrument.instrument
            if definition.exchange != account.exchange:
                continue
            balance = RESULT.state.assets[definition.base].balance
            assert balance is not None
            position = instrument.position
            held = Decimal(0) if position is None else position.quantity_abs * (1 if position.side.value == 1 else -1)
            assert balance.total == begun[definition.base] + held


def test_a_result_says_what_came_of_it() -> None:
    assert len(RESULT.trades) == RESULT.fills
    sheet = RESULT.summary.portfolios["usdt"]
    assert sheet.capital_base == 200_000
    assert sheet.equity_end == RESULT.equity["usdt"][-1].equity
    open_now = RESULT.state.pnl_unrealised()
    rounding = Decimal("1e-20")
    assert sheet.pnl == pytest.approx(RESULT.pnl_realised["usdt"] + sum(open_now.values()), rel=rounding)
    realised = sum((trade.pnl_realised for trade in RESULT.trades), Decimal(0))
    assert realised == pytest.approx(RESULT.pnl_realised["usdt"], rel=rounding)
    assert sum(each.positions for each in RESULT.summary.instruments.values()) == sheet.positions > 5
    assert RESULT.summary.trading_duration_ns > 10**10


def test_results_are_equal_as_json_too() -> None:
    again = backtest(iter(EVENTS), "another run")
    assert again.to_json() == RESULT.to_json()
    text = json.loads(RESULT.to_json())
    assert text["digest"] == RESULT.digest
    assert len(text["trades"]) == RESULT.fills
    assert "state" not in text


def test_sampling_equity_changes_no_tick() -> None:
    started = ready_made()
    for period_ns in (0, 1_000_000, 10**9):
        strategies = [load_strategy(each, started.index) for each in started.strategies]
        options = BacktestOptions(equity_period_ns=period_ns)
        result = run_backtest(EVENTS, started, strategies, RiskManager(), options)
        assert result.digest == RESULT.digest
        assert result.summary.portfolios["usdt"].pnl == RESULT.summary.portfolios["usdt"].pnl
        assert (len(result.equity["usdt"]) > 100) is (period_ns == 1_000_000)


def test_points_are_a_period_apart_even_where_nothing_happens() -> None:
    started = ready_made()
    strategies = [load_strategy(each, started.index) for each in started.strategies]
    first = EVENTS[0].time_received_ns
    period_ns = 1_000_000
    end = first + 100 * period_ns + 5
    events = [EVENTS[0], public_trade(time_ns=end, received_ns=end)]
    result = run_backtest(events, started, strategies, RiskManager(), BacktestOptions(equity_period_ns=period_ns))
    times = [point.time_ns - first for point in result.equity["usdt"]]
    # Beyond the feed it goes on until everything in transit has come.
    assert times[:101] == [period_ns * i for i in range(101)]


def damaged(data: MarketData) -> list[MarketEvent]:
    """The first thirty events, the eighth with other data."""
    seventh = EVENTS[7]
    made = MarketEvent(
        seventh.time_exchange_ns,
        seventh.time_received_ns,
        seventh.exchange,
        seventh.instrument,
        seventh.sequence,
        data,
    )
    return [*EVENTS[:7], made, *EVENTS[8:30]]


@pytest.mark.parametrize(
    ("price", "amount", "said"),
    [
        (1.5, 1, "price: expected a Decimal, found float 1.5"),
        (Decimal("NaN"), 1, "price: expected a finite number, found NaN"),
        (Decimal("1e999"), 1, "price: expected at most 100 characters and an exponent of at most 500"),
        (True, 1, "price: expected a Decimal, found bool True"),
        (Decimal(1), -1, "amount: expected 0 or more, found -1"),
        (Decimal(1), Decimal("-Infinity"), "amount: expected a finite number, found -Infinity"),
    ],
)
def test_a_number_that_is_none_ends_the_run_and_says_where(price: Any, amount: Any, said: str) -> None:
    amount = Decimal(amount)
    with pytest.raises(InvalidEvent, match=re.escape(f"event 8 of the feed: PublicTrade: {said}")):
        backtest(damaged(PublicTrade("1", price, amount, Side.BUY)))
    level, good = Level(price, amount), Level(Decimal(1), Decimal(1))
    for book, side in ((BookL1(level, good), "best_bid"), (BookL1(None, level), "best_ask")):
        with pytest.raises(InvalidEvent, match=re.escape(f"event 8 of the feed: BookL1: {side}.{said}")):
            backtest(damaged(book))


class Failing(Strategy):
    """Fails at the tenth event it is asked about."""

    def __init__(self) -> None:
        self._asked = 0

    def generate_algo_orders(self, state: EngineState, event: EngineEvent) -> Decision | None:
        self._asked += 1
        if self._asked == 10:
            raise LookupError("no more ideas", 7)
        return None


def test_what_failed_stands_in_the_result() -> None:
    assert RESULT.halts == ()
    strategy = Failing()
    started = engine_started([setup_of(strategy.id)])
    result = run_backtest([public_trade(time_ns=i) for i in range(1, 20)], started, [strategy], RiskManager())
    (halt,) = result.halts
    assert (halt.strategy, halt.sequence) == (strategy.id, 10)
    assert halt.reason == "generate_algo_orders raised LookupError: no more ideas, 7"
    assert json.loads(result.to_json())["halts"][0]["reason"] == halt.reason


def test_lost_links_and_gaps_happen_where_they_stand() -> None:
    lost, gap = MarketReconnecting(ExchangeIndex(0), "lost"), MarketGap(ExchangeIndex(0), InstrumentIndex(0), 1, 2)
    result = run_backtest([lost, *EVENTS[:5], gap, *EVENTS[5:9], lost], engine_started(), [], RiskManager())
    assert result.events == 9
    assert result.ticks == RESULT_OF_NINE.ticks + 3
    assert result.state.connectivity[0].market_data is Health.RECONNECTING
    with pytest.raises(InvalidEvent, match=r"event 3 of the feed: expected a MarketEvent, .* found ClockAdvanced"):
        run_backtest([*EVENTS[:2], ClockAdvanced()], engine_started(), [], RiskManager())


RESULT_OF_NINE = run_backtest(EVENTS[:9], engine_started(), [], RiskManager())


def test_the_last_period_counts_where_the_run_ends_with_it() -> None:
    first, second = 1_000_000_000, 60_000_000_000
    times = [first + second * i for i in range(11)]
    started = engine_started()
    for count, points in ((11, 11), (10, 10)):
        events = [
            public_trade(100 + i, time_ns=time_ns, received_ns=time_ns) for i, time_ns in enumerate(times[:count])
        ]
        options = BacktestOptions(equity_period_ns=second)
        equity = run_backtest(events, started, [], RiskManager(), options).equity["usdt"]
        assert [point.time_ns for point in equity] == times[:points]


def test_a_risk_manager_of_no_length_is_one() -> None:
    class RefusesAll(RiskManager):
        def __len__(self) -> int:
            return 0

        def check(
            self, state: EngineState, cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
        ) -> RiskDecision:
            return RiskDecision(cancels, (), (), tuple([RefusedOpen(request, "no") for request in opens]))

    assert tradebus.backtest(EVENTS, ready_made(), risk=RefusesAll()).orders == 0
    assert tradebus.backtest(EVENTS, ready_made()).orders > 0


def test_a_feed_that_was_decoded_need_not_be_checked() -> None:
    started = ready_made()
    strategies = [load_strategy(each, started.index) for each in started.strategies]
    trusting = BacktestOptions(checks_numbers=False)
    assert run_backtest(EVENTS, started, strategies, RiskManager(), trusting).digest == RESULT.digest


def test_options_are_checked() -> None:
    with pytest.raises(NumberError):
        BacktestOptions(risk_free_return=0.05)  # type: ignore[arg-type]
    started = ready_made()
    strategies = [load_strategy(each, started.index) for each in started.strategies]
    with pytest.raises(ValueError, match="expected a currency"):
        run_backtest(EVENTS, started, strategies, RiskManager(), BacktestOptions(capital={"doge": Decimal(1)}))
