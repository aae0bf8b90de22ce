"""The live loop: timers and quiet time become ticks, and whatever ends the engine ends it for good."""

from collections.abc import Callable

import pytest

from services.engine.stepper import RUN_EVENTS_MIN, Stepper
from tests.support.builders import (
    ALPHA,
    BTC,
    engine_of,
    engine_started,
    market_request,
    public_trade,
    setup_of,
)
from tests.support.scenario import Scripted
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.command import Command, SendOpenRequests
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountLinkChanged, ClockAdvanced, Shutdown, TimerFired
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.market.event import MarketEvent
from tradebus.core.strategy.interface import Decision, Strategy
from tradebus.wire.codec.market import market_event_to_bytes

QUIET_NS = 100


class Clock:
    now_ns = 1_000

    def __call__(self) -> int:
        return self.now_ns


class Kept:
    """Keeps ticks, and fails when it is told to."""

    def __init__(self) -> None:
        self.ticks: list[AuditTick] = []
        self.encoded: list[bytes | None] = []
        self.fails_with: Exception | None = None
        self.has_lost_state = False
        self.room = 64
        self.runs = 0
        self.engine: Engine | None = None

    def record(self, tick: AuditTick, event_bytes: bytes | None = None) -> None:
        if self.fails_with is not None:
            raise self.fails_with
        self.ticks.append(tick)
        self.encoded.append(event_bytes)

    def record_run(
        self, ticks: list[AuditTick], encoded: list[bytes], begin: int, *, is_state_last: bool = True
    ) -> None:
        assert len(ticks) <= self.room
        assert is_state_last == (self.engine is None or self.engine.sequence == ticks[-1].sequence + 1)
        self.runs += 1
        for place, tick in enumerate(ticks, begin):
            self.record(tick, encoded[place])

    def run_room(self) -> int:
        return self.room

    def lose_state(self) -> None:
        self.has_lost_state = True

    @property
    def events(self) -> list[EngineEvent]:
        return [tick.event for tick in self.ticks]


class Run:
    """A started stepper and what surrounds it."""

    def __init__(self, *strategies: Strategy) -> None:
        self.clock = Clock()
        self.kept = Kept()
        self.ends: list[AuditTick | Exception] = []
        started = engine_started([setup_of(strategy.id) for strategy in strategies])
        self.engine = engine_of(*strategies, started=started)
        self.kept.engine = self.engine
        self.stepper = Stepper(self.engine, self.kept, QUIET_NS, self.ends.append, self.clock)
        self.stepper.start()

    def after(self, passed_ns: int, then: Callable[[], object]) -> list[EngineEvent]:
        """Let time pass, do something, and return the events that it made."""
        before = len(self.kept.ticks)
        self.clock.now_ns += passed_ns
        then()
        return self.kept.events[before:]


def timers_at(*due_ns: int) -> Scripted:
    """Return a strategy that sets these timers at the first event it sees."""
    left = [Decision((), (), tuple((f"t{number}", due) for number, due in enumerate(due_ns)))]
    return Scripted(lambda _state, _event: left.pop() if left else None)


def test_the_journal_begins_with_the_start_record() -> None:
    run = Run()
    assert run.kept.events == [run.engine.started]
    assert run.kept.ticks[0].time_ns == 1_000


def test_an_event_is_recorded_with_its_own_bytes() -> None:
    run = Run()
    tick = run.stepper.step(public_trade(), b"bytes")
    assert tick is run.kept.ticks[-1]
    assert run.kept.encoded[-1] == b"bytes"


def test_an_event_that_does_not_fit_changes_nothing_and_is_raised() -> None:
    run = Run()
    before = run.engine.hash()
    with pytest.raises(InvalidEvent):
        run.stepper.step(public_trade(instrument=99))
    assert run.engine.hash() == before
    assert not run.stepper.is_ended
    assert run.stepper.step(public_trade()) is not None
    assert [tick.sequence for tick in run.kept.ticks] == [0, 1]


