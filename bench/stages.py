"""What one market event costs each process beside the bus: CPU time, batches full, each stage by itself.

Wall times of the whole pipeline depend on who else uses the machine; these figures do so much less, and say where the
time goes. They hold the services' own code with what it is given by the bus; sockets and the event loop are left out.
"""

import asyncio
import gc
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from bench.fixture import started
from bench.journal import ENGINE, STREAM, feed, make_journal
from bench.measure import rate
from services.audit.config import Limits
from services.audit.fold import Fold
from services.engine.journal import NS_PER_S, AuditJournal, Cadence
from services.engine.market_inlet import MarketInlet
from services.engine.position import EMPTY_JOURNAL
from services.engine.stepper import Stepper
from services.execution.account import PaperAccount
from services.market.publisher import EVENTS_MAX
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import JournalMessage, Message
from tradebus.core.engine.engine import Engine
from tradebus.core.market.event import MarketEvent
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy
from tradebus.journal.archive.chunk import CHUNK_BYTES
from tradebus.journal.archive.intake import FrameVerifier
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.journal.verify import AuditVerifier
from tradebus.strategies.loading import load_data
from tradebus.wire import subjects
from tradebus.wire.codec.market import MarketBatchHead, market_batch_join, market_item_frames

EVENTS: Final = 60_000
QUIET_NS: Final = NS_PER_S
SUBJECT: Final = subjects.md("sim_alpha", 0)


def market_batches(events: list[MarketEvent]) -> list[Message]:
    """Return events as a market service publishes them under load."""
    fingerprint = started([]).index.fingerprint()
    made: list[Message] = []
    for begin in range(0, len(events), EVENTS_MAX):
        head = MarketBatchHead("bench", 1, "sim_alpha", 0, begin + 1, fingerprint)
        frames = market_item_frames(events[begin : begin + EVENTS_MAX])
        made.append(Message(SUBJECT, market_batch_join(head, frames), None))
    return made


async def _engine(batches: list[Message]) -> int:
    """Take in market batches, process them, seal the journal's batches."""
    strategies: list[Strategy] = []
    engine = Engine(started(strategies), strategies, RiskManager())
    bus = MemoryBus(MemoryBroker())
    journal = AuditJournal(bus, engine, ENGINE, Cadence(10_000, NS_PER_S), EMPTY_JOURNAL)
    ended: list[object] = []
    stepper = Stepper(engine, journal, QUIET_NS, ended.append)
    rejected: list[str] = []
    inlet = MarketInlet(
        bus,
        engine.started.index,
        stepper,
        journal,
        lambda _subject, _payload, reason: rejected.append(reason),
        QUIET_NS,
        lambda: 0,
        structlog.stdlib.get_logger(),
    )
    stepper.start()
    chain = EMPTY_JOURNAL.chain
    for message in batches:
        turn = inlet._on_batch(message)  # noqa: SLF001 - what the bus calls
        if turn is not None:
            await turn
        while journal.pending > 448 and (batch := journal.next_batch(chain)) is not None:
            chain = batch.chain
    if ended or rejected or engine.sequence != EVENTS + 1:
        raise RuntimeError(f"expected {EVENTS} events processed, found {engine.sequence - 1}: {ended} {rejected[:1]}")
    await bus.close()
    return EVENTS


def _market(events: list[MarketEvent]) -> int:
    market_batches(events)
    return len(events)


def _audit(messages: list[JournalMessage]) -> int:
    fold = Fold(load_data, Limits(), "replay")
    for message in messages:
        fold.take(message)
    return fold.ticks


def _archive(messages: list[JournalMessage]) -> int:
    verifier = FrameVerifier()
    with (
        tempfile.TemporaryDirectory(prefix="tradebus-bench-") as folder,
        ArchiveWriter(Path(folder), STREAM, subjects.audit(ENGINE)) as writer,
    ):
        for message in messages:
            writer.append(verifier.accept(message))
            if writer.waiting_bytes >= CHUNK_BYTES:
                writer.flush()
        writer.flush()
    return verifier.sequence + 1


def _execution(messages: list[JournalMessage]) -> int:
    verifier, account = AuditVerifier(), PaperAccount("sim_alpha-paper")
    for message in messages:
        account.take_all(verifier.accept(message).ticks)
    return verifier.sequence + 1


def measure() -> dict[str, dict[str, Any]]:
    """Return nanoseconds of CPU time per event of each stage, median and spread."""
    # As in the services: looking for garbage as often as Python does by itself takes a fifth of some stages.
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    events = list(feed(EVENTS))
    batches, messages = market_batches(events), make_journal(EVENTS)
    stages: dict[str, Callable[[], int]] = {
        "market: encode": partial(_market, events),
        "engine: decode, process, seal": lambda: asyncio.run(_engine(batches)),
        "execution: verify, fold": partial(_execution, messages),
        "audit: verify, fold": partial(_audit, messages),
        "audit: archive": partial(_archive, messages),
    }
    results: dict[str, dict[str, Any]] = {}
    for name, work in stages.items():
        found = rate(work)
        results[name] = {
            "ns_median": round(1e9 / found.median),
            "ns_lowest": round(1e9 / found.highest),
            "ns_highest": round(1e9 / found.lowest),
            "repeats": found.repeats,
        }
    return results
