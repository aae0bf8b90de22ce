"""Prove a journal's batches without decoding their ticks: all that the archive needs to keep them."""

from typing import Self, final

from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.chunk import Stored
from tradebus.journal.archive.stored import stored_batch
from tradebus.journal.verify import JournalDamaged
from tradebus.wire.codec.audit import AuditFrames, audit_frames_from_bytes
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import CHAIN_START, IntegrityError, verify_chain_hash, verify_checksum, verify_follows


@final
class FrameVerifier:
    """Takes the messages of an audit stream in order: checksum, chain hash, link, ticks without a hole.

    ``position``, ``chain`` and ``sequence`` are those of the last batch, as told or accepted.
    """

    def __init__(self, *, position: int = 0, chain: str = CHAIN_START, sequence: int = -1) -> None:
        self.position = position
        self.chain = chain
        self.sequence = sequence
        self._is_linked = True

    @classmethod
    def behind_gap(cls, first: int) -> Self:
        """Return one that begins with message ``first``, whatever that says it follows."""
        made = cls(position=first - 1)
        made._is_linked = False
        return made

    def accept(self, message: JournalMessage) -> Stored:
        """Return the next message as the archive takes it; raises JournalDamaged, after which nothing has changed."""
        if message.sequence != self.position + 1:
            raise JournalDamaged(message.stream, message.sequence, f"expected message {self.position + 1}")
        chain, frames = _proven(message)
        head = frames.head
        if self._is_linked:
            if head.first_sequence != self.sequence + 1:
                reason = f"expected ticks from {self.sequence + 1}, found {head.first_sequence}"
                raise JournalDamaged(message.stream, message.sequence, reason)
            try:
                verify_follows(self.chain, head.previous_chain.hex())
            except IntegrityError as error:
                raise JournalDamaged(message.stream, message.sequence, str(error)) from error
        try:
            stored = stored_batch(message, frames)
        except DecodeError as error:
            raise JournalDamaged(message.stream, message.sequence, str(error)) from error
        self.position = message.sequence
        self.chain = chain
        self.sequence = head.last_sequence
        self._is_linked = True
        return stored


def _proven(message: JournalMessage) -> tuple[str, AuditFrames]:
    try:
        verify_checksum(message.payload, message.headers)
        return verify_chain_hash(message.payload, message.headers), audit_frames_from_bytes(message.payload)
    except (IntegrityError, DecodeError) as error:
        raise JournalDamaged(message.stream, message.sequence, str(error)) from error
