"""Write trades and best bids and asks, alone and as items of a batch: ``market.proto``."""

from collections.abc import Sequence
from typing import Final

from mypy_extensions import i64

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import BookL1, MarketEvent, PublicTrade
from tradebus.core.model.side import Side
from tradebus.wire.laid.writer import TIME_MIN, time_fields, varint

# One more would be no small integer in compiled code, and slow to compare with.
_NUMBER_MAX: Final = (1 << 62) - 1
_INDEX_MAX: Final = (1 << 32) - 1
_SHORT: Final[i64] = 0x80
"""Below it, lengths and indices have one byte."""

# What begins a short field: its number and its length, or its number and its value. An index of zero is left out.
_TEXT_1: Final[list[str]] = ["\x0a" + chr(n) for n in range(0x80)]
_TEXT_2: Final[list[str]] = ["\x12" + chr(n) for n in range(0x80)]
_TEXT_3: Final[list[str]] = ["\x1a" + chr(n) for n in range(0x80)]
_TEXT_4: Final[list[str]] = ["\x22" + chr(n) for n in range(0x80)]
_EXCHANGES: Final[list[bytes]] = [b"", *(bytes((0x18, n)) for n in range(1, 0x80))]
_INSTRUMENTS: Final[list[bytes]] = [b"", *(bytes((0x20, n)) for n in range(1, 0x80))]

_BUY: Final = Side.BUY


def write_market_event(event: MarketEvent) -> bytes | None:
    """Return the bytes of an event; None for one that is left to ``codec``."""
    return _write(event, is_item=False)


def write_market_item(event: MarketEvent) -> bytes | None:
    """Return the bytes of an event as an item of a MarketBatch, field and length included; None as above."""
    return _write(event, is_item=True)


def write_market_items(items: Sequence[EngineEvent], begin: int, frames: list[bytes]) -> None:
    """Append the bytes of items of a MarketBatch from a place on, up to the first that is left to ``codec``."""
    for place in range(begin, len(items)):
        item = items[place]
        framed = _write(item, is_item=True) if isinstance(item, MarketEvent) else None
        if framed is None:
            return
        frames.append(framed)


def _write(event: MarketEvent, *, is_item: bool) -> bytes | None:
    data = event.data
    if isinstance(data, BookL1):
        bid, ask = data.best_bid, data.best_ask
        if bid is None or ask is None:
            return None
        kind = b"\x3a"
        first, second, third, fourth = str(bid.price), str(bid.amount), str(ask.price), str(ask.amount)
        if len(fourth) >= _SHORT:
            return None
        fourth_field = _TEXT_4[len(fourth)]
    elif isinstance(data, PublicTrade):
        if not data.id or not data.id.isascii():
            return None
        kind = b"\x32"
        first, second, third, fourth = data.id, str(data.price), str(data.amount), ""
        fourth_field = "\x20\x01" if data.side is _BUY else "\x20\x02"
    else:
        return None
    one: i64 = len(first)
    two: i64 = len(second)
    three: i64 = len(third)
    if one >= _SHORT or two >= _SHORT or three >= _SHORT:
        return None
    # Anything that is out of the range of its field is left to `codec`, which says so.
    time_exchange_ns, time_received_ns, sequence = event.time_exchange_ns, event.time_received_ns, event.sequence
    if not (0 < time_exchange_ns <= _NUMBER_MAX and 0 < time_received_ns <= _NUMBER_MAX):
        return None
    if not (0 <= sequence <= _NUMBER_MAX and 0 <= event.exchange <= _INDEX_MAX and 0 <= event.instrument <= _INDEX_MAX):
        return None
    if time_exchange_ns >= TIME_MIN and time_received_ns >= TIME_MIN:
        times = time_fields(0x08, time_exchange_ns, 0x10, time_received_ns)
    else:
        times = b"".join((b"\x08", varint(time_exchange_ns), b"\x10", varint(time_received_ns)))
    exchange, instrument = _index(_EXCHANGES, event.exchange, 0x18), _index(_INSTRUMENTS, event.instrument, 0x20)
    number = varint(sequence) if sequence else b""
    number_field = b"\x28" if sequence else b""
    # Texts and what stands between them are ASCII: joined first and encoded once.
    content = "".join((_TEXT_1[one], first, _TEXT_2[two], second, _TEXT_3[three], third, fourth_field, fourth)).encode()
    content_size = varint(len(content))
    item = item_size = inner = inner_size = b""
    if is_item:
        size: i64 = len(times) + len(exchange) + len(instrument) + len(number_field) + len(number)
        size += 1 + len(content_size) + len(content)
        item, inner, inner_size = b"\x4a", b"\x0a", varint(size)
        item_size = varint(1 + len(inner_size) + size)
    return b"".join(
        (
            item,
            item_size,
            inner,
            inner_size,
            times,
            exchange,
            instrument,
            number_field,
            number,
            kind,
            content_size,
            content,
        )
    )


def _index(fields: list[bytes], index: i64, field: i64) -> bytes:
    """Return a field with an index, nothing for zero."""
    return fields[index] if index < _SHORT else bytes((field,)) + varint(index)
