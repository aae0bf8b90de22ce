"""Chunks are compressed with zstd; those of earlier archives, with zlib, are read as they always were."""

import zlib

import pytest

from tradebus.journal.archive.compression import compress, decompress
from tradebus.journal.archive.layout import NotReadable

PLAIN = b"batch after batch, " * 200


@pytest.mark.parametrize("stored", [compress(PLAIN), zlib.compress(PLAIN, 6), zlib.compress(PLAIN, 1)])
def test_what_was_compressed_is_got_back(stored: bytes) -> None:
    assert len(stored) < len(PLAIN)
    assert decompress(stored, len(PLAIN)) == PLAIN


@pytest.mark.parametrize("stored", [compress(PLAIN), zlib.compress(PLAIN)])
def test_what_was_not_is_refused(stored: bytes) -> None:
    for wrong in (stored[:-5], stored[:6], b"", b"x" + stored, stored[:20] + b"\xff" * 8 + stored[28:]):
        with pytest.raises(NotReadable):
            decompress(wrong, len(PLAIN))
    for size in (len(PLAIN) - 1, len(PLAIN) + 1):
        with pytest.raises(NotReadable, match=f"expected {size} bytes"):
            decompress(stored, size)


def test_what_claims_to_be_small_is_not_unpacked_further() -> None:
    with pytest.raises(NotReadable, match="found 11"):
        decompress(compress(bytes(64 * 1024 * 1024)), 10)
