"""Take operators' commands out of their stream and into the engine; expired and unreadable ones are told and kept."""

import time
from collections.abc import Callable
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.engine.intake import Loop, Reject
from services.engine.pruned_front import first_to_read
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.command import CommandRejected
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.commands import CommandLog
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.command import CommandMessage, command_message_from_bytes, read_at
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import IntegrityError, verify_checksum

REASON_CHARACTERS_MAX: Final = 500
"""Of what is journaled of a refusal: it may repeat what was sent."""


class CommandRefused(ValueError):
    """A command that can be read but must not be carried out."""


@final
class CommandInlet:
    """Reads ``CMD_<engine>`` behind the last command in the state, so that none is applied twice, and none is missed.

    A journal that begins takes what comes from then on: older commands were for another one. A command's id is its key,
    and one that was not sure to have arrived may be there twice. One that can be read but not carried out is journaled
    as rejected, so that its sender learns why. ``clock`` gives nanoseconds since the epoch.
    """

    def __init__(
        self,
        bus: Bus,
        engine: str,
        index: IndexedInstruments,
        applied: CommandLog,
        loop: Loop,
        reject: Reject,
        log: BoundLogger,
        clock: Callable[[], int] = time.time_ns,
        *,
        is_resumed: bool = False,
    ) -> None:
        self._bus: Final = bus
        self._engine: Final = engine
        self._stream: Final = subjects.cmd_stream(engine)
        self._bounds: Final = bounds_of(index)
        self._loop: Final = loop
        self._reject: Final = reject
        self._log: Final = log
        self._clock: Final = clock
        self._applied: Final = applied
        self._is_resumed: Final = is_resumed
        self._start_after = applied.position
        self._is_left = False
        self._reader: JournalReader | None = None
        self.position = applied.position
        """The last message with which this engine is done: what was applied up to there is in its state."""
        self.commands = 0
        self.refused = 0

    async def note_end(self) -> None:
        """Remember where the stream ends before the engine begins; one that goes on knows where it was."""
        if self._is_resumed:
            return
        self._start_after = (await self._bus.journal_state(self._stream)).last_sequence
        self.position = self._start_after

    async def start(self) -> None:
        """Begin to read. Raises PrunedTooFar, and as ``Bus.consume``."""
        # Behind the last command that was applied there may be refused ones, which are pruned like the others.
        first = await first_to_read(self._bus, self._engine, self._stream, self._start_after)
        self._reader = await self._bus.consume(self._stream, first, self._on_message)

    async def stop(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.stop()

    def _on_message(self, message: JournalMessage) -> None:
        try:
            verify_checksum(message.payload, message.headers)
            command = command_message_from_bytes(message.payload, self._bounds)
            if self._applied.has(command.id):
                self._log.info("command repeated, ignored", id=command.id, origin=command.origin)
            else:
                self._apply_or_reject(command, message)
        except (IntegrityError, DecodeError) as error:
            self._refuse(message, str(error))
        if not self._is_left:
            self.position = message.sequence

    def _apply_or_reject(self, command: CommandMessage, message: JournalMessage) -> None:
        try:
            self._apply(command, message.sequence)
        except (InvalidEvent, CommandRefused) as error:
            reason = str(error)
            self._refuse(message, reason)
            shown = reason[:REASON_CHARACTERS_MAX]
            self._step(command, CommandRejected(command.id, command.origin, shown, message.sequence))

    def _refuse(self, message: JournalMessage, reason: str) -> None:
        self.refused += 1
        self._log.warning("command refused", reason=reason, stream_sequence=message.sequence)
        self._reject(message.subject, message.payload, reason)

    def _apply(self, command: CommandMessage, position: int) -> None:
        if command.expiry_ns and command.expiry_ns < self._clock():
            raise CommandRefused(f"command {command.id} expired before it was read")
        if self._step(command, read_at(command, position)):
            self.commands += 1
            self._log.info("command applied", id=command.id, origin=command.origin, command=_name(command))

    def _step(self, command: CommandMessage, event: EngineEvent) -> bool:
        """Process the event of a command; false when the engine has ended, and the next run will read it again."""
        if self._loop.step(event) is not None:
            return True
        self._is_left = True
        self._log.warning("command left for the next run", id=command.id, origin=command.origin, command=_name(command))
        return False


def _name(command: CommandMessage) -> str:
    return type(command.event).__name__
