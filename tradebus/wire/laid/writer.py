"""Write protobuf's variable-length numbers."""

from struct import Struct
from typing import Final

from mypy_extensions import i64

TIME_MIN: Final = 1 << 56
"""Times from here on, which is 1972, and before 2262 have nine bytes."""

LOW: Final[list[bytes]] = [bytes((n | 0x80,)) for n in range(0x80)]
"""Of a number's lowest seven bits the byte, where more follow. A table of two bytes at once is no faster: it does not
stay in the processor's cache."""

_LAST: Final[list[bytes]] = [bytes((n,)) if n < 0x80 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(1 << 14)]

_TIME: Final = Struct("<BqB").pack
_TWO_TIMES: Final = Struct("<BqBBqB").pack
# The bit that says of each of eight bytes that more follow.
_MORE: Final[i64] = -0x7F7F7F7F7F7F7F80


def varint(number: i64) -> bytes:
    """Return the bytes of a number that is not negative."""
    if number < 0x4000:
        return _LAST[number]
    first = LOW[number & 0x7F]
    second = LOW[number >> 7 & 0x7F]
    number >>= 14
    if number < 0x4000:
        return b"".join((first, second, _LAST[number]))
    return b"".join((first, second, LOW[number & 0x7F], varint(number >> 7)))


def time_field(field: i64, time_ns: i64) -> bytes:
    """Return a field with a time of nine bytes; ``field`` is the byte that begins it."""
    return _TIME(field, _low_bytes(time_ns), time_ns >> 56)


def time_fields(first: i64, first_ns: i64, second: i64, second_ns: i64) -> bytes:
    """Return two fields with such times, one behind the other."""
    return _TWO_TIMES(first, _low_bytes(first_ns), first_ns >> 56, second, _low_bytes(second_ns), second_ns >> 56)


def _low_bytes(number: i64) -> i64:
    """Spread the low 56 bits over eight bytes, seven to each, and mark each as followed by another."""
    spread: i64 = number & 0x00FFFFFFFFFFFFFF
    spread = (spread & 0x00FFFFFFF0000000) << 4 | spread & 0x000000000FFFFFFF
    spread = (spread & 0x0FFFC0000FFFC000) << 2 | spread & 0x00003FFF00003FFF
    spread = (spread & 0x3F803F803F803F80) << 1 | spread & 0x007F007F007F007F
    return spread | _MORE
