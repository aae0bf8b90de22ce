"""The state of the engine at any tick of the past: the newest checkpoint before it, and the archive from there on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.state.user_setup import StrategyDataFactory, UserDataFactory, no_user_data
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.checkpoints import CheckpointDamaged, Checkpoints
from tradebus.journal.archive.damage import Damage
from tradebus.journal.verify import AuditVerifier
from tradebus.wire.codec.bounds import bounds_of


class NotArchived(Exception):
    """A tick that the archive does not have; ``last`` is the newest that it has, -1 for an empty one."""

    def __init__(self, sequence: int, last: int) -> None:
        super().__init__(f"tick {sequence} is not in the archive, which ends with tick {last}")
        self.sequence: Final = sequence
        self.last: Final = last


def state_at(
    folder: Path,
    sequence: int,
    make_data: StrategyDataFactory,
    make_user_data: UserDataFactory = no_user_data,
    *,
    on_damage: Callable[[Damage], None] | None = None,
) -> Replica:
    """Return a replica as it was right after a tick, from the archive in a folder.

    A damaged checkpoint is told to ``on_damage`` and an older one taken. Raises NotArchived, ArchiveDamaged when what
    lies between is damaged, JournalDamaged when it is not what the engine wrote, ArchiveError without an archive.
    """
    archive = Archive(folder)
    last = archive.last_place()
    if sequence < 0 or last is None or sequence > last.place.head.last_sequence:
        raise NotArchived(sequence, -1 if last is None else last.place.head.last_sequence)
    replica, verifier = begin(folder, sequence, make_data, make_user_data, on_damage)
    for message in _from(archive, verifier):
        ticks = verifier.accept(message).ticks
        replica.apply_all(ticks, 0, min(len(ticks), sequence + 1 - ticks[0].sequence))
        if replica.sequence == sequence:
            break
    return replica


def begin(
    folder: Path,
    sequence: int,
    make_data: StrategyDataFactory,
    make_user_data: UserDataFactory,
    on_damage: Callable[[Damage], None] | None,
) -> tuple[Replica, AuditVerifier]:
    """Return a replica at the newest sound checkpoint at or before a tick, and the verifier of what follows it.

    Both are empty, at the journal's beginning, where there is none.
    """
    replica = Replica(make_data, make_user_data)
    checkpoints = Checkpoints(folder)
    for known in reversed(checkpoints.sequences()):
        if known > sequence:
            continue
        try:
            head, snapshot = checkpoints.read(known, make_data, make_user_data)
        except CheckpointDamaged as error:
            if on_damage is not None:
                on_damage(error.damage)
            continue
        replica.resume(snapshot.state, head.sequence, head.time_ns, snapshot.started)
        return replica, AuditVerifier(
            position=head.position,
            chain=head.chain,
            sequence=head.sequence,
            bounds=bounds_of(snapshot.state.index),
            engine_id=head.engine_id,
            engine_epoch=head.engine_epoch,
        )
    return replica, AuditVerifier()


def _from(archive: Archive, verifier: AuditVerifier) -> Iterator[JournalMessage]:
    return archive.messages(verifier.position + 1)
