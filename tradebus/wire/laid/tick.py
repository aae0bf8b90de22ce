"""Read and write ticks that hold a market event and decide nothing, which nearly all do: ``audit.proto``."""

from typing import Final

from mypy_extensions import i64

from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick
from tradebus.wire.laid.market import read_event
from tradebus.wire.laid.reader import Reader
from tradebus.wire.laid.writer import LOW, TIME_MIN, time_field, varint

_SEQUENCE: Final[i64] = 0x08
_TIME: Final[i64] = 0x10
_MARKET: Final[i64] = 0x1A
# One more would be no small integer in compiled code, and slow to compare with.
_NUMBER_MAX: Final = (1 << 62) - 1
_SHORT: Final[i64] = 0x80
"""Below it, lengths have one byte; a sequence from it on has several."""

# What begins a short tick, up to its sequence, and a short event in it: field and length.
_TICK: Final[list[bytes]] = [bytes((0x52, n, 0x08)) for n in range(0x80)]
_EVENT: Final[list[bytes]] = [bytes((0x1A, n)) for n in range(0x80)]
_AROUND_EVENT: Final[i64] = 1 + 1 + 10 + 2
"""Bytes of a short tick beside its event and its sequence's upper bits: the sequence's field and lowest bits, the time,
the event's field and length."""


def read_market_tick(payload: bytes, begin: i64, end: i64, exchanges: i64, instruments: i64) -> AuditTick | None:
    """Return the tick in ``payload[begin:end]``; see ``read_tick``."""
    return read_tick(Reader(payload, begin, end), exchanges, instruments)


def read_tick(reader: Reader, exchanges: i64, instruments: i64) -> AuditTick | None:
    """Return the tick from where a reader stands up to its end; None if it is not a plain one with a market event.

    Where the reader then stands says nothing.
    """
    payload = reader.payload
    end = reader.end
    if reader.position >= end:
        return None
    sequence: i64 = 0
    if payload[reader.position] == _SEQUENCE:
        reader.position += 1
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
    event = read_event(reader, exchanges, instruments)
    if event is None:
        return None
    return AuditTick(sequence, time_ns, event, NO_OUTPUTS, NO_ERRORS)


def write_head(sequence: int, time_ns: int) -> bytes | None:
    """Return the bytes of a tick's sequence and time; None for such as are left to ``codec``."""
    if not (0 < sequence <= _NUMBER_MAX and 0 < time_ns <= _NUMBER_MAX):
        return None
    if time_ns >= TIME_MIN:
        return b"".join((b"\x08", varint(sequence), time_field(0x10, time_ns)))
    return b"".join((b"\x08", varint(sequence), b"\x10", varint(time_ns)))


def write_market_ticks(ticks: list[AuditTick], encoded: list[bytes], begin: i64) -> bytes | None:
    """Return plain ticks with market events as they stand in an AuditBatch, fields and lengths included.

    ``encoded[begin]`` is the first one's event, the others follow. None for such as are left to ``codec``.
    """
    parts: list[bytes] = []
    place = begin
    upper: i64 = -1
    upper_bytes = b""
    for tick in ticks:
        event = encoded[place]
        place += 1
        size: i64 = len(event)
        sequence, time_ns = tick.sequence, tick.time_ns
        if _SHORT <= sequence <= _NUMBER_MAX and TIME_MIN <= time_ns <= _NUMBER_MAX and size < _SHORT:
            # Sequences follow one another: all but their lowest bits are the same in a hundred ticks.
            number: i64 = sequence
            if number >> 7 != upper:
                upper = number >> 7
                upper_bytes = varint(upper)
            inner: i64 = size + len(upper_bytes) + _AROUND_EVENT
            if inner < _SHORT:
                parts.append(_TICK[inner])
                parts.append(LOW[number & 0x7F])
                parts.append(upper_bytes)
                parts.append(time_field(_TIME, time_ns))
                parts.append(_EVENT[size])
                parts.append(event)
                continue
        head = write_head(sequence, time_ns)
        if head is None:
            return None
        length = varint(size)
        parts.append(b"\x52")
        parts.append(varint(len(head) + 1 + len(length) + size))
        parts.append(head)
        parts.append(b"\x1a")
        parts.append(length)
        parts.append(event)
    return b"".join(parts)


def write_market_tick(sequence: int, time_ns: int, event: bytes) -> bytes | None:
    """Return the bytes of a tick with a market event, encoded already, and nothing else."""
    head = write_head(sequence, time_ns)
    return None if head is None else b"".join((head, b"\x1a", varint(len(event)), event))
