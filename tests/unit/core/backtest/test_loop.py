"""The loop of backtest and replay: one virtual time, everything in its order, the same every time."""

from collections.abc import Callable

import pytest

from tests.support.builders import (
    ALPHA,
    ASSET_BETA_USDT,
    BETA,
    BETA_BTC,
    BTC,
    book,
    command_of,
    engine_of,
    engine_started,
    market_request,
    open_request,
    public_trade,
    setup_of,
    simulated_account,
)
from tests.support.scenario import Scripted, answer_once, assert_same_state, same_data
from tradebus.core.backtest.loop import VirtualTimeLoop, VirtualTimeStuck, simulated_exchanges
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.command import SendOpenRequests
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import (
    AccountEvent,
    AccountSetup,
    ClockAdvanced,
    EngineStarted,
    FeedEnded,
    Shutdown,
    TimerFired,
    TradeReceived,
    TradingStateUpdate,
)
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.strategy.interface import Decision


class Run:
    """An engine in virtual time, with all its ticks."""

    def __init__(self, *strategies: Scripted, started: EngineStarted | None = None, latency_ns: int = 0) -> None:
        accounts = [
            simulated_account(latency_ns=latency_ns),
            simulated_account(BETA, ((ASSET_BETA_USDT, 10_000),), latency_ns=latency_ns),
        ]
        setups = [setup_of(strategy.id) for strategy in strategies]
        self.strategies = strategies
        self.started = started or engine_started(setups, accounts=accounts)
        self.engine: Engine = engine_of(*strategies, started=self.started, is_debug=False)
        self.ticks: list[AuditTick] = []
        self.loop = VirtualTimeLoop(self.engine, simulated_exchanges(self.started), self.ticks.append)

    def feed(self, *events: MarketEvent) -> None:
        for event in events:
            self.loop.feed(event)

    def timeline(self) -> list[tuple[int, str]]:
        """Return the time and kind of each tick, kinds of account events by what they carry."""
        kinds: list[tuple[int, str]] = []
        for tick in self.ticks:
            event = tick.event
            name = type(event.data if isinstance(event, AccountEvent) else event).__name__
            kinds.append((tick.time_ns, name))
        return kinds

    def fills(self) -> list[AccountEvent]:
        events = [tick.event for tick in self.ticks]
        return [event for event in events if isinstance(event, AccountEvent) and isinstance(event.data, TradeReceived)]


def test_time_is_the_running_maximum_of_receive_times() -> None:
    run = Run()
    run.feed(*(public_trade(time_ns=1, received_ns=now) for now in (10, 30, 20, 40)))
    market = [time for time, kind in run.timeline() if kind == "MarketEvent"]
    assert market == [10, 30, 30, 40]
    assert run.loop.events == 4


def test_exchange_time_stands_in_where_nothing_was_received() -> None:
    run = Run()
    run.feed(public_trade(time_ns=15, received_ns=0))
    assert run.loop.time_ns == 15


def test_the_journal_begins_at_the_first_event() -> None:
    run = Run()
    run.feed(public_trade(time_ns=25))
    assert run.timeline()[0] == (25, "EngineStarted")
    assert run.ticks[0].sequence == 0


def test_at_one_time_exchanges_come_first_in_their_order_then_timers_then_the_feed() -> None:
    requests = [market_request("a"), market_request("b", instrument=BETA_BTC)]
    strategy = Scripted(
        lambda _state, event: (
            Decision((), requests, [("late", 60), ("early", 55)])
            if isinstance(event, MarketEvent) and event.time_exchange_ns == 10
            else None
        )
    )
    run = Run(strategy, latency_ns=50)
    run.feed(book(instrument=BETA_BTC, time_ns=9), book(time_ns=10), public_trade(time_ns=60))
    after = [entry for entry in run.timeline() if entry[0] > 35]
    answers = ["OrderReceived", "BalanceReceived", "BalanceReceived", "TradeReceived"]
    assert after == [
        (55, "TimerFired"),
        *((60, kind) for kind in answers * 2),
        (60, "TimerFired"),
        (60, "MarketEvent"),
    ]
    assert [event.exchange for event in run.fills()] == [ALPHA, BETA]


def test_each_thing_happens_at_its_own_time_however_far_the_next_event_is() -> None:
    strategy = Scripted(answer_once(Decision((), [], [("a", 100), ("b", 1_000_000)])))
    run = Run(strategy, latency_ns=30)
    run.feed(public_trade(time_ns=10), public_trade(time_ns=10**9))
    assert run.timeline() == [
        (10, "EngineStarted"),
        (10, "MarketEvent"),
        (25, "SnapshotReceived"),
        (25, "SnapshotReceived"),
        (100, "TimerFired"),
        (1_000_000, "TimerFired"),
        (10**9, "MarketEvent"),
    ]


def test_what_is_told_happens_now_and_its_consequences_later() -> None:
    run = Run(latency_ns=50)
    run.feed(book(time_ns=10))
    run.loop.tell(command_of(SendOpenRequests((market_request(),))))
    run.loop.tell(MarketReconnecting(ALPHA, "lost"))
    run.feed(book(time_ns=100))
    told = [entry for entry in run.timeline() if entry[1] not in {"SnapshotReceived", "BalanceReceived"}]
    assert told == [
        (10, "EngineStarted"),
        (10, "MarketEvent"),
        (10, "Command"),
        (10, "MarketReconnecting"),
        (60, "OrderReceived"),
        (60, "TradeReceived"),
        (100, "MarketEvent"),
    ]
    assert run.loop.events == 2


