"""Find where an engine's journal ends, and whose it is: what the next batch must follow."""

from dataclasses import dataclass

from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.resumed import start_record
from tradebus.journal.ending import check_last_link
from tradebus.journal.verify import JournalDamaged
from tradebus.wire import subjects
from tradebus.wire.codec.audit import AuditFrames, audit_frames_from_bytes, tick_from_bytes
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import CHAIN_START, IntegrityError, verify_chain_hash, verify_checksum


@dataclass(frozen=True, slots=True)
class JournalEnd:
    """The stream's last sequence (0: empty), that message's chain hash, and the last tick in it (-1: none)."""

    position: int
    chain: str
    sequence: int


EMPTY_JOURNAL = JournalEnd(0, CHAIN_START, -1)


class ForeignJournal(Exception):
    """A journal that this engine must not go on with: of another engine or mode."""


async def journal_end(bus: Bus, stream_engine: str, started: EngineStarted) -> JournalEnd:
    """Return where the journal ends that an engine with this start record is to go on in.

    Raises ForeignJournal where it must not, and JournalDamaged when the last message, or the record that began the last
    run, is not what was written, or the last message does not follow the one before it.
    """
    stream = subjects.audit_stream(stream_engine)
    last = await bus.last_message(stream)
    if last is None:
        # Whoever shortens a stream leaves its last message.
        if counted := (await bus.journal_state(stream)).last_sequence:
            raise JournalDamaged(stream, counted, "expected the last message, found none")
        return EMPTY_JOURNAL
    frames, chain = _checked(last)
    await check_last_link(bus, last, frames.head.previous_chain)
    earlier = await _started(bus, stream, frames.head.engine_epoch)
    expected, found = (started.engine_id, started.mode), (frames.head.engine_id, started.mode)
    if earlier is not None:
        found = (earlier.engine_id, earlier.mode)
    if expected != found:
        raise ForeignJournal(
            f"{stream}: expected the journal of engine {expected[0]!r} in mode {expected[1]}, "
            f"found that of {found[0]!r} in mode {found[1]}; give this engine an `engine.id` of its own"
        )
    return JournalEnd(last.sequence, chain, frames.head.last_sequence)


async def _started(bus: Bus, stream: str, epoch: int) -> EngineStarted | None:
    """Return the record that began a run: its epoch is the number of that message. None where it was pruned.

    Then the snapshot that allowed that holds it, and the engine's id stands in every batch.
    """
    message = await bus.message(stream, epoch)
    if message is None and (await bus.journal_state(stream)).first_sequence > epoch:
        return None
    if message is None:
        raise JournalDamaged(stream, epoch, "expected the record that began the last run, found nothing")
    try:
        event = tick_from_bytes(_checked(message)[0].ticks[0]).event
    except DecodeError as error:
        raise JournalDamaged(stream, epoch, str(error)) from error
    started = start_record(event)
    if started is None:
        found = type(event).__name__
        raise JournalDamaged(stream, epoch, f"expected the record that began the last run, found {found}")
    return started


def _checked(message: JournalMessage) -> tuple[AuditFrames, str]:
    """Return a message's ticks, still encoded, and its chain hash. Raises JournalDamaged."""
    try:
        verify_checksum(message.payload, message.headers)
        return audit_frames_from_bytes(message.payload), verify_chain_hash(message.payload, message.headers)
    except (IntegrityError, DecodeError) as error:
        raise JournalDamaged(message.stream, message.sequence, str(error)) from error
