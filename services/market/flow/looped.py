"""Repeat a stretch of flow at a fixed rate, for measurements: cheap enough for 100,000 events a second and more."""

from collections.abc import Sequence
from typing import Final

from tradebus.core.market.event import MarketData, MarketEvent
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex

_NS: Final = 1_000_000_000


class LoopedFlow:
    """The events given, over and over, evenly spaced at exactly ``events_per_s``, with times and sequences renewed.

    Prices jump where the stretch begins again, and trade ids recur; nothing else tells it from a flow without end.
    Raises ValueError for an empty stretch or a rate of zero or less.
    """

    def __init__(self, stretch: Sequence[MarketEvent], events_per_s: float, *, start_ns: int) -> None:
        if not stretch or not events_per_s > 0:
            raise ValueError(
                f"expected events and a rate above 0, found {len(stretch)} events, {events_per_s} a second"
            )
        # Of each event its number among its instrument's in the stretch, so that the others need not be counted.
        counted: dict[InstrumentIndex, int] = {}
        self._parts: Final[list[tuple[ExchangeIndex, InstrumentIndex, int, MarketData]]] = []
        for event in stretch:
            counted[event.instrument] = number = counted.get(event.instrument, 0) + 1
            self._parts.append((event.exchange, event.instrument, number, event.data))
        self._counted: Final = counted
        self._interval: Final = _NS / events_per_s
        self._start_ns = start_ns
        self._made = 0
        self._position = 0
        self._before: dict[InstrumentIndex, int] = dict.fromkeys(counted, 0)

    @property
    def next_ns(self) -> int:
        """When the next event is due."""
        return self._start_ns + int(self._made * self._interval)

    def next(self, until_ns: int, received_ns: int | None = None) -> list[MarketEvent]:
        """Return the events up to and including ``until_ns``, oldest first; see ``OrderFlow.next``."""
        out: list[MarketEvent] = []
        start_ns, interval = self._start_ns, self._interval
        while (next_ns := self.next_ns) <= until_ns:
            # Not more than are due, for certain: a fraction of a nanosecond is no matter, the loop ends where it must.
            due = int((until_ns - next_ns) / interval) or 1
            parts, before, made = self._parts[self._position : self._position + due], self._before, self._made
            times_ns = [start_ns + int(number * interval) for number in range(made, made + len(parts))]
            out += [
                MarketEvent(
                    time_ns,
                    time_ns if received_ns is None else received_ns,
                    exchange,
                    instrument,
                    before[instrument] + number,
                    data,
                )
                for time_ns, (exchange, instrument, number, data) in zip(times_ns, parts, strict=True)
            ]
            self._made += len(parts)
            self._position += len(parts)
            if self._position == len(self._parts):
                self._position = 0
                self._before = {each: number + self._counted[each] for each, number in before.items()}
        return out

    def resume_at(self, time_ns: int) -> None:
        """Go on at ``time_ns``; the stretch goes on where it was."""
        self._start_ns, self._made = time_ns, 0
