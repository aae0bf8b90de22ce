"""Runners: events in order, due timers before them, ticks to whoever listens, until one of them is the last."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any

import pytest

from tests.support.builders import command_of, engine_of, engine_started, open_request, public_trade, setup_of
from tests.support.scenario import Scripted, answer_once
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.command import SendOpenRequests
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountLinkChanged, ClockAdvanced, FeedEnded, Shutdown, TimerFired
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.core.strategy.interface import Decision
from tradebus.running import Clock, EventClock, LiveClock, Sink, TimersStuck, run, run_async

Runner = Callable[[Engine, Iterable[EngineEvent], Clock, Sink | None], AuditTick]


async def _as_async(events: Iterable[EngineEvent]) -> AsyncIterator[EngineEvent]:
    for event in events:
        await asyncio.sleep(0)
        yield event


def through_async(engine: Engine, events: Iterable[EngineEvent], clock: Clock, sink: Sink | None = None) -> AuditTick:
    return asyncio.run(run_async(engine, _as_async(events), clock, sink))


both = pytest.mark.parametrize("runner", [run, through_async], ids=["sync", "async"])


def started(*strategies: Scripted) -> Engine:
    engine = engine_of(*strategies, started=engine_started([setup_of(strategy.id) for strategy in strategies]))
    engine.start(0)
    return engine


def events_of(ticks: Sequence[AuditTick]) -> list[str]:
    return [type(tick.event).__name__ for tick in ticks]


@both
def test_the_end_of_the_feed_is_the_last_tick(runner: Runner) -> None:
    ticks: list[AuditTick] = []
    last = runner(started(), [public_trade(), public_trade()], EventClock(), ticks.append)
    assert events_of(ticks) == ["MarketEvent", "MarketEvent", "FeedEnded"]
    assert [tick.sequence for tick in ticks] == [1, 2, 3]
    assert last is ticks[-1]
    assert last.is_terminal


@both
def test_nothing_is_taken_after_a_terminal_tick(runner: Runner) -> None:
    engine = started()
    feed = iter([public_trade(), Shutdown(), public_trade()])
    ticks: list[AuditTick] = []
    last = runner(engine, feed, EventClock(), ticks.append)
    assert isinstance(last.event, Shutdown)
    assert events_of(ticks) == ["MarketEvent", "Shutdown"]


@both
def test_an_error_that_nothing_recovers_from_is_the_end(runner: Runner) -> None:
    gone = AccountLinkChanged(ExchangeIndex(0), AccountLink.TERMINATED)
    last = runner(
        started(), [gone, command_of(SendOpenRequests((open_request(),))), public_trade()], EventClock(), None
    )
    assert last.errors
    assert last.sequence == 2


@both
def test_an_empty_feed_ends_at_once(runner: Runner) -> None:
    last = runner(started(), [], EventClock(7), None)
    assert (type(last.event), last.time_ns) == (FeedEnded, 7)


@both
def test_who_listens_and_fails_is_told_no_more_and_the_engine_goes_on(
    runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[AuditTick] = []

    def sink(tick: AuditTick) -> None:
        if len(got) == 1:
            raise OSError("gone")
        got.append(tick)

    with caplog.at_level(logging.WARNING):
        last = runner(started(), [public_trade(), public_trade(), public_trade()], EventClock(), sink)
    assert (last.sequence, len(got)) == (4, 1)
    assert [record.getMessage() for record in caplog.records] == [
        "the audit sink failed at tick 2 and is given no more: OSError('gone')"
    ]


@both
def test_what_does_not_fit_reaches_the_caller(runner: Runner) -> None:
    engine = started()
    with pytest.raises(InvalidEvent):
        runner(engine, [public_trade(instrument=99)], EventClock(), None)
    assert engine.sequence == 1


@both
def test_timers_fire_before_what_comes_later_each_at_its_time(runner: Runner) -> None:
    strategy = Scripted(answer_once(Decision(timers_set=[("a", 5), ("b", 8), ("late", -3), ("never", 100)])))
    ticks: list[AuditTick] = []
    runner(started(strategy), [public_trade(time_ns=2), public_trade(time_ns=9)], EventClock(), ticks.append)
    fired = [(tick.event.id, tick.time_ns) for tick in ticks if isinstance(tick.event, TimerFired)]
    assert fired == [("late", 2), ("a", 5), ("b", 8)]
    assert events_of(ticks)[-2:] == ["MarketEvent", "FeedEnded"]


@both
def test_timers_that_set_timers_without_end_are_noticed(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradebus.running.STEPS_WITHOUT_TIME_MAX", 50)
    strategy = Scripted(lambda _state, _event: Decision(timers_set=[("again", 0)]))
    with pytest.raises(TimersStuck, match="50 timers at 1 ns"):
        runner(started(strategy), [public_trade(), public_trade()], EventClock(), None)


def test_the_clock_of_events_never_goes_back() -> None:
    clock = EventClock(3)
    times = [
        clock.time_ns(event) for event in (public_trade(time_ns=5), public_trade(time_ns=4), None, ClockAdvanced())
    ]
    assert times == [5, 5, 5, 5]
    assert EventClock(3).time_ns(public_trade(time_ns=1)) == 3


def test_the_live_clock_is_the_machines() -> None:
    before = time.time_ns()
    assert before <= LiveClock().time_ns(None) <= time.time_ns()


async def _quiet(first: EngineEvent, until: asyncio.Event) -> AsyncIterator[EngineEvent]:
    yield first
    await until.wait()
    yield Shutdown()


def test_with_a_live_clock_timers_fire_while_nothing_comes() -> None:
    async def scenario() -> list[AuditTick]:
        fired = asyncio.Event()
        due_ns = time.time_ns() + 20_000_000
        strategy = Scripted(answer_once(Decision(timers_set=[("soon", due_ns)])))
        ticks: list[AuditTick] = []

        def sink(tick: AuditTick) -> None:
            ticks.append(tick)
            if isinstance(tick.event, TimerFired):
                fired.set()

        feed = _quiet(public_trade(), fired)
        await asyncio.wait_for(run_async(started(strategy), feed, LiveClock(), sink), 5)
        return ticks

    ticks = asyncio.run(scenario())
    assert events_of(ticks) == ["MarketEvent", "TimerFired", "Shutdown"]


def test_a_run_that_is_cancelled_leaves_nothing_running() -> None:
    async def scenario() -> None:
        task = asyncio.ensure_future(run_async(started(), _quiet(public_trade(), asyncio.Event()), LiveClock()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    runs: Coroutine[Any, Any, None] = scenario()
    asyncio.run(runs)