def test_due_timers_fire_before_the_event_in_their_order() -> None:
    run = Run(timers_at(1_060, 1_050, 5_000))
    run.stepper.step(public_trade())
    events = run.after(100, lambda: run.stepper.step(public_trade()))
    assert [type(event) for event in events] == [TimerFired, TimerFired, type(public_trade())]
    assert [event.due_ns for event in events if isinstance(event, TimerFired)] == [1_050, 1_060]


def test_timers_due_at_one_time_all_fire() -> None:
    run = Run(timers_at(1_050, 1_050, 1_050))
    run.stepper.step(public_trade())
    assert len(run.after(60, run.stepper.idle)) == 3


def test_a_timer_set_for_the_past_again_and_again_does_not_hold_up_the_loop() -> None:
    def again(_state: EngineState, event: EngineEvent) -> Decision:
        return Decision((), (), (("t", 1),))

    run = Run(Scripted(again))
    run.stepper.step(public_trade())
    events = run.after(1, lambda: run.stepper.step(public_trade()))
    assert [type(event) for event in events] == [TimerFired, type(public_trade())]
    assert len(run.after(1, run.stepper.idle)) == 1


def test_time_passes_in_the_journal_when_nothing_comes() -> None:
    run = Run()
    assert run.after(QUIET_NS - 1, run.stepper.idle) == []
    assert run.after(1, run.stepper.idle) == [ClockAdvanced()]
    assert run.after(1, run.stepper.idle) == []
    run.after(QUIET_NS - 2, lambda: run.stepper.step(public_trade()))
    assert run.after(QUIET_NS - 1, run.stepper.idle) == [], "the event has moved time"


def test_a_clock_that_is_set_back_does_not_stop_time() -> None:
    run = Run()
    run.stepper.step(public_trade())
    assert run.after(-900, run.stepper.idle) == [ClockAdvanced()]
    assert run.kept.ticks[-1].time_ns == 1_000, "engine time never goes backwards"
    assert run.after(QUIET_NS, run.stepper.idle) == [ClockAdvanced()]


def test_a_shutdown_ends_it_once_and_nothing_is_processed_afterwards() -> None:
    run = Run(timers_at(1_050))
    run.stepper.step(public_trade())
    last = run.stepper.step(Shutdown())
    assert run.ends == [last]
    assert run.after(1_000, run.stepper.idle) == []
    assert run.after(1_000, lambda: run.stepper.step(public_trade())) == []
    assert run.stepper.step(public_trade()) is None


def test_an_unrecoverable_error_ends_it() -> None:
    run = Run()
    run.stepper.step(AccountLinkChanged(ALPHA, AccountLink.TERMINATED))
    tick = run.stepper.step(Command("1", "operator", SendOpenRequests((market_request("c1"),))))
    assert tick is not None
    assert tick.errors
    assert run.ends == [tick]
    assert run.stepper.is_ended


def test_an_unrecoverable_error_in_a_timer_ends_it_before_the_event() -> None:
    def on_timer(_state: EngineState, event: EngineEvent) -> Decision | None:
        if isinstance(event, TimerFired):
            return Decision((), (market_request("c1"),))
        return Decision((), (), (("t", 1_050), ("u", 1_051))) if not started else None

    started: list[bool] = []
    run = Run(Scripted(on_timer))
    run.stepper.step(public_trade())
    started.append(True)
    run.stepper.step(AccountLinkChanged(ALPHA, AccountLink.TERMINATED))
    events = run.after(100, lambda: run.stepper.step(public_trade()))
    assert [type(event) for event in events] == [TimerFired]
    assert run.ends == [run.kept.ticks[-1]]


