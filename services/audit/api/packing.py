"""Compress long answers for who takes them compressed."""

import zlib
from typing import Final

BYTES_MIN: Final = 16_384
"""A shorter body is not worth it."""

LEVEL: Final = 1
"""On a state of a hundred instruments a fifth larger than with the usual level, in a third of its time."""

BYTES_AT_ONCE: Final = 1 << 20
"""A longer body is compressed in a thread: this much takes about two milliseconds, less than going to a thread and back
may take beside a busy event loop."""

ENCODING: Final = "gzip"
VARY: Final = "Accept-Encoding"

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


def is_taken(accept_encoding: str) -> bool:
    """Tell whether a request takes gzip, read as the middleware reads it that compresses everything else."""
    return ENCODING in accept_encoding


def pack(body: bytes) -> bytes:
    """Return a body compressed."""
    return zlib.compress(body, LEVEL, _GZIP_WINDOW)
