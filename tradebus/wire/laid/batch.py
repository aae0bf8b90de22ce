"""Read batches of ticks and of market items in place, without cutting them into messages first."""

from typing import Final

from mypy_extensions import i64

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.market.event import MarketEvent
from tradebus.wire.laid.market import read_event
from tradebus.wire.laid.reader import MALFORMED, Reader
from tradebus.wire.laid.tick import read_tick

_ITEMS: Final[i64] = 0x4A
_ITEM_EVENT: Final[i64] = 0x0A
_TICKS: Final[i64] = 0x52
_FIELDS_END: Final[i64] = 0x80
"""Fields from 16 on begin with two bytes; no batch has such."""

_VARINT: Final[i64] = 0
_LENGTH_DELIMITED: Final[i64] = 2


def items_begin(payload: bytes) -> i64:
    """Return where the items of a MarketBatch begin, behind its other fields; MALFORMED where they cannot be found."""
    return _field_begin(payload, _ITEMS)


def ticks_begin(payload: bytes) -> i64:
    """Return where the ticks of an AuditBatch begin, behind its other fields; MALFORMED where they cannot be found."""
    return _field_begin(payload, _TICKS)


def _field_begin(payload: bytes, wanted: i64) -> i64:
    end: i64 = len(payload)
    reader = Reader(payload, 0, end)
    while reader.position < end:
        field: i64 = payload[reader.position]
        if field == wanted:
            return reader.position
        if field >= _FIELDS_END:
            return MALFORMED
        reader.position += 1
        kind = field & 7
        if kind == _VARINT:
            if reader.varint() < 0:
                return MALFORMED
        elif kind == _LENGTH_DELIMITED:
            part_end = reader.part_end()
            if part_end < 0:
                return MALFORMED
            reader.position = part_end
        else:
            return MALFORMED
    return MALFORMED


def read_items(
    payload: bytes, begin: i64, exchanges: i64, instruments: i64
) -> tuple[list[MarketEvent], list[bytes]] | None:
    """Return the events in the items from ``begin`` to the end of a MarketBatch, and the bytes of each event.

    None if one is not an event that ``read_event`` reads, or if anything else stands among them.
    """
    events: list[MarketEvent] = []
    encoded: list[bytes] = []
    size: i64 = len(payload)
    reader = Reader(payload, begin, size)
    while reader.position < size:
        if payload[reader.position] != _ITEMS:
            return None
        reader.position += 1
        end = reader.part_end()
        if end < 0 or reader.position >= end or payload[reader.position] != _ITEM_EVENT:
            return None
        reader.position += 1
        if reader.part_end() != end:
            return None
        begin = reader.position
        reader.end = end
        event = read_event(reader, exchanges, instruments)
        if event is None:
            return None
        events.append(event)
        encoded.append(payload[begin:end])
        reader.position = end
        reader.end = size
    return events, encoded


def read_ticks(
    payload: bytes, begin: i64, sequence: int, exchanges: i64, instruments: i64, ticks: list[AuditTick]
) -> i64:
    """Append the plain ticks of market events that stand in an AuditBatch from ``begin`` on, numbered ``sequence`` on.

    Return where the first stands that is not one, which may be the end of the batch.
    """
    size: i64 = len(payload)
    reader = Reader(payload, begin, size)
    expected = sequence
    while reader.position < size:
        place = reader.position
        if payload[place] != _TICKS:
            return place
        reader.position = place + 1
        end = reader.part_end()
        if end < 0:
            return place
        reader.end = end
        tick = read_tick(reader, exchanges, instruments)
        if tick is None or tick.sequence != expected:
            return place
        ticks.append(tick)
        expected += 1
        reader.position = end
        reader.end = size
    return size


def tick_bounds(payload: bytes, place: i64) -> tuple[int, int] | None:
    """Return where the tick that stands at ``place`` of an AuditBatch begins and ends; None if no tick stands there."""
    size: i64 = len(payload)
    if place >= size or payload[place] != _TICKS:
        return None
    reader = Reader(payload, place + 1, size)
    end = reader.part_end()
    return None if end < 0 else (reader.position, end)
