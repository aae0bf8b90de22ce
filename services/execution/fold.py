"""Fold the audit journal into a simulated account: the same ticks always give the same account events.

Paper: what falls due goes into the account journal, unless it stands there already. Replay: the events stand in the
ticks themselves, and the fold only compares.
"""

from collections import deque
from typing import Final, final

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent, AccountSetup, EngineStarted, OwnerChanged
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.simulation.exchange import SimulatedExchange


@final
class PaperFold:
    """One simulated account fed with ticks."""

    def __init__(self, account: str) -> None:
        self.account: Final = account
        self.exchange: SimulatedExchange | None = None

    def fold(self, tick: AuditTick) -> list[AccountEvent]:
        """Take in the next tick; return what falls due by then, in order."""
        if isinstance(tick.event, EngineStarted):
            self._begin(tick.event)
        elif isinstance(tick.event, EngineResumed) and self.exchange is None:
            self._begin(tick.event.started)
        exchange = self.exchange
        if exchange is None:
            return []
        exchange.fold(tick)
        return exchange.pop_due(tick.time_ns)

    def fold_quiet(self, ticks: tuple[AuditTick, ...], begin: int) -> tuple[int, list[AccountEvent]]:
        """Take in ticks of mere market events from ``begin`` on, until one at which something falls due.

        Return the place behind the last that was taken in, and what falls due at that one. Where it is ``begin``, the
        tick there is one for ``fold``.
        """
        exchange = self.exchange
        if exchange is None:
            return begin, []
        behind = exchange.fold_quiet(ticks, begin)
        return behind, exchange.pop_due(ticks[behind - 1].time_ns) if behind > begin else []

    def _begin(self, started: EngineStarted) -> None:
        """Begin anew with the account's setup in a start record; an engine without the account leaves it idle."""
        self.exchange = None
        for setup in started.accounts:
            if setup.account == self.account and setup.simulation is not None:
                self.exchange = SimulatedExchange(started.index, setup)


@final
class ReplayFold:
    """Check a replay: the account events in its ticks must be the ones that the same fold gives."""

    def __init__(self, index: IndexedInstruments, setup: AccountSetup) -> None:
        self.exchange: Final = SimulatedExchange(index, setup)
        self._due: Final[deque[AccountEvent]] = deque()
        self.compared = 0
        self.difference = ""

    @property
    def is_equal(self) -> bool:
        """Tell whether every event so far was the expected one."""
        return not self.difference

    def fold(self, tick: AuditTick) -> None:
        """Take in the next tick; the first difference is kept as text."""
        event = tick.event
        exchange = self.exchange
        if isinstance(event, AccountEvent) and event.exchange == exchange.setup.exchange:
            if not self._due:
                exchange.advance(tick.time_ns)
                self._due.extend(exchange.pop_due(tick.time_ns))
            self._compare(tick, event)
        exchange.fold(tick)

    def finish(self) -> None:
        """Check at the end of the feed that nothing is left that the ticks never told of."""
        left = len(self._due) + (exchange_left := 0 if self.exchange.next_time_ns() is None else 1)
        if left and not self.difference:
            self.difference = f"{len(self._due)} events were never delivered, {exchange_left} still in transit"

    def _compare(self, tick: AuditTick, event: AccountEvent) -> None:
        if isinstance(event.data, OwnerChanged):
            return
        expected = self._due.popleft() if self._due else None
        self.compared += 1
        if expected != event and not self.difference:
            self.difference = f"tick {tick.sequence}: the journal holds {event}, the fold gives {expected}"
