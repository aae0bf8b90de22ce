"""The engine service within a test: on any bus, fed by a market that the test plays, its journal read back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

from services.engine.bootstrap import build
from services.engine.snapshot_store import SnapshotStore
from services.engine.started import engine_started
from services.runtime import Runtime, Service
from tests.support.market_settings import market_settings
from tests.support.proving import LocalProver
from tradebus.bus.events import Listener
from tradebus.bus.interface import Bus
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.config import Settings
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.command import Command
from tradebus.core.engine.event import Shutdown, TradingStateUpdate
from tradebus.core.market.event import BookL1, Level, MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.identifiers import ExchangeId, InstrumentIndex
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Strategy
from tradebus.journal.verify import AuditVerifier
from tradebus.strategies.loading import load_strategy
from tradebus.wire import subjects
from tradebus.wire.codec.audit import AuditBatch
from tradebus.wire.codec.command import CommandMessage, command_message_to_bytes
from tradebus.wire.codec.heartbeat import Heartbeat, StreamPosition, heartbeat_to_bytes
from tradebus.wire.codec.market import MarketBatchHead, MarketItem, market_batch_join, market_item_frame
from tradebus.wire.integrity import checked_headers

ALPHA, BETA = ExchangeId.SIM_ALPHA, ExchangeId.SIM_BETA

Connect = Callable[[Listener], Awaitable[Bus]]


def engine_settings(
    name: str = "demo", *, mode: str = "demo", exchanges: Sequence[ExchangeId] = (ALPHA, BETA), **sections: Any
) -> Settings:
    """Return settings of two simulated exchanges with btc and eth; every batch of the journal is hashed."""
    engine = {"id": name, "trading_at_start": True, "hash_every": "batch", **sections.pop("engine", {})}
    runtime = {"http": {"engine": "127.0.0.1:0"}, **sections.pop("runtime", {})}
    return market_settings(mode, exchanges, engine=engine, runtime=runtime, **sections)


def memory_broker(settings: Settings) -> MemoryBroker:
    """Return a broker with the streams of a system."""
    broker = MemoryBroker()
    accounts = [settings.account(exchange) for exchange in settings.exchanges]
    broker.provision(topology((settings.journal_id,), accounts))
    return broker


def on_memory(broker: MemoryBroker) -> Connect:
    """Return what connects a service to a memory broker."""

    async def connect(listener: Listener) -> Bus:
        return MemoryBus(broker, listener=listener)

    return connect


class RunningEngine:
    """The engine service, started."""

    def __init__(self, runtime: Runtime, service: Service, bus: Bus) -> None:
        self.runtime = runtime
        self.service = service
        self.bus = bus

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.service.status())

    @property
    def reasons(self) -> dict[str, str]:
        return self.runtime.health.report().reasons

    @property
    def is_ready(self) -> bool:
        return self.runtime.health.report().ready

    @property
    def journal_id(self) -> str:
        return self.runtime.settings.journal_id

    async def stop(self) -> None:
        """Stop in order, as the process would."""
        self.runtime.finish("the test")
        await self.service.stop()


@asynccontextmanager
async def running_engine(
    settings: Settings,
    connect: Connect,
    strategies: Sequence[Strategy] | None = None,
    *,
    is_stopped: bool = True,
    store: SnapshotStore | None = None,
    proves: bool = False,
) -> AsyncIterator[RunningEngine]:
    """Run the engine service; with ``is_stopped`` false the test stops it itself, or leaves it as if it were killed.

    With ``proves`` its snapshots are proven, in this process.
    """
    runtime = Runtime("engine", "engine-1", settings)
    bus = await runtime.connect(connect)
    started = engine_started(settings, "run-1")
    if strategies is None:
        strategies = [load_strategy(setup, started.index) for setup in started.strategies]
    try:
        prover = LocalProver(bus, store, started.code) if proves and store is not None else None
        service = await build(runtime, bus, started, list(strategies), store=store, prover=prover)
        try:
            await service.start()
            runtime.health.started()
            yield RunningEngine(runtime, service, bus)
        finally:
            if is_stopped:
                await service.stop()
    finally:
        await runtime.close()


class TestMarket:
    """Plays the market service of one exchange: numbers batches and events, and loses them when told to."""

    __test__ = False

    def __init__(
        self,
        bus: Bus,
        index: IndexedInstruments,
        exchange: ExchangeId = ALPHA,
        publisher: str = "market-1",
        epoch: int = 1,
    ) -> None:
        self.bus = bus
        self.index = index
        self.exchange = exchange
        self.publisher = publisher
        self.epoch = epoch
        self.subject = subjects.md(exchange.value, 0)
        self.sequence = 0
        self.numbers: dict[int, int] = {}
        self.sent = 0

    def trade(self, instrument: int = 0, price: str = "100", amount: str = "1") -> MarketEvent:
        """Return the next event of an instrument, a trade."""
        number = self._next(instrument)
        data = PublicTrade(str(number), Decimal(price), Decimal(amount), Side.BUY)
        return MarketEvent(number, number, self._exchange_index, InstrumentIndex(instrument), number, data)

    def book(self, instrument: int = 0, bid: str = "99", ask: str = "101") -> MarketEvent:
        """Return the next event of an instrument, a book."""
        number = self._next(instrument)
        data = BookL1(Level(Decimal(bid), Decimal(1)), Level(Decimal(ask), Decimal(1)))
        return MarketEvent(number, number, self._exchange_index, InstrumentIndex(instrument), number, data)

    def publish(self, *items: MarketItem, fingerprint: str | None = None) -> bool:
        """Publish a batch of these items; tell whether the bus took it."""
        payload = self.batch(*items, fingerprint=fingerprint)
        taken = self.bus.publish(self.subject, payload)
        if taken:
            self.sent += sum(isinstance(item, MarketEvent) for item in items)
        return taken

    def batch(self, *items: MarketItem, fingerprint: str | None = None) -> bytes:
        """Number these items and return them as a batch; one that is not published is lost."""
        head = MarketBatchHead(
            self.publisher,
            self.epoch,
            self.exchange.value,
            0,
            self.sequence + 1,
            self.index.fingerprint() if fingerprint is None else fingerprint,
        )
        self.sequence += len(items)
        return market_batch_join(head, [market_item_frame(item) for item in items])

    def trades(self, count: int, instrument: int = 0) -> list[MarketEvent]:
        return [self.trade(instrument) for _ in range(count)]

    def reconnecting(self, reason: str = "lost") -> MarketReconnecting:
        return MarketReconnecting(self._exchange_index, reason)

    def beat(self, last_sequence: int | None = None) -> None:
        """Publish a heartbeat that says how far this shard is."""
        said = self.sequence if last_sequence is None else last_sequence
        positions = (StreamPosition(self.subject, self.epoch, said),)
        beat = Heartbeat("market", self.publisher, "demo", 1, "ready", positions)
        self.bus.publish(subjects.hb("market", self.publisher), heartbeat_to_bytes(beat))

    def _next(self, instrument: int) -> int:
        self.numbers[instrument] = self.numbers.get(instrument, 0) + 1
        return self.numbers[instrument]

    @property
    def _exchange_index(self) -> Any:
        return self.index.find_exchange_index(self.exchange)


async def send_command(
    bus: Bus,
    engine: str,
    event: Command | TradingStateUpdate | Shutdown,
    *,
    command_id: str | None = None,
    expiry_ns: int = 0,
) -> None:
    """Command an engine."""
    if isinstance(event, Command):
        command_id = event.id
    message = CommandMessage(command_id or uuid4().hex, "operator", 1, expiry_ns, event)
    payload = command_message_to_bytes(message)
    await bus.append(subjects.cmd(engine), payload, headers=checked_headers(payload))


async def read_journal(bus: Bus, engine: str) -> list[AuditBatch]:
    """Return every batch of an engine's journal, verified."""
    verifier = AuditVerifier()
    stream = subjects.audit_stream(engine)
    batches: list[AuditBatch] = []
    for sequence in range(1, (await bus.journal_state(stream)).last_sequence + 1):
        message = await bus.message(stream, sequence)
        assert message is not None, f"{stream}: message {sequence} is missing"
        batches.append(verifier.accept(message))
    return batches


def ticks_of(batches: Sequence[AuditBatch]) -> list[AuditTick]:
    """Return the ticks of batches, in order."""
    return [tick for batch in batches for tick in batch.ticks]


def check_hashes(batches: Sequence[AuditBatch], replica: Replica) -> int:
    """Fold batches into a replica and compare wherever a batch has a hash; return how many have one."""
    hashed = 0
    for batch in batches:
        for tick in batch.ticks:
            assert replica.apply(tick)
        if batch.head.core_hash:
            hashed += 1
            own = replica.hash()
            assert (batch.head.hash_version, batch.head.core_hash, batch.head.user_hash) == (
                own.version,
                own.core,
                own.user,
            ), f"the hash of the batch that ends with tick {batch.head.last_sequence}"
    return hashed


async def turns(count: int = 3) -> None:
    """Let everything else in the loop have some turns."""
    for _ in range(count):
        await asyncio.sleep(0)
