"""An engine with its journal, driven by hand: events go in, batches are taken out whenever a test wants."""

from typing import cast

from services.engine.journal import HASH_EVERY_BATCH, AuditJournal, Cadence
from services.engine.position import EMPTY_JOURNAL, JournalEnd
from tests.support.builders import engine_of, engine_started, public_trade, setup_of
from tests.support.engine_service import check_hashes
from tests.support.scenario import Scripted, same_data
from tradebus.bus.interface import Bus
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import Shutdown
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.risk.interface import RiskManager
from tradebus.journal.sealed import SealedBatch
from tradebus.wire.codec.audit import AuditBatch, audit_batch_from_bytes
from tradebus.wire.codec.market import market_event_to_bytes
from tradebus.wire.integrity import CHAIN_START

EVERY_BATCH = Cadence(HASH_EVERY_BATCH, 0)


class NoBus:
    """A bus that is never used: the batches are asked for by hand."""

    def add_listener(self, listener: object) -> None:
        """Take note of nobody."""


class Clock:
    """Nanoseconds that a test moves."""

    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class DrivenJournal:
    """An engine, its journal and the batches taken out of it so far."""

    def __init__(self, cadence: Cadence = EVERY_BATCH, end: JournalEnd = EMPTY_JOURNAL) -> None:
        self.strategy = Scripted()
        self.started = engine_started([setup_of(self.strategy.id)])
        self.engine: Engine
        if end.sequence < 0:
            self.engine = engine_of(self.strategy, started=self.started, is_debug=False)
        else:
            self.engine = Engine(
                self.started, [self.strategy], RiskManager(), sequence=end.sequence + 1, epoch=end.position + 1
            )
        self.clock = Clock()
        self.journal = AuditJournal(cast("Bus", NoBus()), self.engine, "test", cadence, end, self.clock)
        self.taken: list[SealedBatch] = []
        self._chain = end.chain or CHAIN_START
        self._time_ns = 0
        self.journal.record(self.engine.start(0))

    def feed(self, count: int = 1, size: int = 0) -> None:
        """Process events, each of about so many bytes more than usual."""
        for _ in range(count):
            self.process(public_trade(sequence=self.engine.sequence, trade_id="1" + "x" * size))

    def feed_run(self, count: int) -> None:
        """Process plain events on end, as many at once as there is room for."""
        while count:
            events = [
                public_trade(sequence=self.engine.sequence + i) for i in range(min(count, self.journal.run_room()))
            ]
            ticks = []
            for event in events:
                self._time_ns += 1
                ticks.append(self.engine.process(event, self._time_ns))
            self.journal.record_run(ticks, [market_event_to_bytes(event) for event in events], 0)
            count -= len(events)

    def process(self, event: EngineEvent) -> None:
        self._time_ns += 1
        self.journal.record(self.engine.process(event, self._time_ns))

    def shut_down(self) -> None:
        self.process(Shutdown())

    def write(self) -> SealedBatch | None:
        """Take a batch out, as the writer does when the one before is on disk."""
        batch = self.journal.next_batch(self._chain)
        if batch is not None:
            self._chain = batch.chain
            self.taken.append(batch)
        return batch

    def write_all(self) -> None:
        while self.write() is not None:
            pass

    @property
    def batches(self) -> list[AuditBatch]:
        return [audit_batch_from_bytes(batch.payload) for batch in self.taken]

    def check(self) -> int:
        """Compare every hash with a replica that folds the batches; return how many there are."""
        return check_hashes(self.batches, Replica(same_data([self.strategy])))
