"""Find where to begin to read a stream whose front may have been pruned since we last knew it.

What was pruned is what this engine said it needs no more: its mark in the bucket ``positions`` stands for a snapshot
that was proven, of a tick that is in the journal, so whoever has applied the journal has all of it. The message at the
mark stays in the stream as long as the mark does not move, and only we move it.
"""

from tradebus.bus.interface import Bus
from tradebus.journal.positions import PositionsUnreadable, read_positions
from tradebus.journal.verify import AccountVerifier, JournalDamaged
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import account_batch_from_bytes
from tradebus.wire.codec.bounds import UNBOUNDED
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import IntegrityError, verify_checksum


class PrunedTooFar(Exception):
    """A stream that begins behind what this engine needs of it; the message says what was expected and found."""


async def first_to_read(bus: Bus, journal_id: str, stream: str, position: int) -> int:
    """Return the message from which to read a stream of which everything up to ``position`` is known.

    That is the next one, or, where that was pruned, the one at this engine's own mark. Raises PrunedTooFar, and what
    the bus raises.
    """
    first = (await bus.journal_state(stream)).first_sequence
    if first <= position + 1:
        return position + 1
    reader = subjects.engine_reader(journal_id)
    expected = f"{stream}: it begins with message {first}, and message {position + 1} was expected"
    try:
        positions = await read_positions(bus, reader)
    except PositionsUnreadable as error:
        raise PrunedTooFar(f"{expected}; what this engine needs no more cannot be read: {error}") from error
    mark = None if positions is None else positions.mark(stream)
    if mark is None or mark.position < first:
        said = "nothing" if mark is None else f"no more than message {mark.position}"
        raise PrunedTooFar(f"{expected}; {reader} in the bucket {subjects.POSITIONS} gives up {said}")
    return mark.position


async def verifier_before(bus: Bus, stream: str, position: int) -> AccountVerifier:
    """Return what verifies an account's journal from message ``position`` on, which is believed as it stands.

    Raises JournalDamaged, PrunedTooFar where the message is not there, and what the bus raises.
    """
    message = await bus.message(stream, position)
    if message is None:
        raise PrunedTooFar(f"{stream}: expected message {position}, it is not there any more")
    try:
        verify_checksum(message.payload, message.headers)
        head = account_batch_from_bytes(message.payload).head
    except (IntegrityError, DecodeError) as error:
        raise JournalDamaged(stream, position, str(error)) from error
    return AccountVerifier(
        UNBOUNDED, position=position - 1, chain=head.previous_chain.hex(), entry=head.first_entry - 1
    )
