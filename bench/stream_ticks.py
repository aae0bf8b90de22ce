"""What the fold pays for streams at each tick, in CPU time: without readers, and with one."""

import time
from typing import Any, Final

from prometheus_client import CollectorRegistry
from structlog.stdlib import BoundLogger, get_logger

from bench import fixture
from services.audit.api.context import NamesCache
from services.audit.api.stream.hub import StreamHub
from services.audit.config import Limits
from services.audit.fold import Fold
from services.audit.metrics import AuditMetrics
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.engine import Engine
from tradebus.core.risk.interface import RiskManager
from tradebus.journal.sealed import sealed
from tradebus.strategies.loading import load_data
from tradebus.wire.codec.audit import AuditBatch, AuditBatchHead, audit_batch_to_bytes
from tradebus.wire.integrity import CHAIN_START

EVENTS: Final = 100_000
TICKS_A_BATCH: Final = 64
REPEATS: Final = 5


def journal() -> list[JournalMessage]:
    """Return the journal of an engine that only follows the market."""
    started = fixture.started([])
    engine = Engine(started, [], RiskManager())
    ticks = [engine.start(fixture.BASE_NS)]
    ticks += [engine.process(event, event.time_received_ns) for event in fixture.events(EVENTS)]
    messages: list[JournalMessage] = []
    chain = CHAIN_START
    for begin in range(0, len(ticks), TICKS_A_BATCH):
        some = ticks[begin : begin + TICKS_A_BATCH]
        head = AuditBatchHead(
            started.engine_id,
            1,
            some[0].sequence,
            some[-1].sequence,
            bytes.fromhex(chain),
            started.index.fingerprint(),
            0,
        )
        batch = sealed(audit_batch_to_bytes(AuditBatch(head, tuple(some))), some[0].sequence, some[-1].sequence)
        chain = batch.chain
        number = len(messages) + 1
        messages.append(JournalMessage("AUDIT_bench", "audit.bench", number, batch.payload, batch.headers, number, 0))
    return messages


async def measure_ticks() -> dict[str, Any]:
    """Return CPU nanoseconds a tick: the fold alone, and watched by a hub with a reader; medians."""
    messages = journal()
    found: dict[str, list[float]] = {"alone": [], "watched": []}
    for _ in range(REPEATS):
        for name, times in found.items():  # by turns, so that a slow moment meets both
            times.append(await _fold(messages, is_watched=name == "watched"))
    return {f"tick_ns_{name}": round(sorted(times)[REPEATS // 2]) for name, times in found.items()}


async def _fold(messages: list[JournalMessage], *, is_watched: bool) -> float:
    fold = Fold(load_data, Limits(), "replay")
    log: BoundLogger = get_logger("bench")
    hub = StreamHub(fold, NamesCache(), AuditMetrics(CollectorRegistry()), log)
    fold.take(messages[0])
    if is_watched:
        hub.enter()
    begin = time.process_time_ns()
    for message in messages[1:]:
        fold.take(message)
    used = time.process_time_ns() - begin
    assert fold.broken is None, fold.broken
    hub.close()
    return used / EVENTS
