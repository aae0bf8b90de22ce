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


def write_market_tick(sequence: int, time_ns: int, event: bytes) -> bytes | None:
    """Return the bytes of a tick with a market event, encoded already, and nothing else."""
    head = write_head(sequence, time_ns)
    return None if head is None else b"".join((head, b"\x1a", varint(len(event)), event))
