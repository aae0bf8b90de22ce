"""Compare where a journal ends with how far others say that they had it on disk: a stream may have lost its end.

What the archive holds, and what the snapshots of simulated accounts were taken at, stood in the stream once. One that
ends before lost it, by a damaged disk or a loss of power, and an engine that went on there would decide anew what was
decided, acknowledged and acted on.
"""

from collections.abc import Iterable

from structlog.stdlib import BoundLogger

from services.engine.recovery import WentBackwards
from tradebus.bus.interface import Bus
from tradebus.journal.positions import PositionsUnreadable, fingerprint_of, read_positions
from tradebus.journal.verify import JournalDamaged


async def check_reached(bus: Bus, stream: str, readers: Iterable[str], log: BoundLogger) -> None:
    """Refuse a journal that ends before what one of these readers has of it, or is another one there, or lacks it.

    A reader's record that cannot be read proves nothing, and is told. Raises WentBackwards, JournalDamaged and
    what the bus raises.
    """
    state = await bus.journal_state(stream)
    for reader in readers:
        try:
            positions = await read_positions(bus, reader)
        except PositionsUnreadable as error:
            log.warning("cannot compare the journal with a reader's position", reader=reader, reason=str(error))
            continue
        mark = None if positions is None else positions.mark(stream)
        if mark is None or not mark.position:
            continue
        if mark.position > state.last_sequence:
            raise WentBackwards(
                stream, f"it ends at message {state.last_sequence}, and {reader} has it up to {mark.position} on disk"
            )
        message = await bus.message(stream, mark.position)
        if message is None and mark.position >= state.first_sequence:
            raise JournalDamaged(stream, mark.position, f"expected the message that {reader} has, found none")
        if message is not None and fingerprint_of(message) != mark.fingerprint:
            found = fingerprint_of(message)
            raise WentBackwards(stream, f"message {mark.position} is {found}, {reader} has {mark.fingerprint} there")