def test_what_is_told_before_the_feed_begins_the_journal() -> None:
    run = Run()
    run.loop.tell(TradingStateUpdate(TradingState.DISABLED, "operator"))
    assert run.timeline() == [(0, "EngineStarted"), (0, "TradingStateUpdate")]


def test_nothing_is_told_after_the_end() -> None:
    run = Run()
    run.feed(book(time_ns=10))
    run.loop.tell(Shutdown())
    run.loop.tell(ClockAdvanced())
    assert run.timeline()[-1] == (10, "Shutdown")


def test_a_timer_set_for_the_past_fires_now() -> None:
    strategy = Scripted(answer_once(Decision((), [], [("a", -5)])))
    run = Run(strategy)
    run.feed(public_trade(time_ns=10), public_trade(time_ns=20))
    assert (10, "TimerFired") in run.timeline()
    assert run.timeline()[-1] == (20, "MarketEvent")


def test_the_end_switches_trading_off_delivers_what_is_on_the_way_and_is_the_last_record() -> None:
    run = Run(Scripted(answer_once(Decision((), [open_request("r", price=1), market_request("m")]))), latency_ns=100)
    run.feed(book(time_ns=10))
    run.loop.finish()
    kinds = [kind for _, kind in run.timeline()]
    off = kinds.index("TradingStateUpdate")
    assert run.ticks[off].event == TradingStateUpdate(TradingState.DISABLED, "feed end")
    assert kinds[-1] == "FeedEnded"
    assert run.ticks[-1].is_terminal
    assert len(run.fills()) == 1
    assert run.ticks[-1].time_ns == 110
    assert run.engine.state.instruments[BTC].position is not None
    assert list(run.engine.state.instruments[BTC].orders) == ["r"], "an order on the book stays there"
    count = len(run.ticks)
    run.loop.finish()
    assert len(run.ticks) == count


def test_a_feed_without_events_begins_and_ends() -> None:
    run = Run()
    run.loop.finish()
    assert [kind for _, kind in run.timeline()] == [
        "EngineStarted",
        "TradingStateUpdate",
        "SnapshotReceived",
        "SnapshotReceived",
        "FeedEnded",
    ]


def again_now(state: EngineState, _event: object) -> Decision | None:
    return Decision((), [], [("again", 10)])


def again_earlier(state: EngineState, event: object) -> Decision | None:
    due = event.due_ns - 1 if isinstance(event, TimerFired) else 0
    return Decision((), [], [("again", due)])


@pytest.mark.parametrize("decide", [again_now, again_earlier], ids=lambda function: function.__name__)
def test_strategies_that_answer_without_end_are_found(
    decide: Callable[[EngineState, object], Decision | None],
) -> None:
    run = Run(Scripted(decide))
    with pytest.raises(VirtualTimeStuck, match="strategies answer without end"):
        run.feed(book(time_ns=10), book(time_ns=11))


def test_many_timers_at_times_of_their_own_are_no_endless_answer() -> None:
    def every_ns(_state: EngineState, event: object) -> Decision | None:
        return Decision((), [], [("next", event.due_ns + 1 if isinstance(event, TimerFired) else 11)])

    run = Run(Scripted(every_ns))
    run.feed(public_trade(time_ns=10), public_trade(time_ns=2000))
    assert sum(kind == "TimerFired" for _, kind in run.timeline()) == 1990


def test_a_replica_of_the_run_is_equal_and_exchanges_are_those_of_simulated_accounts() -> None:
    strategy = Scripted(answer_once(Decision((), [market_request("m")])))
    run = Run(strategy, latency_ns=10)
    run.feed(book(time_ns=10), book(time_ns=30))
    run.loop.finish()
    replica = Replica(same_data(run.strategies))
    for tick in run.ticks:
        replica.apply(tick)
    assert_same_state(run.engine, replica)
    accounts = [simulated_account(), AccountSetup(BETA, "venue", None)]
    assert [each.setup.account for each in simulated_exchanges(engine_started(accounts=accounts))] == ["alpha-paper"]


def test_ticks_end_with_the_feed() -> None:
    run = Run()
    run.feed(public_trade(time_ns=1))
    run.loop.finish()
    assert isinstance(run.ticks[-1].event, FeedEnded)
    assert [tick.sequence for tick in run.ticks] == list(range(len(run.ticks)))


def test_an_unrecoverable_error_ends_the_run_and_its_replica() -> None:
    strategy = Scripted(answer_once(Decision((), [open_request("r", instrument=BETA_BTC, exchange=BETA)])))
    started = engine_started([setup_of(strategy.id)], accounts=[simulated_account()])
    run = Run(strategy, started=started)
    run.feed(public_trade(time_ns=10), public_trade(time_ns=20))
    run.loop.finish()
    assert run.loop.is_ended
    assert run.ticks[-1].errors, "an exchange without an account cannot be sent to"
    assert run.ticks[-1].time_ns == 10
    replica = Replica(same_data(run.strategies))
    for tick in run.ticks:
        replica.apply(tick)
    assert replica.is_ended
