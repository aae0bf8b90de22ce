"""Publish one shard of an exchange's feed: numbered, in micro-batches, lossy and honest about it.

Three numbers let the engine see every loss (design.md decision 20): the batch says how far the shard had come before
it, each event carries its instrument's own sequence (given by the source), and the heartbeat repeats the shard's last
one. Numbers belong to a publisher and its epoch: a new process begins anew with a higher epoch.

What the bus cannot take, because it is disconnected or its buffer is full, is dropped and its numbers are used up: late
market data are worth nothing, and the gap shows.
"""

from typing import Final, NamedTuple, final

from services.market.metrics import MarketMetrics
from services.runtime import Position
from tradebus.bus.batching import MicroBatcher
from tradebus.bus.interface import Bus
from tradebus.core.market.event import MarketReconnecting
from tradebus.crash_points import crash_point
from tradebus.wire import subjects
from tradebus.wire.codec.market import MarketBatchHead, MarketItem, market_batch_join, market_item_frames

EVENTS_MAX: Final = 512
"""So many events one message holds at most, as many as a batch of the journal; a quiet market's are never awaited.

Every process on the way pays for each message (record 16).
"""
BYTES_MAX: Final = 256 * 1024
"""From this size on a message is not added to: books of many levels are large."""

REASON_CHARACTERS_MAX: Final = 300
"""Of a reconnection's reason: venues and networks may say much, and the batch has a limit."""


class PublisherIdentity(NamedTuple):
    """Who publishes: the same for all shards of a process."""

    publisher: str
    epoch: int
    """Higher at every start, so that the numbering is known to begin anew."""
    index_fingerprint: str


@final
class ShardPublisher:
    """Publishes one shard's items in the order they are added. Use it from one event loop."""

    def __init__(
        self, bus: Bus, exchange: str, shard: int, identity: PublisherIdentity, metrics: MarketMetrics
    ) -> None:
        """``exchange`` is the token in the subject; raises InvalidToken if it cannot be one."""
        self.subject: Final = subjects.md(exchange, shard)
        self._bus: Final = bus
        self._exchange: Final = exchange
        self._shard: Final = shard
        self._identity: Final = identity
        self._batcher: Final[MicroBatcher[MarketItem]] = MicroBatcher(self._flush, EVENTS_MAX)
        self._items: Final = metrics.items.labels(exchange)
        self._batches: Final = metrics.batches.labels(exchange)
        self._dropped: Final = metrics.dropped.labels(exchange)
        self.add: Final = self._batcher.add
        """Add an event, or a reconnection, to the current batch."""
        self.add_all: Final = self._batcher.add_all
        """Add several, in their order."""
        self.sequence = 0
        """The last item's number in the shard; 0 before the first."""
        self.dropped = 0
        """Items that the bus did not take."""

    @property
    def position(self) -> Position:
        """How far the shard has come."""
        return Position(self.subject, self._identity.epoch, self.sequence)

    def reconnecting(self, event: MarketReconnecting) -> None:
        """Say that the feed was lost and is being restored, after everything that was added before."""
        reason = event.reason
        if len(reason) > REASON_CHARACTERS_MAX:
            event = MarketReconnecting(event.exchange, f"{reason[:REASON_CHARACTERS_MAX]}...")
        self.add(event)

    def close(self) -> None:
        """Publish what has been added."""
        self._batcher.close()

    def _flush(self, items: list[MarketItem]) -> None:
        part: list[bytes] = []
        size = 0
        for each in market_item_frames(items):
            part.append(each)
            size += len(each)
            if size >= BYTES_MAX:
                self._publish(part)
                part, size = [], 0
        if part:
            self._publish(part)

    def _publish(self, frames: list[bytes]) -> None:
        identity = self._identity
        head = MarketBatchHead(
            identity.publisher,
            identity.epoch,
            self._exchange,
            self._shard,
            self.sequence + 1,
            identity.index_fingerprint,
        )
        payload = market_batch_join(head, frames)
        self.sequence += len(frames)
        crash_point("market.mid_batch")
        if self._bus.publish(self.subject, payload):
            self._items.inc(len(frames))
            self._batches.inc()
        else:
            self.dropped += len(frames)
            self._dropped.inc(len(frames))
