"""How fast a journal is folded: by an engine that starts, the audit service, a simulated account, and a verification.

Each takes the stored messages as they come off the bus: checksum, chain, decoding, applying, comparing hashes.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from bench.journal import ENGINE, STREAM, make_journal
from bench.measure import rate
from services.audit.config import Limits
from services.audit.fold import Fold
from services.engine.recovery import Recovery
from services.execution.fold import PaperFold
from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.intake import FrameVerifier
from tradebus.journal.archive.verification import Verification
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.journal.verify import AuditVerifier
from tradebus.strategies.loading import load_data
from tradebus.wire import subjects

EVENTS: Final = 100_000
REPEATS: Final = 3
WORKLOADS: Final = {"market events": 0, "an order every 100 events": 100}


def _verified(messages: list[JournalMessage]) -> int:
    verifier = AuditVerifier()
    for message in messages:
        verifier.accept(message)
    return verifier.sequence + 1


def _recovered(messages: list[JournalMessage]) -> int:
    recovery = Recovery(STREAM, "bench", structlog.stdlib.get_logger())
    for message in messages:
        recovery.take(message)
    _expect(recovery.hashes > 0, "no hash was compared")
    return recovery.ticks


def _audited(messages: list[JournalMessage]) -> int:
    fold = Fold(load_data, Limits(), "replay")
    for message in messages:
        fold.take(message)
    _expect(fold.is_exact and fold.verification.last is not None, f"not exact: {fold.broken}")
    return fold.ticks


def _simulated(messages: list[JournalMessage]) -> int:
    verifier, fold = AuditVerifier(), PaperFold("sim_alpha-paper")
    for message in messages:
        for tick in verifier.accept(message).ticks:
            fold.fold(tick)
    return verifier.sequence + 1


def _from_archive(folder: Path) -> int:
    verification = Verification(Archive(folder), load_data)
    verification.archive()
    tally = verification.tally
    _expect(not tally.findings and tally.hashes_equal + tally.hashes_not_verified > 0, f"found {tally.findings}")
    return tally.ticks


def _archived(messages: list[JournalMessage], folder: Path) -> None:
    verifier = FrameVerifier()
    with ArchiveWriter(folder, STREAM, subjects.audit(ENGINE)) as writer:
        for message in messages:
            writer.append(verifier.accept(message))
        writer.flush()


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)


def measure() -> dict[str, dict[str, Any]]:
    """Return ticks per second of CPU time for each workload and reader."""
    results: dict[str, dict[str, Any]] = {}
    for name, order_every in WORKLOADS.items():
        messages = make_journal(EVENTS, order_every)
        with tempfile.TemporaryDirectory(prefix="tradebus-bench-") as each:
            folder = Path(each)
            _archived(messages, folder)
            readers: dict[str, Callable[[], int]] = {
                "verified and decoded": partial(_verified, messages),
                "engine starting": partial(_recovered, messages),
                "audit service": partial(_audited, messages),
                "simulated account": partial(_simulated, messages),
                "verify an archive": partial(_from_archive, folder),
            }
            results[name] = {reader: rate(work, REPEATS).as_data() for reader, work in readers.items()}
    return results
