"""Market events and the batches they travel in: ``market.proto``.

This is the hot path of the bus: what is frequent is read and written by ``wire.laid``, the rest here
(and everything where the core is not compiled: interpreted, the generated code is the faster one). A batch hands out
the bytes of every item beside the item, so that they can be passed on as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from tradebus.core import COMPILED
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, exchange_index, instrument_index
from tradebus.wire.codec.error import DecodeError, Inconsistent
from tradebus.wire.codec.frame import frame, tag, unframe
from tradebus.wire.codec.market_data import market_data_from_pb, market_data_to_pb
from tradebus.wire.codec.parts import cannot_encode, named, nothing_set, parse, text
from tradebus.wire.laid.batch import items_begin, read_items
from tradebus.wire.laid.market import read_market_event
from tradebus.wire.laid.market_writer import write_market_event, write_market_item, write_market_items
from tradebus.wire.pb.v1 import market_pb2 as pb

MarketItem: TypeAlias = MarketEvent | MarketReconnecting

_EVENT_TAG: Final = tag(pb.MarketItem.EVENT_FIELD_NUMBER)
_RECONNECTING_TAG: Final = tag(pb.MarketItem.RECONNECTING_FIELD_NUMBER)
_ITEMS_TAG: Final = tag(pb.MarketBatch.ITEMS_FIELD_NUMBER)


@dataclass(frozen=True, slots=True)
class MarketBatchHead:
    """What a batch says of itself; the fields are those of the message.

    ``sequence`` is the first item's in the shard, from 1. ``is_last`` and ``feed_total`` (events in all) end a replay.
    """

    publisher: str
    publisher_epoch: int
    exchange: str
    shard: int
    sequence: int
    index_fingerprint: str
    is_last: bool = False
    feed_total: int = 0


@dataclass(frozen=True, slots=True)
class MarketBatch:
    """Items of one shard, in order, each with the bytes it came in (of the event itself, without its wrapping)."""

    head: MarketBatchHead
    items: tuple[MarketItem, ...]
    encoded: tuple[bytes, ...] = field(default=(), compare=False, repr=False)


def market_event_to_bytes(event: MarketEvent) -> bytes:
    """Return the bytes of an event; raises EncodeError, also for data that the contract does not know."""
    encoded = write_market_event(event) if COMPILED else None
    return _event_to_bytes(event) if encoded is None else encoded


def _event_to_bytes(event: MarketEvent) -> bytes:
    message = pb.MarketEvent()
    try:
        message.time_exchange_ns = event.time_exchange_ns
        message.time_received_ns = event.time_received_ns
        message.exchange = event.exchange
        message.instrument = event.instrument
        message.sequence = event.sequence
        market_data_to_pb(event.data, message)
    except (TypeError, ValueError) as error:
        raise cannot_encode("MarketEvent", error) from error
    return message.SerializeToString()


def market_event_from_pb(message: pb.MarketEvent, bounds: IndexBounds = UNBOUNDED) -> MarketEvent:
    """Return the event in a message; raises DecodeError."""
    exchange, instrument = exchange_index(message.exchange, bounds), instrument_index(message.instrument, bounds)
    return MarketEvent(
        message.time_exchange_ns,
        message.time_received_ns,
        exchange,
        instrument,
        message.sequence,
        market_data_from_pb(message),
    )


def market_event_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> MarketEvent:
    """Return the event in ``payload``; raises DecodeError."""
    event = read_market_event(payload, 0, len(payload), bounds.exchanges, bounds.instruments) if COMPILED else None
    return market_event_from_pb(parse(pb.MarketEvent, payload), bounds) if event is None else event


def market_reconnecting_to_pb(event: MarketReconnecting, into: pb.MarketReconnecting) -> None:
    """Fill a message with the loss of a feed."""
    into.exchange = event.exchange
    into.reason = event.reason


def market_reconnecting_from_pb(message: pb.MarketReconnecting, bounds: IndexBounds = UNBOUNDED) -> MarketReconnecting:
    """Return the loss of a feed; raises DecodeError."""
    return MarketReconnecting(exchange_index(message.exchange, bounds), message.reason)


def market_gap_to_pb(event: MarketGap, into: pb.MarketGap) -> None:
    """Fill a message with a loss of events."""
    into.exchange = event.exchange
    into.instrument = event.instrument
    into.first_missing = event.first_missing
    into.last_missing = event.last_missing


def market_gap_from_pb(message: pb.MarketGap, bounds: IndexBounds = UNBOUNDED) -> MarketGap:
    """Return a loss of events; raises DecodeError."""
    return MarketGap(
        exchange_index(message.exchange, bounds),
        instrument_index(message.instrument, bounds),
        message.first_missing,
        message.last_missing,
    )


def market_item_to_bytes(item: MarketItem) -> bytes:
    """Return the bytes of an item's content, which a tick can take as they are; raises EncodeError."""
    if isinstance(item, MarketEvent):
        return market_event_to_bytes(item)
    message = pb.MarketReconnecting()
    try:
        market_reconnecting_to_pb(item, message)
    except (TypeError, ValueError) as error:
        raise cannot_encode("MarketReconnecting", error) from error
    return message.SerializeToString()


