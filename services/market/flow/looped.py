"""Repeat a stretch of flow at a fixed rate, for measurements: cheap enough for 100,000 events a second and more."""

from collections.abc import Sequence
from typing import Final

from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import InstrumentIndex

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
        self._parts: Final = [(event.exchange, event.instrument, event.data) for event in stretch]
        self._interval: Final = _NS / events_per_s
        self._start_ns = start_ns
        self._made = 0
        self._position = 0
        self._sequences: Final[dict[InstrumentIndex, int]] = {event.instrument: 0 for event in stretch}

    @property
    def next_ns(self) -> int:
        """When the next event is due."""
        return self._start_ns + int(self._made * self._interval)

    def next(self, until_ns: int, received_ns: int | None = None) -> list[MarketEvent]:
        """Return the events up to and including ``until_ns``, oldest first; see ``OrderFlow.next``."""
        out: list[MarketEvent] = []
        append, parts, sequences = out.append, self._parts, self._sequences
        start_ns, interval, made, position = self._start_ns, self._interval, self._made, self._position
        count = len(parts)
        while (time_ns := start_ns + int(made * interval)) <= until_ns:
            exchange, instrument, data = parts[position]
            sequences[instrument] = sequence = sequences[instrument] + 1
            received = time_ns if received_ns is None else received_ns
            append(MarketEvent(time_ns, received, exchange, instrument, sequence, data))
            made += 1
            position += 1
            if position == count:
                position = 0
        self._made, self._position = made, position
        return out

    def resume_at(self, time_ns: int) -> None:
        """Go on at ``time_ns``; the stretch goes on where it was."""
        self._start_ns, self._made = time_ns, 0