def test_a_tick_that_cannot_be_recorded_ends_it() -> None:
    run = Run()
    run.kept.fails_with = ValueError("too large")
    assert run.stepper.step(public_trade()) is None
    assert run.ends == [run.kept.fails_with]
    assert run.kept.has_lost_state
    run.kept.fails_with = None
    assert run.stepper.step(public_trade()) is None
    run.clock.now_ns += 1_000
    run.stepper.idle()
    assert len(run.kept.ticks) == 1, "nothing follows a tick that is missing"


def test_a_mistake_in_the_engine_ends_it_too() -> None:
    def changes_state(state: EngineState, _event: EngineEvent) -> None:
        state.instruments[BTC].data.is_stale = not state.instruments[BTC].data.is_stale

    run = Run(Scripted(changes_state))
    assert run.stepper.step(public_trade()) is None
    assert len(run.ends) == 1
    assert "changed the state" in str(run.ends[0])
    assert run.kept.has_lost_state
    assert run.stepper.step(public_trade()) is None
    assert len(run.kept.ticks) == 1


def process_on_end(run: Run, events: list[MarketEvent]) -> list[MarketEvent]:
    """Process events as the inlet does; return those that were refused."""
    encoded = [market_event_to_bytes(event) for event in events]
    refused: list[MarketEvent] = []
    place = 0
    while place < len(events):
        place = run.stepper.step_run(events, encoded, place)
        if place < len(events):
            try:
                run.stepper.step(events[place], encoded[place])
            except InvalidEvent:
                refused.append(events[place])
            place += 1
    return refused


def busy() -> Scripted:
    """Return a strategy that orders at every fifth event, and sets a timer, due at once or later, at every seventh."""
    numbers = iter(range(1, 1_000))

    def decide(_state: EngineState, _event: EngineEvent) -> Decision | None:
        number = next(numbers)
        if number % 7 == 0:
            return Decision((), (), ((f"t{number}", 900 + 20 * number),))
        return Decision((), (market_request(),)) if number % 5 == 0 else None

    return Scripted(decide)


@pytest.mark.parametrize("room", [1, 2, 7, 64])
def test_events_on_end_give_the_ticks_that_they_give_one_by_one(room: int) -> None:
    events = [public_trade(sequence=i + 1, instrument=99 if i in {0, 30, 31, 99} else BTC) for i in range(100)]
    alone, together = Run(busy()), Run(busy())
    together.kept.room = room
    refused: list[MarketEvent] = []
    for begin in range(0, len(events), 20):
        chunk = events[begin : begin + 20]
        for run in (alone, together):
            run.clock.now_ns += 150
        for event in chunk:
            refused += process_on_end(alone, [event])
        assert process_on_end(together, chunk) == [event for event in chunk if event in refused]
    assert len(refused) == 4
    assert together.kept.ticks == alone.kept.ticks
    assert together.kept.encoded == alone.kept.encoded
    assert together.engine.hash() == alone.engine.hash()
    assert any(isinstance(event, TimerFired) for event in together.kept.events)
    assert any(tick.outputs for tick in together.kept.ticks)
    assert bool(together.kept.runs) == (room >= RUN_EVENTS_MIN)
    assert not alone.kept.runs


def test_what_fails_among_events_on_end_ends_the_engine_behind_those_before_it() -> None:
    run = Run()
    run.kept.fails_with = ValueError("full")
    assert process_on_end(run, [public_trade(sequence=i + 1) for i in range(10)]) == []
    assert run.stepper.is_ended
    assert run.kept.has_lost_state
    assert run.ends == [run.kept.fails_with]


def test_an_order_that_ends_the_engine_ends_a_run() -> None:
    run = Run(Scripted(lambda _state, _event: Decision((), (market_request(),))))
    run.stepper.step(AccountLinkChanged(ALPHA, AccountLink.TERMINATED))
    events = [public_trade(sequence=i + 1) for i in range(10)]
    assert process_on_end(run, events) == []
    assert [tick.event for tick in run.kept.ticks[2:]] == events[: len(run.kept.ticks) - 2]
