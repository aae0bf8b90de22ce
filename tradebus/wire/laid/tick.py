"""Read and write ticks that hold a market event and decide nothing, which nearly all do: ``audit.proto``."""

from typing import Final

from mypy_extensions import i64

from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick
from tradebus.wire.laid.market import read_market_event
from tradebus.wire.laid.reader import Reader
from tradebus.wire.laid.writer import varint

_SEQUENCE: Final[i64] = 0x08
_TIME: Final[i64] = 0x10
_MARKET: Final[i64] = 0x1A
_LIMIT: Final = 1 << 62


def read_market_tick(payload: bytes, begin: i64, end: i64, exchanges: i64, instruments: i64) -> AuditTick | None:
    """Return the tick in ``payload[begin:end]``; None if it is not a plain one with a market event."""
    if begin >= end:
        return None
    reader = Reader(payload, begin, end)
    sequence: i64 = 0
    if payload[begin] == _SEQUENCE:
        reader.position = begin + 1
        sequence = reader.varint()
        if sequence <= 0 or reader.position >= end:
            return None
    if payload[reader.position] != _TIME:
        return None
    reader.position += 1
    time_ns = reader.varint()
    if time_ns <= 0 or reader.position >= end or payload[reader.position] != _MARKET:
        return None
    reader.position += 1
    if reader.part_end() != end:
        return None
    event = read_market_event(payload, reader.position, end, exchanges, instruments)
    if event is None:
        return None
    return AuditTick(sequence, time_ns, event, NO_OUTPUTS, NO_ERRORS)


def write_head(sequence: int, time_ns: int) -> bytes | None:
    """Return the bytes of a tick's sequence and time; None for such as are left to ``codec``."""
    if not (0 < sequence < _LIMIT and 0 < time_ns < _LIMIT):
        return None
    return b"".join((b"\x08", varint(sequence), b"\x10", varint(time_ns)))


def write_market_ticks(ticks: list[AuditTick], encoded: list[bytes], begin: i64) -> bytes | None:
    """Return plain ticks with market events as they stand in an AuditBatch, fields and lengths included.

    ``encoded[begin]`` is the first one's event, the others follow. None for such as are left to ``codec``.
    """
    parts: list[bytes] = []
    place = begin
    for tick in ticks:
        head = write_head(tick.sequence, tick.time_ns)
        if head is None:
            return None
        event = encoded[place]
        place += 1
        length = varint(len(event))
        parts.append(b"\x52")
        parts.append(varint(len(head) + 1 + len(length) + len(event)))
        parts.append(head)
        parts.append(b"\x1a")
        parts.append(length)
        parts.append(event)
    return b"".join(parts)


def write_market_tick(sequence: int, time_ns: int, event: bytes) -> bytes | None:
    """Return the bytes of a tick with a market event, encoded already, and nothing else."""
    head = write_head(sequence, time_ns)
    return None if head is None else b"".join((head, b"\x1a", varint(len(event)), event))
