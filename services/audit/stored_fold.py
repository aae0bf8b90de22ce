"""A fold as a checkpoint, and a fold that goes on from one.

The state alone would be enough for the state; fills, closed positions and the life of orders depend on everything
before it and are stored beside it. A checkpoint whose extras cannot be read is of no use here: the next older one is
taken, at last the journal from its beginning.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from services.audit.config import Limits
from services.audit.fold import Counted, Fold, Numbering
from services.audit.projections.plain import NotPlain, from_plain, to_plain
from services.audit.projections.stored import StoredRowsUnreadable, frozen, projections_from_bytes
from tradebus.core.model.index import IndexedInstruments
from tradebus.journal.archive.checkpoints import CheckpointHead
from tradebus.wire.codec.snapshot import EngineSnapshot, snapshot_of, snapshot_to_bytes


@dataclass(frozen=True, slots=True)
class FrozenFold:
    """A fold as it was at one tick. ``extras`` takes a while and may run in another thread."""

    head: CheckpointHead
    snapshot: bytes
    extras: Callable[[], bytes]


def freeze(fold: Fold, stream: str) -> FrozenFold:
    """Return a copy of a fold that later ticks do not change. It must be started and exact."""
    replica = fold.replica
    started = replica.started
    assert started is not None, "a fold is frozen once it has a state"
    snapshot = snapshot_of(
        started,
        replica.state,
        sequence=fold.sequence,
        time_ns=fold.time_ns,
        epoch=fold.epoch,
        config_fingerprint="",
    )
    head = CheckpointHead(
        stream,
        fold.position,
        fold.chain,
        fold.sequence,
        fold.time_ns,
        fold.stored_ns,
        fold.engine_id,
        fold.epoch,
    )
    numberings = [[each.first_sequence, to_plain(each.index)] for each in fold.numberings]
    counted = asdict(fold.counted)
    rows = frozen(fold.projections)

    def extras() -> bytes:
        beside = json.dumps({"counted": counted, "numberings": numberings}).encode()
        return len(beside).to_bytes(4, "little") + beside + rows()

    return FrozenFold(head, snapshot_to_bytes(snapshot), extras)


def thaw(fold: Fold, head: CheckpointHead, snapshot: EngineSnapshot, extras: bytes, limits: Limits) -> None:
    """Make an empty fold go on from a checkpoint. Raises StoredRowsUnreadable, and then nothing has changed."""
    size = int.from_bytes(extras[:4], "little")
    try:
        beside = json.loads(extras[4 : 4 + size])
        counted = Counted(**beside["counted"])
        numberings = [Numbering(first, _index(data)) for first, data in beside["numberings"]]
    except (NotPlain, KeyError, TypeError, ValueError) as error:
        raise StoredRowsUnreadable(f"expected what lies beside a checkpoint, found {error!r}") from error
    fold.resume(head, snapshot, projections_from_bytes(extras[4 + size :], limits), numberings, counted)


def _index(data: object) -> IndexedInstruments:
    index = from_plain(data)
    if not isinstance(index, IndexedInstruments):
        raise NotPlain(f"expected an index, found {type(index).__name__}")
    return index
