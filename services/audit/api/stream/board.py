"""Say how the market of each instrument stands, encoded once for all readers and no more often than they may be told.

Between two encodings an instrument is only marked as changed. Readers remember the encoding that they have seen.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, final

from services.audit.api.moment import Moment
from services.audit.api.stream.payloads import market_payload

AT_ONCE_MAX: Final = 16
"""So many instruments are encoded before everything else has its turn."""


class Shown(NamedTuple):
    """The market of an instrument, as of the tick ``sequence``; ``number`` counts encodings."""

    number: int
    sequence: int
    instrument: int
    data: bytes


@final
class MarketBoard:
    """The newest encoding of each instrument."""

    def __init__(self) -> None:
        self.number = 0
        """Of the newest encoding."""
        self._changed: dict[int, None] = {}
        self._shown: dict[int, Shown] = {}
        """The newest encoding last."""

    def changed(self, instrument: int) -> None:
        """Note that the market of an instrument changed."""
        self._changed[instrument] = None

    @property
    def changes(self) -> dict[int, None]:
        """Return where changes are noted, for who notes them at every tick."""
        return self._changed

    @property
    def is_due(self) -> bool:
        """Tell whether something changed that is not encoded."""
        return bool(self._changed)

    def encode(self, moment: Moment) -> bool:
        """Encode some of what changed; tell whether there is more."""
        changed = self._changed
        for instrument in list(changed)[:AT_ONCE_MAX]:
            del changed[instrument]
            self.number += 1
            self._shown.pop(instrument, None)
            data = market_payload(moment, instrument)
            self._shown[instrument] = Shown(self.number, moment.sequence, instrument, data)
        return bool(changed)

    def since(self, number: int) -> Iterator[Shown]:
        """Yield the instruments encoded after an encoding, the newest first."""
        for shown in reversed(self._shown.values()):
            if shown.number <= number:
                return
            yield shown

    def clear(self) -> None:
        """Forget everything."""
        self._changed.clear()
        self._shown.clear()
