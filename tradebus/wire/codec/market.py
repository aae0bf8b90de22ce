"""Market events and the batches they travel in: ``market.proto``.

This is the hot path of the bus. Values are read once into local names, enums by a dictionary, sub-messages as few as
possible; a batch hands out the bytes of every item beside the item, so that they can be passed on as they are.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from google.protobuf.message import DecodeError as ProtobufError

from tradebus.core.market.event import (
    BookL1,
    Level,
    MarketData,
    MarketEvent,
    MarketGap,
    MarketReconnecting,
    PublicTrade,
)
from tradebus.core.model.side import Side
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, exchange_index, instrument_index
from tradebus.wire.codec.error import DecodeError, EncodeError, Inconsistent
from tradebus.wire.codec.frame import frame, tag, unframe
from tradebus.wire.codec.number import KNOWN_NUMBERS, given_from_text
from tradebus.wire.codec.order import SIDES
from tradebus.wire.codec.parts import cannot_encode, named, nothing_set, parse, text
from tradebus.wire.pb.v1 import market_pb2 as pb
from tradebus.wire.pb.v1 import order_pb2

MarketItem: TypeAlias = MarketEvent | MarketReconnecting

_EVENT_TAG: Final = tag(pb.MarketItem.EVENT_FIELD_NUMBER)
_RECONNECTING_TAG: Final = tag(pb.MarketItem.RECONNECTING_FIELD_NUMBER)
_ITEMS_TAG: Final = tag(pb.MarketBatch.ITEMS_FIELD_NUMBER)
_BUY: Final = order_pb2.SIDE_BUY
_SELL: Final = order_pb2.SIDE_SELL
_side: Final = SIDES.members.get
_known: Final = KNOWN_NUMBERS.get
_parse_event: Final = pb.MarketEvent.FromString

# Messages to fill again, each with its only sub-message: making them anew takes a third of the time of encoding. Taking
# one off a list and putting it back is atomic, so threads do not disturb each other. Every field is always set.
_trades: Final[list[tuple[pb.MarketEvent, pb.PublicTrade]]] = []
_books: Final[list[tuple[pb.MarketEvent, pb.BookL1]]] = []


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
    data = event.data
    try:
        if isinstance(data, PublicTrade):
            return _trade_to_bytes(event, data)
        if isinstance(data, BookL1):
            return _book_l1_to_bytes(event, data)
    except (TypeError, ValueError) as error:
        raise cannot_encode("MarketEvent", error) from error
    raise EncodeError(f"expected a PublicTrade or BookL1, found {type(data).__name__}")


def _trade_to_bytes(event: MarketEvent, data: PublicTrade) -> bytes:
    try:
        message, trade = _trades.pop()
    except IndexError:
        message = pb.MarketEvent()
        trade = message.trade
    message.time_exchange_ns = event.time_exchange_ns
    message.time_received_ns = event.time_received_ns
    message.exchange = event.exchange
    message.instrument = event.instrument
    message.sequence = event.sequence
    trade.id = data.id
    trade.price = str(data.price)
    trade.amount = str(data.amount)
    trade.side = _BUY if data.side is Side.BUY else _SELL
    encoded = message.SerializeToString()
    _trades.append((message, trade))
    return encoded


def _book_l1_to_bytes(event: MarketEvent, data: BookL1) -> bytes:
    try:
        message, book = _books.pop()
    except IndexError:
        message = pb.MarketEvent()
        book = message.book_l1
    message.time_exchange_ns = event.time_exchange_ns
    message.time_received_ns = event.time_received_ns
    message.exchange = event.exchange
    message.instrument = event.instrument
    message.sequence = event.sequence
    bid, ask = data.best_bid, data.best_ask
    if bid is None:
        book.best_bid_price = book.best_bid_amount = ""
    else:
        book.best_bid_price = str(bid.price)
        book.best_bid_amount = str(bid.amount)
    if ask is None:
        book.best_ask_price = book.best_ask_amount = ""
    else:
        book.best_ask_price = str(ask.price)
        book.best_ask_amount = str(ask.amount)
    encoded = message.SerializeToString()
    _books.append((message, book))
    return encoded


def market_event_from_pb(message: pb.MarketEvent, bounds: IndexBounds = UNBOUNDED) -> MarketEvent:
    """Return the event in a message; raises DecodeError."""
    exchange, instrument = message.exchange, message.instrument
    if exchange >= bounds.exchanges or instrument >= bounds.instruments:
        exchange_index(exchange, bounds)
        instrument_index(instrument, bounds)
    which = message.WhichOneof("data")
    data: MarketData
    if which == "trade":
        trade = message.trade
        id_, price, amount = trade.id, _known(trade.price), _known(trade.amount)
        side = _side(trade.side)
        if price is None or amount is None or side is None or not id_:
            data = _trade_from_pb(trade)
        else:
            data = PublicTrade(id_, price, amount, side)
    elif which == "book_l1":
        book = message.book_l1
        bid_price, bid_amount = _known(book.best_bid_price), _known(book.best_bid_amount)
        ask_price, ask_amount = _known(book.best_ask_price), _known(book.best_ask_amount)
        if bid_price is None or bid_amount is None or ask_price is None or ask_amount is None:
            data = _book_l1_from_pb(book)
        else:
            data = BookL1(Level(bid_price, bid_amount), Level(ask_price, ask_amount))
    else:
        raise nothing_set("data", message)
    return MarketEvent(
        message.time_exchange_ns,
        message.time_received_ns,
        exchange,  # type: ignore[arg-type]  # calling a NewType takes as long as reading two fields
        instrument,  # type: ignore[arg-type]
        message.sequence,
        data,
    )


def _trade_from_pb(message: pb.PublicTrade) -> PublicTrade:
    return PublicTrade(
        text(message.id, "trade.id"),
        given_from_text(message.price, "trade.price"),
        given_from_text(message.amount, "trade.amount"),
        SIDES.from_pb(message.side, "trade.side"),
    )


def _book_l1_from_pb(message: pb.BookL1) -> BookL1:
    return BookL1(
        _level_from_text(message.best_bid_price, message.best_bid_amount, "book_l1.best_bid"),
        _level_from_text(message.best_ask_price, message.best_ask_amount, "book_l1.best_ask"),
    )


def _level_from_text(price: str, amount: str, path: str) -> Level | None:
    if not price and not amount:
        return None
    return Level(given_from_text(price, f"{path}_price"), given_from_text(amount, f"{path}_amount"))


def market_event_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> MarketEvent:
    """Return the event in ``payload``; raises DecodeError."""
    try:
        message = _parse_event(payload)
    except ProtobufError:
        message = parse(pb.MarketEvent, payload)
    return market_event_from_pb(message, bounds)


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
    content = market_item_to_bytes(item) if encoded is None else encoded
    inner = _EVENT_TAG if isinstance(item, MarketEvent) else _RECONNECTING_TAG
    return frame(_ITEMS_TAG, frame(inner, content))


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
    return market_batch_join(batch.head, [market_item_frame(item) for item in batch.items])


def market_batch_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> MarketBatch:
    """Return the batch in ``payload``; raises DecodeError, also when it uses another index than ``bounds`` does."""
    message = parse(pb.MarketBatchFrames, payload)
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
