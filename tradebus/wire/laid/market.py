"""Read trades and best bids and asks: ``market.proto``."""

from typing import Final

from mypy_extensions import i64

from tradebus.core.market.event import BookL1, Level, MarketData, MarketEvent, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.side import Side
from tradebus.wire.laid.number import read_number
from tradebus.wire.laid.reader import Reader

# Field numbers and wire types of market.proto, as the byte that begins each field.
_TIME_EXCHANGE: Final[i64] = 0x08
_TIME_RECEIVED: Final[i64] = 0x10
_EXCHANGE: Final[i64] = 0x18
_INSTRUMENT: Final[i64] = 0x20
_SEQUENCE: Final[i64] = 0x28
_TRADE: Final[i64] = 0x32
_BOOK_L1: Final[i64] = 0x3A
_FIELD_1: Final[i64] = 0x0A
_FIELD_2: Final[i64] = 0x12
_FIELD_3: Final[i64] = 0x1A
_FIELD_4: Final[i64] = 0x22
_TRADE_SIDE: Final[i64] = 0x20
_SIDE_BUY: Final[i64] = 1
_SIDE_SELL: Final[i64] = 2

# Looked up once: reading a member of an enum is slow.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL


def read_market_event(payload: bytes, begin: i64, end: i64, exchanges: i64, instruments: i64) -> MarketEvent | None:
    """Return the event in ``payload[begin:end]``; see ``read_event``."""
    return read_event(Reader(payload, begin, end), exchanges, instruments)


def read_event(reader: Reader, exchanges: i64, instruments: i64) -> MarketEvent | None:
    """Return the event from where a reader stands up to its end, with indices below the bounds.

    None for one that is laid out in another way, holds something else, or is wrong: fields that are missing, out of
    order or not known, numbers that are no plain decimals, indices out of range. Where the reader then stands says
    nothing.
    """
    payload = reader.payload
    end = reader.end
    if reader.position >= end or payload[reader.position] != _TIME_EXCHANGE:
        return None
    reader.position += 1
    time_exchange_ns = reader.varint()
    if time_exchange_ns < 0 or reader.position >= end or payload[reader.position] != _TIME_RECEIVED:
        return None
    reader.position += 1
    time_received_ns = reader.varint()
    if time_received_ns < 0 or reader.position >= end:
        return None
    exchange: i64 = 0
    instrument: i64 = 0
    sequence: i64 = 0
    field: i64 = payload[reader.position]
    # A field that is zero is left out.
    if field == _EXCHANGE:
        reader.position += 1
        exchange = reader.varint()
        if exchange <= 0 or reader.position >= end:
            return None
        field = payload[reader.position]
    if field == _INSTRUMENT:
        reader.position += 1
        instrument = reader.varint()
        if instrument <= 0 or reader.position >= end:
            return None
        field = payload[reader.position]
    if field == _SEQUENCE:
        reader.position += 1
        sequence = reader.varint()
        if sequence <= 0 or reader.position >= end:
            return None
        field = payload[reader.position]
    if exchange >= exchanges or instrument >= instruments:
        return None
    reader.position += 1
    if reader.part_end() != end:
        return None
    data: MarketData | None
    if field == _BOOK_L1:
        data = _read_book_l1(reader)
    elif field == _TRADE:
        data = _read_trade(reader)
    else:
        return None
    if data is None:
        return None
    return MarketEvent(
        time_exchange_ns,
        time_received_ns,
        ExchangeIndex(exchange),
        InstrumentIndex(instrument),
        sequence,
        data,
    )


def _read_text(reader: Reader, field: i64) -> bytes | None:
    """Return the bytes of the text in ``field``; None when another field comes, or when it is cut."""
    position = reader.position
    if position >= reader.end or reader.payload[position] != field:
        return None
    reader.position = position + 1
    end = reader.part_end()
    if end < 0:
        return None
    text = reader.payload[reader.position : end]
    reader.position = end
    return text


def _read_level(reader: Reader, price_field: i64, amount_field: i64) -> Level | None:
    price_text = _read_text(reader, price_field)
    if price_text is None:
        return None
    amount_text = _read_text(reader, amount_field)
    if amount_text is None:
        return None
    price = read_number(price_text)
    amount = read_number(amount_text)
    if price is None or amount is None:
        return None
    return Level(price, amount)


def _read_book_l1(reader: Reader) -> BookL1 | None:
    # A side that is empty is rare enough to be left to `codec`.
    bid = _read_level(reader, _FIELD_1, _FIELD_2)
    if bid is None:
        return None
    ask = _read_level(reader, _FIELD_3, _FIELD_4)
    if ask is None or reader.position != reader.end:
        return None
    return BookL1(bid, ask)


def _read_trade(reader: Reader) -> PublicTrade | None:
    id_text = _read_text(reader, _FIELD_1)
    if not id_text or not id_text.isascii():
        return None
    quantity = _read_level(reader, _FIELD_2, _FIELD_3)
    if quantity is None or reader.position != reader.end - 2 or reader.payload[reader.position] != _TRADE_SIDE:
        return None
    side: i64 = reader.payload[reader.position + 1]
    if side == _SIDE_BUY:
        return PublicTrade(id_text.decode("ascii"), quantity.price, quantity.amount, _BUY)
    if side == _SIDE_SELL:
        return PublicTrade(id_text.decode("ascii"), quantity.price, quantity.amount, _SELL)
    return None
