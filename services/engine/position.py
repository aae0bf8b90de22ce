"""Find where an engine's journal ends: what the next batch must follow."""

from dataclasses import dataclass

from tradebus.bus.interface import Bus
from tradebus.journal.verify import JournalDamaged
from tradebus.wire import subjects
from tradebus.wire.codec.audit import audit_frames_from_bytes
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import CHAIN_START, IntegrityError, verify_chain_hash, verify_checksum


@dataclass(frozen=True, slots=True)
class JournalEnd:
    """The stream's last sequence (0: empty), that message's chain hash, and the last tick in it (-1: none)."""

    position: int
    chain: str
    sequence: int


EMPTY_JOURNAL = JournalEnd(0, CHAIN_START, -1)


async def journal_end(bus: Bus, stream_engine: str) -> JournalEnd:
    """Return the end of an engine's journal; raises JournalDamaged for a last message that is not what was written."""
    stream = subjects.audit_stream(stream_engine)
    last = await bus.last_message(stream)
    if last is None:
        return EMPTY_JOURNAL
    try:
        verify_checksum(last.payload, last.headers)
        chain = verify_chain_hash(last.payload, last.headers)
        frames = audit_frames_from_bytes(last.payload)
    except (IntegrityError, DecodeError) as error:
        raise JournalDamaged(stream, last.sequence, str(error)) from error
    return JournalEnd(last.sequence, chain, frames.head.last_sequence)
