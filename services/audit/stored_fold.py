"""A fold as a checkpoint, and a fold that goes on from one.

The state alone would be enough for the state; fills, closed positions and the life of orders depend on everything
before it and are stored beside it: the short part with every checkpoint, the rows with few. A replica begins with a
checkpoint that has both; where only a state of the past is wanted the short part is enough. A checkpoint whose extras
cannot be read is of no use here: the next older one is taken, at last the journal from its beginning.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, final

from services.audit.config import Limits
from services.audit.fold import Fold
from services.audit.numbering import Numbering
from services.audit.projections.plain import NotPlain, from_plain
from services.audit.projections.stored import StoredRowsUnreadable, frozen_rows, frozen_short, projections_from
from services.audit.taken import Counted
from services.audit.verification import Agreement, Check
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.core.model.index import IndexedInstruments
from tradebus.journal.archive.checkpoints import CheckpointHead
from tradebus.wire.codec.snapshot import EngineSnapshot, snapshot_of, snapshot_to_bytes


@dataclass(frozen=True, slots=True)
class FrozenFold:
    """A fold as it was at one tick. ``extras`` and ``rows`` take a while and may run in another thread."""

    head: CheckpointHead
    snapshot: bytes
    extras: Callable[[], bytes]
    rows: Callable[[], bytes] | None


@final
class NumberingCache:
    """The numberings read so far: a journal has few, and each checkpoint holds them all."""

    def __init__(self) -> None:
        self._known: list[Numbering] = []

    def numbering(self, first_sequence: int, plain: object) -> Numbering:
        """Return a numbering. Raises NotPlain."""
        for known in self._known:
            if known.first_sequence == first_sequence and known.plain == plain:
                return known
        index = from_plain(plain)
        if not isinstance(index, IndexedInstruments):
            raise NotPlain(f"expected an index, found {type(index).__name__}")
        self._known.append(Numbering(first_sequence, index, plain))
        return self._known[-1]


def freeze(fold: Fold, stream: str, *, with_rows: bool = True) -> FrozenFold:
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
    numberings = list(fold.numberings)
    beside = {
        "counted": asdict(fold.counted),
        "run_first": fold.run_first,
        "run_name": fold.run_name,
        "checked": _check_to_plain(fold.verification.last),
        "short": frozen_short(fold.projections),
    }

    statistics = fold.projections.statistics.frozen()

    def extras() -> bytes:
        # Put together from parts that stay the same for long, each of which is made once.
        begin = json.dumps(beside, separators=(",", ":")).removesuffix("}")
        numbered = ",".join(each.text for each in numberings)
        traded = "null" if statistics is None else statistics.text
        return f'{begin},"numberings":[{numbered}],"statistics":{traded}}}'.encode()

    return FrozenFold(head, snapshot_to_bytes(snapshot), extras, frozen_rows(fold.projections) if with_rows else None)


def thaw(
    fold: Fold,
    head: CheckpointHead,
    snapshot: EngineSnapshot,
    extras: bytes,
    rows: bytes | None,
    limits: Limits,
    numberings: NumberingCache | None = None,
) -> None:
    """Make an empty fold go on from a checkpoint; without rows it has none of before.

    ``numberings`` keeps what was read of earlier checkpoints, as most have the same. Raises StoredRowsUnreadable, and
    then nothing has changed.
    """
    try:
        beside = json.loads(extras)
        counted = Counted(**beside["counted"])
        run_first, run_name = int(beside["run_first"]), str(beside["run_name"])
        checked = _check_from_plain(beside["checked"])
        known = NumberingCache() if numberings is None else numberings
        found = [known.numbering(first, plain) for first, plain in beside["numberings"]]
        projections = projections_from(beside["short"], rows, limits)
        projections.statistics.restore(beside["statistics"], snapshot.state)
    except (NotPlain, KeyError, TypeError, ValueError) as error:
        raise StoredRowsUnreadable(f"expected what lies beside a checkpoint, found {error!r}") from error
    fold.resume(head, snapshot, projections, found, counted)
    fold.run_first, fold.run_name = run_first, run_name
    fold.verification.last = checked


def _check_to_plain(check: Check | None) -> list[Any] | None:
    if check is None:
        return None
    hashes = [[each.version, each.core, each.user] for each in (check.engine, check.replica)]
    return [check.sequence, check.core.name, check.user.name, *hashes]


def _check_from_plain(data: list[Any] | None) -> Check | None:
    if data is None:
        return None
    sequence, core, user, engine, replica = data
    return Check(sequence, Agreement[core], Agreement[user], StateHash(*engine), StateHash(*replica))
