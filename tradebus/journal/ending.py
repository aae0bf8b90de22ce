"""Check the end of a journal before anything is written behind it."""

from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.journal.verify import JournalDamaged
from tradebus.wire.integrity import CHAIN_START, IntegrityError, verify_chain_hash, verify_follows


async def check_last_link(bus: Bus, last: JournalMessage, held: bytes) -> None:
    """Check that a stream's last message, which holds ``held`` as its predecessor's chain hash, follows the one before.

    A batch that somebody else wrote, or that was written twice, is sound in itself: only the link tells. Where the one
    before was pruned there is nothing to compare with. Raises JournalDamaged, or what the bus raises.
    """
    before = await bus.message(last.stream, last.sequence - 1) if last.sequence > 1 else None
    if before is None and last.sequence > 1:
        return
    try:
        chain = CHAIN_START if before is None else verify_chain_hash(before.payload, before.headers)
        verify_follows(chain, held.hex())
    except IntegrityError as error:
        raise JournalDamaged(last.stream, last.sequence, str(error)) from error
