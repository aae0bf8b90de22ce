"""Number the events of each instrument without a gap, across connections and reconnections.

The number is what lets the engine notice a loss on the way from here to there; it says nothing of what the venue
itself failed to send. One object per publisher: translators of several connections share it.
"""

from __future__ import annotations

from tradebus.core.model.identifiers import InstrumentIndex


class InstrumentSequence:
    """The last number given to one instrument: 0 before the first event, which gets 1."""

    __slots__ = ("instrument", "last")

    def __init__(self, instrument: InstrumentIndex) -> None:
        self.instrument = instrument
        self.last = 0


class InstrumentSequences:
    """The sequences of all instruments of a publisher, made when first asked for."""

    def __init__(self) -> None:
        self._by_instrument: dict[InstrumentIndex, InstrumentSequence] = {}

    def of(self, instrument: InstrumentIndex) -> InstrumentSequence:
        """Return the counter of an instrument; the same object for every caller."""
        found = self._by_instrument.get(instrument)
        if found is None:
            found = self._by_instrument[instrument] = InstrumentSequence(instrument)
        return found

    def last(self) -> dict[InstrumentIndex, int]:
        """Return the last number given to each instrument: what a heartbeat carries."""
        return {instrument: sequence.last for instrument, sequence in self._by_instrument.items()}
