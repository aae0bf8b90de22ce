"""What is laid out by hand is what the generated code writes and reads: same bytes, same values, or left to it."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support import values
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.market.event import BookL1, Level, MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.number import parse_decimal
from tradebus.core.model.side import Side
from tradebus.wire.codec.audit import market_ticks_frame, tick_frame, tick_from_pb, tick_to_bytes
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.market import (
    market_event_from_bytes,
    market_event_from_pb,
    market_event_to_bytes,
    market_item_frame,
    market_item_frames,
)
from tradebus.wire.codec.market_data import market_data_to_pb
from tradebus.wire.laid.batch import items_begin, read_items, read_ticks
from tradebus.wire.laid.market import read_market_event
from tradebus.wire.laid.market_writer import write_market_event, write_market_item
from tradebus.wire.laid.number import read_number
from tradebus.wire.laid.reader import MALFORMED, Reader
from tradebus.wire.laid.tick import read_market_tick, write_market_ticks
from tradebus.wire.laid.writer import varint
from tradebus.wire.pb.v1 import audit_pb2, market_pb2, order_pb2

INDICES = 2**32
TRADE = MarketEvent(
    1_700_000_000_123_456_789,
    1_700_000_000_123_999_999,
    ExchangeIndex(1),
    InstrumentIndex(300),
    2**40,
    PublicTrade("12345", Decimal("60000.10"), Decimal("0.00100"), Side.SELL),
)
BOOK = MarketEvent(
    1,
    2**61,
    ExchangeIndex(0),
    InstrumentIndex(0),
    0,
    BookL1(Level(Decimal("1.50"), Decimal(3)), Level(Decimal("1.51"), Decimal(0))),
)

RECONNECTING = MarketReconnecting(ExchangeIndex(1), "connection lost")


def generated(event: MarketEvent) -> market_pb2.MarketEvent:
    """Return the message of an event, filled by the generated code alone."""
    message = market_pb2.MarketEvent(
        time_exchange_ns=event.time_exchange_ns,
        time_received_ns=event.time_received_ns,
        exchange=event.exchange,
        instrument=event.instrument,
        sequence=event.sequence,
    )
    data = event.data
    if isinstance(data, PublicTrade):
        side = order_pb2.SIDE_BUY if data.side is Side.BUY else order_pb2.SIDE_SELL
        message.trade.CopyFrom(
            market_pb2.PublicTrade(id=data.id, price=str(data.price), amount=str(data.amount), side=side)
        )
    elif not isinstance(data, BookL1):
        market_data_to_pb(data, message)
    else:
        message.book_l1.SetInParent()
        if data.best_bid is not None:
            message.book_l1.best_bid_price = str(data.best_bid.price)
            message.book_l1.best_bid_amount = str(data.best_bid.amount)
        if data.best_ask is not None:
            message.book_l1.best_ask_price = str(data.best_ask.price)
            message.book_l1.best_ask_amount = str(data.best_ask.amount)
    return message


# Where a number or a length becomes a byte longer.
EDGES = sorted(
    {(1 << bits) + more for bits in (7, 14, 21, 28, 32, 35, 42, 56, 61) for more in (-1, 0, 1)} - {2**32 + 1}
)
edges = st.sampled_from([1, *EDGES])
indices = st.sampled_from([0, 1, *(edge for edge in EDGES if edge < INDICES)])
data_with_edges = st.one_of(
    st.sampled_from([TRADE.data, BOOK.data]),
    st.builds(
        PublicTrade,
        st.sampled_from([1, 126, 127, 128, 200]).map(lambda length: "x" * length),
        st.just(Decimal("1.5")),
        st.just(Decimal(2)),
        st.sampled_from(Side),
    ),
)
events_with_edges = st.builds(
    MarketEvent, edges, edges, indices.map(ExchangeIndex), indices.map(InstrumentIndex), edges, data_with_edges
)


@given(st.one_of(values.market_events, events_with_edges))
@example(TRADE)
@example(BOOK)
def test_events_are_written_in_the_same_bytes(event: MarketEvent) -> None:
    expected = generated(event).SerializeToString()
    assert write_market_event(event) in {expected, None}
    assert market_event_to_bytes(event) == expected
    item = market_pb2.MarketBatch(items=[market_pb2.MarketItem(event=generated(event))]).SerializeToString()
    assert write_market_item(event) in {item, None}


@given(st.lists(st.one_of(values.market_events, events_with_edges, st.just(RECONNECTING)), max_size=8))
def test_items_are_framed_together_as_each_by_itself(items: list[MarketEvent | MarketReconnecting]) -> None:
    assert market_item_frames(items) == [market_item_frame(item) for item in items]


@given(st.lists(st.one_of(values.market_events, events_with_edges), min_size=1, max_size=5), edges, edges, st.data())
def test_ticks_are_written_in_the_same_bytes(
    events: list[MarketEvent], first: int, time_ns: int, data: st.DataObject
) -> None:
    encoded = [market_event_to_bytes(event) for event in events]
    begin = data.draw(st.integers(0, len(events) - 1))
    ticks = [AuditTick(first + i, time_ns + i, event, (), ()) for i, event in enumerate(events[begin:])]
    each = [tick_frame(tick_to_bytes(tick)) for tick in ticks]
    assert write_market_ticks(ticks, encoded, begin) in {b"".join(each), None}
    assert market_ticks_frame(ticks, encoded, begin) == b"".join(each)


@given(values.market_events)
@example(TRADE)
@example(BOOK)
def test_events_are_read_as_the_same_values(event: MarketEvent) -> None:
    payload = generated(event).SerializeToString()
    assert read_market_event(payload, 0, len(payload), INDICES, INDICES) in {event, None}
    around = b"\xff" + payload + b"\xff"
    assert read_market_event(around, 1, len(around) - 1, INDICES, INDICES) in {event, None}


def test_what_is_frequent_is_not_left_to_the_generated_code() -> None:
    for event in (TRADE, BOOK):
        payload = generated(event).SerializeToString()
        assert write_market_event(event) == payload
        assert read_market_event(payload, 0, len(payload), INDICES, INDICES) == event
        tick = AuditTick(7, 1_700_000_000_000_000_000, event, (), ())
        encoded = tick_to_bytes(tick, payload)
        assert read_market_tick(encoded, 0, len(encoded), INDICES, INDICES) == tick
        item = market_pb2.MarketItem(event=generated(event))
        batch = market_pb2.MarketBatch(publisher="p", sequence=1, items=[item, item]).SerializeToString()
        begin = items_begin(batch)
        assert read_items(batch, begin, INDICES, INDICES) == ([event, event], [payload, payload])
        assert write_market_item(event) == market_pb2.MarketBatch(items=[item]).SerializeToString()
        framed = write_market_ticks([tick, tick], [payload, payload], 0)
        assert framed == 2 * tick_frame(encoded)
        ticks: list[AuditTick] = []
        assert read_ticks(framed, 0, 7, INDICES, INDICES, ticks) == len(tick_frame(encoded))
        assert ticks == [tick]


@given(values.market_events)
def test_what_is_rare_is_left_to_the_generated_code(event: MarketEvent) -> None:
    if isinstance(event.data, PublicTrade | BookL1):
        return
    payload = generated(event).SerializeToString()
    assert write_market_event(event) is None
    assert read_market_event(payload, 0, len(payload), INDICES, INDICES) is None
    assert market_event_from_bytes(payload) == event


@given(st.one_of(values.market_events, st.sampled_from([TRADE, BOOK])), st.data())
def test_changed_bytes_are_read_alike_or_left_alone(event: MarketEvent, data: st.DataObject) -> None:
    payload = bytearray(generated(event).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place] = data.draw(st.integers(0, 255))
    cut = bytes(payload[: data.draw(st.integers(0, len(payload)))])
    for changed in (bytes(payload), cut):
        found = read_market_event(changed, 0, len(changed), INDICES, INDICES)
        if found is None:
            continue
        message = market_pb2.MarketEvent.FromString(changed)
        expected = market_event_from_pb(message)
        assert (found, repr(found)) == (expected, repr(expected))


@given(values.audit_ticks, st.data())
def test_changed_ticks_are_read_alike_or_left_alone(tick: AuditTick, data: st.DataObject) -> None:
    payload = bytearray(tick_to_bytes(tick))
    if data.draw(st.booleans()):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(payload)
    found = read_market_tick(changed, 0, len(changed), INDICES, INDICES)
    if found is not None:
        assert found == tick_from_pb(audit_pb2.AuditTick.FromString(changed))


def test_indices_out_of_bounds_are_left_to_be_named() -> None:
    payload = generated(TRADE).SerializeToString()
    assert read_market_event(payload, 0, len(payload), 2, 301) == TRADE
    assert read_market_event(payload, 0, len(payload), 1, 301) is None
    assert read_market_event(payload, 0, len(payload), 2, 300) is None


@given(st.integers(0, 2**62))
@example(0x7F)
@example(0x80)
@example(0x3FFF)
@example(0x4000)
@example(2**28 - 1)
@example(2**28)
@example(2**42)
def test_numbers_come_back(number: int) -> None:
    encoded = varint(number)
    assert audit_pb2.AuditTick(sequence=number).SerializeToString() == (b"\x08" + encoded if number else b"")
    reader = Reader(b"\xff" + encoded + b"\xff", 1, 1 + len(encoded))
    assert reader.varint() == number
    assert reader.position == 1 + len(encoded)
    assert Reader(encoded, 0, len(encoded) - 1).varint() == MALFORMED


def test_numbers_of_more_than_63_bits_are_left_alone() -> None:
    encoded = b"\xff" * 9 + b"\x01"
    assert Reader(encoded, 0, len(encoded)).varint() == MALFORMED


@given(st.one_of(st.text("0123456789.-+eE_ \u0663", max_size=40), st.decimals(allow_nan=True).map(str)))
@example("")
@example(".")
@example("1.")
@example(".1")
@example("00")
@example("1" * 29)
def test_numbers_are_read_as_strictly_as_elsewhere(text: str) -> None:
    found = read_number(text.encode())
    if found is None:
        return
    assert repr(found) == repr(parse_decimal(text))


def test_a_wrong_event_is_still_named() -> None:
    payload = generated(TRADE).SerializeToString().replace(b"60000.10", b"60000.1x")
    with pytest.raises(DecodeError) as raised:
        market_event_from_bytes(payload)
    assert raised.value.path == "trade.price"
