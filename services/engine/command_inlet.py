"""Take operators' commands out of their stream and into the engine; expired and unreadable ones are told and kept."""

import time
from collections.abc import Callable
from typing import Final, Protocol, final

from structlog.stdlib import BoundLogger

from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.command import CommandMessage, command_message_from_bytes
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import IntegrityError, verify_checksum


class Loop(Protocol):
    """What the inlet needs of the engine's loop."""

    def step(self, event: EngineEvent, event_bytes: bytes | None = None) -> object:
        """Process an event now."""


@final
class CommandInlet:
    """Reads ``CMD_<engine>`` from where it ends when the engine begins: older commands were for another run."""

    def __init__(
        self,
        bus: Bus,
        engine: str,
        index: IndexedInstruments,
        loop: Loop,
        reject: Callable[[str, bytes, str], None],
        log: BoundLogger,
    ) -> None:
        self._bus: Final = bus
        self._stream: Final = subjects.cmd_stream(engine)
        self._bounds: Final = bounds_of(index)
        self._loop: Final = loop
        self._reject: Final = reject
        self._log: Final = log
        self._start_after = 0
        self._reader: JournalReader | None = None
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
            _refuse_expired(command)
            self._loop.step(command.event)
        except (IntegrityError, DecodeError, InvalidEvent) as error:
            self.refused += 1
            self._log.warning("command refused", reason=str(error), stream_sequence=message.sequence)
            self._reject(message.subject, message.payload, str(error))
            return
        self.commands += 1
        self._log.info("command applied", id=command.id, origin=command.origin, command=type(command.event).__name__)


def _refuse_expired(command: CommandMessage) -> None:
    if command.expiry_ns and command.expiry_ns < time.time_ns():
        raise InvalidEvent(f"command {command.id} expired before it was read")
