"""Join encoded messages into a bigger one without encoding them again.

A sub-message on the wire is its field's tag, its length and its bytes; a repeated field is one such run after another.
So a batch of encoded ticks is a concatenation, and a market event goes into a tick in the bytes it was received in.
"""

from typing import Final

LENGTH_DELIMITED: Final = 2


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(field_number: int) -> bytes:
    """Return the bytes that begin a sub-message in field ``field_number``."""
    return _varint(field_number << 3 | LENGTH_DELIMITED)


_SHORT: Final = tuple(_varint(number) for number in range(1024))


def frame(field_tag: bytes, encoded: bytes) -> bytes:
    """Return ``encoded`` as the sub-message that ``field_tag`` begins."""
    length = len(encoded)
    return field_tag + (_SHORT[length] if length < 1024 else _varint(length)) + encoded


def unframe(field_tag: bytes, framed: bytes) -> bytes | None:
    """Return the bytes of the one sub-message that ``framed`` consists of; None when it is anything else.

    The tag is one of a single byte (fields 1 to 15), and only lengths below 16,384 are recognised, which is what occurs
    in numbers; for the rest, as for messages that another library laid out differently, the caller parses in full.
    """
    length = len(framed) - 2
    if length < 0 or framed[0] != field_tag[0]:
        return None
    first = framed[1]
    if first < 0x80:
        return framed[2:] if first == length else None
    if length > 0 and framed[2] < 0x80 and (first & 0x7F | framed[2] << 7) == length - 1:
        return framed[3:]
    return None
