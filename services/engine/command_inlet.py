"""Take operators' commands out of their stream and into the engine; expired and unreadable ones are told and kept."""

import time
from collections.abc import Callable
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.engine.intake import Loop, Reject
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.command import CommandMessage, command_message_from_bytes
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import IntegrityError, verify_checksum

KEYS_MAX: Final = 10_000
"""So many ids of commands are remembered, the last ones."""


class CommandRefused(ValueError):
    """A command that can be read but must not be carried out."""


@final
class CommandInlet:
    """Reads ``CMD_<engine>`` from where it ends when the engine begins: older commands were for another run.

    A command is applied once: its id is its key, and one that was not sure to have arrived may be there twice.
    ``clock`` gives nanoseconds since the epoch.
    """

    def __init__(
        self,
        bus: Bus,
        engine: str,
        index: IndexedInstruments,
        loop: Loop,
        reject: Reject,
        log: BoundLogger,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._bus: Final = bus
        self._stream: Final = subjects.cmd_stream(engine)
        self._bounds: Final = bounds_of(index)
        self._loop: Final = loop
        self._reject: Final = reject
        self._log: Final = log
        self._clock: Final = clock
        self._start_after = 0
        self._reader: JournalReader | None = None
        self._keys: Final[dict[str, None]] = {}
        self.commands = 0
        self.refused = 0

    async def note_end(self) -> None:
        """Remember where the stream ends before the engine begins."""
        self._start_after = (await self._bus.journal_state(self._stream)).last_sequence

    async def start(self) -> None:
        """Begin to read."""
        self._reader = await self._bus.consume(self._stream, self._start_after + 1, self._on_message)

    async def stop(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.stop()

    def _on_message(self, message: JournalMessage) -> None:
        try:
            verify_checksum(message.payload, message.headers)
            command = command_message_from_bytes(message.payload, self._bounds)
            if command.id in self._keys:
                self._log.info("command repeated, ignored", id=command.id, origin=command.origin)
                return
            self._apply(command)
        except (IntegrityError, DecodeError, InvalidEvent, CommandRefused) as error:
            self.refused += 1
            self._log.warning("command refused", reason=str(error), stream_sequence=message.sequence)
            self._reject(message.subject, message.payload, str(error))

    def _apply(self, command: CommandMessage) -> None:
        if command.expiry_ns and command.expiry_ns < self._clock():
            raise CommandRefused(f"command {command.id} expired before it was read")
        name = type(command.event).__name__
        if self._loop.step(command.event) is None:
            raise CommandRefused(f"command {command.id} came when the engine had ended")
        self._keys[command.id] = None
        if len(self._keys) > KEYS_MAX:
            del self._keys[next(iter(self._keys))]
        self.commands += 1
        self._log.info("command applied", id=command.id, origin=command.origin, command=name)
