"""Write protobuf's variable-length numbers."""

from typing import Final

from mypy_extensions import i64

# Two bytes at once: a time has nine.
_PAIRS: Final[list[bytes]] = [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(1 << 14)]
_LAST: Final[list[bytes]] = [bytes((n,)) if n < 0x80 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(1 << 14)]


def varint(number: i64) -> bytes:
    """Return the bytes of a number that is not negative."""
    if number < 0x4000:
        return _LAST[number]
    low = _PAIRS[number & 0x3FFF]
    number >>= 14
    if number < 0x4000:
        return low + _LAST[number]
    middle = _PAIRS[number & 0x3FFF]
    number >>= 14
    if number < 0x4000:
        return low + middle + _LAST[number]
    return b"".join((low, middle, varint(number)))
