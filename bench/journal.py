"""Make a journal as the engine writes it: real ticks, hashes when due, full batches, one chain."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from bench.fixture import STEP_NS, OrderEvery, events, started
from tradebus.bus.message import JournalMessage
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.market.event import MarketEvent
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy
from tradebus.journal.sealed import BATCH_BYTES_MAX, TICKS_MAX, sealed
from tradebus.wire import subjects
from tradebus.wire.codec.audit import AuditBatchHead, audit_batch_join, tick_frame, tick_to_bytes
from tradebus.wire.integrity import CHAIN_START

ENGINE: Final = "bench"
STREAM: Final = subjects.audit_stream(ENGINE)
HASH_TICKS: Final = 10_000
"""As a live engine by default."""

_FEED_EVENTS: Final = 60_000


def feed(count: int) -> Iterator[MarketEvent]:
    """Yield ``count`` events: the same feed again and again, later each time."""
    once = events(min(count, _FEED_EVENTS))
    for i in range(count):
        rounds, place = divmod(i, len(once))
        event, late_ns = once[place], rounds * len(once) * STEP_NS
        yield MarketEvent(
            event.time_exchange_ns + late_ns,
            event.time_received_ns + late_ns,
            event.exchange,
            event.instrument,
            event.sequence + rounds * len(once),
            event.data,
        )


class _Sealer:
    """Collects ticks into full batches, as an engine under load does, and hands them on as a stream stores them."""

    def __init__(self, engine: Engine, take: Callable[[JournalMessage], None]) -> None:
        self._engine: Final = engine
        self._take: Final = take
        self._frames: list[bytes] = []
        self._bytes = 0
        self._first = 0
        self._next = 0
        self._chain = CHAIN_START
        self._position = 0

    def take(self, tick: AuditTick) -> None:
        """Take the next tick."""
        encoded = tick_frame(tick_to_bytes(tick))
        if self._frames and (len(self._frames) == TICKS_MAX or self._bytes + len(encoded) > BATCH_BYTES_MAX):
            self._seal(None)
        self._frames.append(encoded)
        self._bytes += len(encoded)
        self._next = tick.sequence + 1
        if tick.is_terminal or self._next % HASH_TICKS == 0:
            self._seal(self._engine.hash())

    def finish(self) -> None:
        """Seal what is left."""
        if self._frames:
            self._seal(self._engine.hash())

    def _seal(self, state_hash: StateHash | None) -> None:
        engine = self._engine
        head = AuditBatchHead(
            ENGINE,
            1,
            self._first,
            self._next - 1,
            bytes.fromhex(self._chain),
            engine.started.index.fingerprint(),
            0 if state_hash is None else state_hash.version,
            "" if state_hash is None else state_hash.core,
            "" if state_hash is None else state_hash.user,
        )
        batch = sealed(audit_batch_join(head, self._frames), self._first, self._next - 1)
        self._chain = batch.chain
        self._first = self._next
        self._frames = []
        self._bytes = 0
        self._position += 1
        at = self._position
        self._take(JournalMessage(STREAM, subjects.audit(ENGINE), at, batch.payload, batch.headers, at, 0))


def write_journal(
    market_events: Iterable[MarketEvent],
    take: Callable[[JournalMessage], None],
    *,
    order_every: int = 0,
) -> None:
    """Hand over the messages of a journal of market events, with a market order every so many of them."""
    strategies: list[Strategy] = [OrderEvery(order_every)] if order_every else []
    record = started(strategies)
    engine = Engine(record, strategies, RiskManager())
    sealer = _Sealer(engine, take)
    loop = VirtualTimeLoop(engine, simulated_exchanges(record), sealer.take)
    for event in market_events:
        loop.feed(event)
    loop.finish()
    sealer.finish()


def make_journal(count: int, order_every: int = 0) -> list[JournalMessage]:
    """Return the messages of a journal of ``count`` market events."""
    messages: list[JournalMessage] = []
    write_journal(feed(count), messages.append, order_every=order_every)
    return messages
