"""Merge engine and simulated exchanges in virtual time: the one loop of backtest and replay.

Time is the running maximum of the events' receive times. Before each event everything happens that is due until then:
requests arrive, answers come back, timers fire, each at its own time; at equal times exchanges come first (in the
order given), then timers, then the feed.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Final, final

from mypy_extensions import mypyc_attr

from tradebus.core.backtest.journaled import FEED_END, JournaledRun
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.command import ALL_INSTRUMENTS, CancelOrders, ClosePositions, Command, CommandAction
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountEvent, EngineStarted, FeedEnded, TimerFired, TradingStateUpdate
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent
from tradebus.core.simulation.exchange import SimulatedExchange
from tradebus.core.simulation.transit import NEVER

STEPS_WITHOUT_TIME_MAX: Final = 100_000
# One closes what the best price offers; more are of use where a close is answered in parts.
CLOSE_OUT_COMMANDS_MAX: Final = 8
CLOSE_OUT: Final = "close-out"


@mypyc_attr(native_class=False)
class VirtualTimeStuck(RuntimeError):
    """Events kept causing events without time passing: a strategy that answers each answer, with no latency."""


@final
class VirtualTimeLoop:
    """An engine with its simulated exchanges, driven by a feed. Every tick goes to ``sink``, in order.

    After a terminal tick ``is_ended`` is true and whatever is fed is left alone. ``begun`` is a run that an earlier
    process began, with the exchanges that were given: ``go_on`` before anything is fed.
    """

    def __init__(
        self,
        engine: Engine,
        exchanges: list[SimulatedExchange],
        sink: Callable[[AuditTick], None],
        begun: JournaledRun | None = None,
    ) -> None:
        self.engine: Final = engine
        self.exchanges: Final = exchanges
        self._sink: Final = sink
        self._due: Final[deque[AccountEvent]] = deque()
        self._is_started = False
        self._is_feed_ended = False
        self._is_finished = False
        self.is_ended = False
        self.time_ns = 0
        self.events = 0
        if begun is not None:
            self._due.extend(begun.due)
            self._is_started = True
            self._is_feed_ended = begun.is_feed_ended
            self._is_finished = begun.is_ended
            self.is_ended = begun.is_ended
            self.time_ns = begun.time_ns
            self.events = begun.events

    def go_on(self) -> None:
        """Process what had arrived and stood in no tick when the earlier process ended."""
        self._process_due(self.time_ns)

    def feed(self, event: MarketEvent) -> None:
        """Process the next market event of the feed, and before it whatever is due."""
        if self.is_ended or self._is_feed_ended:
            return
        received = event.time_received_ns or event.time_exchange_ns
        if received > self.time_ns:
            self.time_ns = received
        if not self._is_started:
            self.start(self.time_ns)
        if self.engine.state.timers or self._wake_ns() <= self.time_ns:
            self._run_until(self.time_ns)
        if not self.is_ended:
            self._process(event, self.time_ns)
            self.events += 1

    def tell(self, event: EngineEvent) -> None:
        """Process an event that is not of the feed at the time now: a command, trading switched on, a lost link.

        What it causes becomes due as the feed goes on, or when it is finished.
        """
        if not self._is_started:
            self.start(self.time_ns)
        if not self.is_ended:
            self._process(event, self.time_ns)

    def start(self, time_ns: int) -> None:
        """Begin the journal; feeding the first event does it at that event's time."""
        self._is_started = True
        self.time_ns = max(self.time_ns, time_ns)
        self._emit(self.engine.start(self.time_ns))

    def advance(self, time_ns: int) -> None:
        """Let everything happen that is due until a time, without an event of the feed."""
        if self._is_started:
            self._run_until(time_ns)

    def finish(self, *, close_out: bool = False, before: Callable[[int], object] | None = None) -> None:
        """End the feed: trading off, everything in transit delivered, then the last record.

        With ``close_out`` an operator's commands cancel all orders and close all positions before it, and what comes of
        them is delivered. What the market did not take stays open. ``before`` is called with every time that comes,
        before anything happens at it.
        """
        if self._is_finished:
            return
        self._is_finished = True
        if not self._is_started:
            self.start(self.time_ns)
        if not self.is_ended and not self._is_feed_ended:
            self._is_feed_ended = True
            self._process(TradingStateUpdate(TradingState.DISABLED, FEED_END), self.time_ns)
        self._deliver(before)
        if close_out:
            self._close_out(before)
        if not self.is_ended:
            self._process(FeedEnded(), self.time_ns)

    def _deliver(self, before: Callable[[int], object] | None) -> None:
        while not self.is_ended:
            wake = self._wake_ns()
            if wake == NEVER:
                break
            if before is not None:
                before(wake)
            self.time_ns = max(self.time_ns, wake)
            self._run_until(self.time_ns)

    def _close_out(self, before: Callable[[int], object] | None) -> None:
        self._command("close-out-cancel", CancelOrders(ALL_INSTRUMENTS), before)
        held = self._held()
        for i in range(CLOSE_OUT_COMMANDS_MAX):
            if not held or self.is_ended:
                return
            self._command(f"close-out-{i}", ClosePositions(ALL_INSTRUMENTS, override_risk=True), before)
            last, held = held, self._held()
            if held == last:
                return

    def _command(self, id: str, action: CommandAction, before: Callable[[int], object] | None) -> None:
        if not self.is_ended:
            self._process(Command(id, CLOSE_OUT, action), self.time_ns)
        self._deliver(before)

    def _held(self) -> list[tuple[int, Decimal]]:
        instruments = self.engine.state.instruments
        return [(i, each.quantity_net()) for i, each in enumerate(instruments) if each.position is not None]

    def _wake_ns(self) -> int:
        wake = NEVER
        for exchange in self.exchanges:
            wake = min(wake, exchange.wake_ns)
        return wake

    def _run_until(self, time_ns: int) -> None:
        steps = 0
        last = -1
        while not self.is_ended:
            wake = self._wake_ns()
            due = self.engine.next_timer_due_ns()
            if wake <= time_ns and (due is None or wake <= due):
                now = wake
                self._run_exchanges(now)
            elif due is not None and due <= time_ns:
                # One set for the past is late, not a step back in time.
                now = max(due, self.engine.time_ns)
                timer = self.engine.state.timers[0]
                self._process(TimerFired(timer.strategy, timer.id, timer.due_ns), now)
            else:
                return
            steps = steps + 1 if now == last else 0
            last = now
            if steps > STEPS_WITHOUT_TIME_MAX:
                raise VirtualTimeStuck(f"{STEPS_WITHOUT_TIME_MAX} steps at {now} ns: strategies answer without end")

    def _run_exchanges(self, now_ns: int) -> None:
        for exchange in self.exchanges:
            exchange.advance(now_ns)
            self._due.extend(exchange.pop_due(now_ns))
        self._process_due(now_ns)

    def _process_due(self, now_ns: int) -> None:
        while self._due and not self.is_ended:
            self._process(self._due.popleft(), now_ns)

    def _process(self, event: EngineEvent, now_ns: int) -> None:
        self._emit(self.engine.process(event, now_ns))

    def _emit(self, tick: AuditTick) -> None:
        for exchange in self.exchanges:
            exchange.fold(tick)
        self._sink(tick)
        # An unrecoverable error ends the engine: nothing more is processed, as live.
        self.is_ended = tick.is_terminal


def simulated_exchanges(started: EngineStarted) -> list[SimulatedExchange]:
    """Return an exchange for each simulated account of an engine, in the order of its accounts."""
    return [SimulatedExchange(started.index, account) for account in started.accounts if account.simulation is not None]
