"""Walk over protobuf's wire format: variable-length numbers and length-delimited parts."""

from typing import Final, final

from mypy_extensions import i64

MALFORMED: Final[i64] = -1
"""What ``varint`` returns where there is no number that we read; no number that we read is negative."""

_BYTES_MAX: Final[i64] = 9
"""Numbers of up to 63 bits; times, sequences and indices are never negative."""


@final
class Reader:
    """Stands at ``position`` of ``payload`` and reads up to ``end``."""

    def __init__(self, payload: bytes, position: i64, end: i64) -> None:
        self.payload: Final = payload
        self.position = position
        self.end = end

    def varint(self) -> i64:
        """Return the number that begins here and step behind it; MALFORMED when it is cut, too long, or padded."""
        payload = self.payload
        position = self.position
        end = self.end
        if position >= end:
            return MALFORMED
        byte: i64 = payload[position]
        position += 1
        if byte < 0x80:
            self.position = position
            return byte
        number: i64 = byte & 0x7F
        shift: i64 = 7
        limit: i64 = self.position + _BYTES_MAX
        end = min(end, limit)
        while position < end:
            byte = payload[position]
            position += 1
            if byte < 0x80:
                if byte == 0:
                    return MALFORMED
                self.position = position
                return number | (byte << shift)
            number |= (byte & 0x7F) << shift
            shift += 7
        return MALFORMED

    def part_end(self) -> i64:
        """Read a length; return where the part that begins then ends, MALFORMED when it would end behind ``end``."""
        length = self.varint()
        if length < 0 or length > self.end - self.position:
            return MALFORMED
        return self.position + length
