"""A snapshot in which nothing is missing, and one of a version that nobody knows yet.

``python -m tests.golden.snapshot.corpus`` writes what is missing beside this file. Files that are there are never
written again once a release has written such snapshots: every later version reads them, and finds the same hash
(``ADDED_IN`` in ``core.engine.audit.canonical`` says which fields came later). Until the first release, a field that is
added to the state is accepted by removing ``full-1.bin`` and writing it anew.
"""

from pathlib import Path
from typing import Final

from tests.support.full_state import Everything, full_run
from tradebus.core.engine.event import StrategySetup
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire.codec.snapshot import FORMAT_VERSION, EngineSnapshot, snapshot_of, snapshot_to_bytes
from tradebus.wire.pb.v1 import snapshot_pb2

FOLDER: Final = Path(__file__).parent
FULL: Final = FOLDER / f"full-{FORMAT_VERSION}.bin"
FUTURE: Final = FOLDER / "future.bin"


def full_snapshot() -> EngineSnapshot:
    """Return a snapshot of a state in which nothing is missing."""
    engine = full_run().engine
    return snapshot_of(
        engine.started,
        engine.state,
        sequence=engine.sequence - 1,
        time_ns=1_764_000_000_123_456_789,
        epoch=3,
        config_fingerprint="c0ffee",
    )


def full_data(_setup: StrategySetup, _index: IndexedInstruments) -> StrategyData:
    """Return the data of the snapshot's strategy, as it is at first."""
    return Everything()


def future_bytes() -> bytes:
    """Return a snapshot of a later version: its parts are not what they are today."""
    later = snapshot_pb2.EngineSnapshotFrames(
        format_version=1_000, hash_version=1_000, engine_id="demo", started=b"\xff\xff", state=b"\xff\xff"
    )
    return later.SerializeToString()


if __name__ == "__main__":
    for path, content in ((FULL, snapshot_to_bytes(full_snapshot())), (FUTURE, future_bytes())):
        if not path.exists():
            path.write_bytes(content)
