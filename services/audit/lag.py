"""Say how far the replica is behind its journal, in ticks and in time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from services.audit.fold import Fold
from tradebus.bus.errors import BusError
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.wire.codec.audit import audit_frames_from_bytes
from tradebus.wire.codec.error import DecodeError

NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Lag:
    """How many ticks, messages and milliseconds of the journal are not applied yet.

    Milliseconds run from the storing of the last applied message to that of the stream's last, both by the server's
    clock; before the first message there is nothing to count from and they are 0.
    """

    events: int
    messages: int
    ms: int


NO_LAG: Final = Lag(0, 0, 0)


@final
class LagWatch:
    """Looks up the end of the stream and compares it with where the fold stands *now*."""

    def __init__(self, bus: Bus, stream: str, fold: Fold) -> None:
        self._bus: Final = bus
        self._stream: Final = stream
        self._fold: Final = fold
        self._end_sequence = -1
        self._end_position = 0
        self._end_ns = 0

    @property
    def lag(self) -> Lag:
        """Return the lag behind the last known end of the stream."""
        fold = self._fold
        if fold.position >= self._end_position:
            return NO_LAG
        ms = (self._end_ns - fold.stored_ns) // NS_PER_MS if fold.stored_ns else 0
        return Lag(max(0, self._end_sequence - fold.sequence), self._end_position - fold.position, max(0, ms))

    async def look(self, on_failure: Callable[[str], None]) -> None:
        """Ask for the end of the stream; what cannot be asked or read is reported and changes nothing."""
        try:
            last = await self._bus.last_message(self._stream)
        except BusError as error:
            on_failure(str(error))
            return
        if last is not None:
            self._note(last)

    def _note(self, last: JournalMessage) -> None:
        self._end_position = last.sequence
        self._end_ns = last.time_ns
        try:
            self._end_sequence = audit_frames_from_bytes(last.payload).head.last_sequence
        except DecodeError:
            # The fold will come to this message and say what is wrong with it.
            self._end_sequence = max(self._end_sequence, self._fold.sequence + 1)