def market_item_frame(item: MarketItem, encoded: bytes | None = None) -> bytes:
    """Return an item as ``market_batch_join`` takes it; ``encoded`` are its bytes where they are known."""
    if encoded is None and COMPILED and isinstance(item, MarketEvent):
        framed = write_market_item(item)
        if framed is not None:
            return framed
    content = market_item_to_bytes(item) if encoded is None else encoded
    inner = _EVENT_TAG if isinstance(item, MarketEvent) else _RECONNECTING_TAG
    return frame(_ITEMS_TAG, frame(inner, content))


def market_item_frames(items: Sequence[MarketItem]) -> list[bytes]:
    """Return items as ``market_batch_join`` takes them."""
    if not COMPILED:
        return [market_item_frame(item) for item in items]
    frames: list[bytes] = []
    while len(frames) < len(items):
        write_market_items(items, len(frames), frames)
        if len(frames) < len(items):
            frames.append(market_item_frame(items[len(frames)]))
    return frames


def market_batch_join(head: MarketBatchHead, frames: list[bytes]) -> bytes:
    """Return the bytes of a batch with items that are encoded already (``market_item_frame``); raises EncodeError."""
    message = pb.MarketBatchFrames()
    try:
        message.publisher = head.publisher
        message.publisher_epoch = head.publisher_epoch
        message.exchange = head.exchange
        message.shard = head.shard
        message.sequence = head.sequence
        message.index_fingerprint = head.index_fingerprint
        message.is_last = head.is_last
        message.feed_total = head.feed_total
    except (TypeError, ValueError) as error:
        raise cannot_encode("MarketBatch", error) from error
    return message.SerializeToString() + b"".join(frames)


def market_batch_to_bytes(batch: MarketBatch) -> bytes:
    """Return the bytes of a batch; raises EncodeError."""
    return market_batch_join(batch.head, market_item_frames(batch.items))


def market_batch_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> MarketBatch:
    """Return the batch in ``payload``; raises DecodeError, also when it uses another index than ``bounds`` does."""
    batch = _plain_batch(payload, bounds) if COMPILED else None
    if batch is not None:
        return batch
    message = parse(pb.MarketBatchFrames, payload)
    head = _head_from_pb(message)
    bounds.check_fingerprint(head.index_fingerprint)
    items: list[MarketItem] = []
    encoded: list[bytes] = []
    try:
        for framed in message.items:
            item, content = _item_from_frame(framed, bounds)
            items.append(item)
            encoded.append(content)
    except DecodeError as error:
        error.prefix(f"items[{len(items)}]")
        raise
    return MarketBatch(head, tuple(items), tuple(encoded))


def _plain_batch(payload: bytes, bounds: IndexBounds) -> MarketBatch | None:
    """Return the batch if it holds nothing but frequent events; None for any other, and where anything is wrong."""
    begin = items_begin(payload)
    plain = None if begin < 0 else read_items(payload, begin, bounds.exchanges, bounds.instruments)
    if plain is None:
        return None
    try:
        head = _head_from_pb(parse(pb.MarketBatchFrames, payload[:begin]))
        bounds.check_fingerprint(head.index_fingerprint)
    except DecodeError:
        return None  # read once more by who names it
    return MarketBatch(head, tuple(plain[0]), tuple(plain[1]))


def _head_from_pb(message: pb.MarketBatchFrames) -> MarketBatchHead:
    head = MarketBatchHead(
        text(message.publisher, "publisher"),
        message.publisher_epoch,
        text(message.exchange, "exchange"),
        message.shard,
        message.sequence,
        message.index_fingerprint,
        message.is_last,
        message.feed_total,
    )
    if not head.sequence:
        raise Inconsistent("expected a sequence from 1, found 0", "sequence")
    return head


def _item_from_frame(framed: bytes, bounds: IndexBounds) -> tuple[MarketItem, bytes]:
    content = unframe(_EVENT_TAG, framed)
    if content is not None:
        try:
            return market_event_from_bytes(content, bounds), content
        except DecodeError as error:
            error.prefix("event")
            raise
    message = parse(pb.MarketItem, framed)
    which = message.WhichOneof("item")
    if which == "event":
        return named(which, message.event, market_event_from_pb, bounds), message.event.SerializeToString()
    if which == "reconnecting":
        item = named(which, message.reconnecting, market_reconnecting_from_pb, bounds)
        return item, message.reconnecting.SerializeToString()
    raise nothing_set("item", message)
