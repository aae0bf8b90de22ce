"""What trading was worth in the engine's present run, kept current tick by tick.

Reading works on a copy: a look at the curve counts in its drawdowns, and who asks must not change what others get.
"""

import json
from decimal import Decimal
from typing import Any, Final, final

from services.audit.projections.plain import NotPlain, from_plain, to_plain
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.statistics.capital import capital_of
from tradebus.core.statistics.equity import EquityPoint
from tradebus.core.statistics.interval import MINUTE_NS, TimeInterval
from tradebus.core.statistics.parts import BookParts, StatisticsParts
from tradebus.core.statistics.projection import NEVER, TradingStatistics
from tradebus.core.statistics.summary import TradingSummary

PERIOD_NS: Final = 5 * MINUTE_NS
"""Between two points of the equity curve; it doubles when there are more than 10,000, after 35 days."""


@final
class FrozenStatistics:
    """The statistics of a run as they were at one tick."""

    def __init__(self, parts: StatisticsParts, capital: dict[str, Decimal]) -> None:
        self._curves: Final = [list(book.points) for book in parts.books]
        self._plain: Final = {"parts": to_plain(_without_points(parts)), "capital": to_plain(list(capital.items()))}
        self._text: str | None = None

    @property
    def text(self) -> str:
        """Return them as JSON, made when it is first asked for: the points take a while, and never change."""
        if self._text is None:
            points = [[[point.time_ns, str(point.equity)] for point in curve] for curve in self._curves]
            self._text = json.dumps({**self._plain, "points": points}, separators=(",", ":"))
        return self._text


@final
class Statistics:
    """The statistics of a run, none before its start record. ``next_sample_ns``: when the curve gets its next point."""

    def __init__(self) -> None:
        self.next_sample_ns = NEVER
        self._made: TradingStatistics | None = None
        self._capital: dict[str, Decimal] = {}
        self._frozen: FrozenStatistics | None = None
        """As they are now, if they have been frozen since they changed last."""

    @property
    def is_begun(self) -> bool:
        """Tell whether there are any."""
        return self._made is not None

    def sample_before(self, time_ns: int, state: EngineState) -> None:
        """Take the points that are due before a tick at this time is applied."""
        made = self._made
        assert made is not None, "nothing is due before they have begun"
        self._frozen = None
        while made.next_sample_ns < time_ns:
            made.sample(state)
        self.next_sample_ns = made.next_sample_ns

    def begin(self, started: EngineStarted, state: EngineState, time_ns: int) -> None:
        """Begin with a state and its engine time; what was made before is not theirs."""
        self._frozen = None
        self._capital = capital_of(started.index, started.accounts)
        self._made = TradingStatistics(state, time_ns, self._capital, period_ns=PERIOD_NS, keeps_trades=False)
        self.next_sample_ns = self._made.next_sample_ns

    def take(self, tick: AuditTick, event: EngineEvent, state: EngineState) -> None:
        """Take in a tick that is not of the market alone, with the state after it."""
        if isinstance(event, EngineStarted):
            self.begin(event, state, tick.time_ns)
            return
        if self._made is None:
            return
        self._frozen = None
        if isinstance(event, EngineResumed):
            self._capital = {**capital_of(event.started.index, event.started.accounts), **self._capital}
            self._made = _restored(self._made.parts(), self._capital, state)  # there may be more instruments
        self._made.add(tick, state)

    def summary(
        self, state: EngineState, time_ns: int, risk_free_return: Decimal, interval: TimeInterval
    ) -> TradingSummary:
        """Return the summary as of the state's tick, at its engine time."""
        return self._copy(state).summary(state, time_ns, risk_free_return, interval)

    def equity(self, state: EngineState, time_ns: int, interval: TimeInterval) -> dict[str, tuple[EquityPoint, ...]]:
        """Return the equity curve of each currency, the last point at the engine time of the state's tick."""
        copy = self._copy(state)
        copy.summary(state, time_ns, Decimal(0), interval)  # looks at everything as of now
        return copy.equity()

    def frozen(self) -> "FrozenStatistics | None":
        """Return a copy that later ticks do not change; the same as long as none of them concerns statistics."""
        if self._frozen is None and self._made is not None:
            self._frozen = FrozenStatistics(self._made.parts(), self._capital)
        return self._frozen

    def restore(self, plain: Any, state: EngineState) -> None:  # noqa: ANN401 - JSON
        """Go on from what the JSON of ``frozen`` says, with the state of the same tick. Raises NotPlain."""
        if plain is None:
            return
        parts = from_plain(plain["parts"])
        if not isinstance(parts, StatisticsParts):
            raise NotPlain(f"expected statistics, found {type(parts).__name__}")
        for book, points in zip(parts.books, plain["points"], strict=True):
            book.points.extend(EquityPoint(time_ns, Decimal(equity)) for time_ns, equity in points)
        self._frozen = None
        self._capital = dict(from_plain(plain["capital"]))
        self._made = _restored(parts, self._capital, state)
        self.next_sample_ns = self._made.next_sample_ns

    def _copy(self, state: EngineState) -> TradingStatistics:
        assert self._made is not None, "asked after the start record"
        parts = self._made.parts()
        copied = from_plain(to_plain(_without_points(parts)))
        for book, own in zip(copied.books, parts.books, strict=True):
            book.points.extend(own.points)
        return _restored(copied, self._capital, state)


def _restored(parts: StatisticsParts, capital: dict[str, Decimal], state: EngineState) -> TradingStatistics:
    made = TradingStatistics(state, parts.time_start_ns, capital, period_ns=PERIOD_NS, keeps_trades=False)
    made.restore(parts)
    return made


def _without_points(parts: StatisticsParts) -> StatisticsParts:
    books = [
        BookParts(
            book.name,
            book.capital_base,
            book.period_ns,
            book.last,
            [],
            book.drawdown,
            book.exposure,
            book.positions,
            book.turnover,
            book.pnl_before,
        )
        for book in parts.books
    ]
    return StatisticsParts(
        parts.time_start_ns, parts.next_sample_ns, books, parts.instruments, parts.assets, parts.strategies
    )
