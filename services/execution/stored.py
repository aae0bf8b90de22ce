"""Bring a snapshot into the form in which it is kept, and back: compressed, with a checksum over all of it."""

import zlib
from typing import Final

import google_crc32c

from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.paper_snapshot import PaperSnapshot, paper_snapshot_from_bytes, paper_snapshot_to_bytes

_MAGIC: Final = b"tradebus-paper-1\n"
_DIGITS: Final = 8
_LEVEL: Final = 6


class SnapshotUnreadable(Exception):
    """What is kept is not a snapshot that was written; the message says why."""


def stored(snapshot: PaperSnapshot) -> bytes:
    """Return a snapshot as it is kept. Raises EncodeError."""
    packed = zlib.compress(paper_snapshot_to_bytes(snapshot), _LEVEL)
    return _MAGIC + _checksum(packed) + packed


def read_stored(kept: bytes, account: str) -> PaperSnapshot:
    """Return the snapshot of an account out of what is kept. Raises SnapshotUnreadable."""
    if not kept.startswith(_MAGIC):
        raise SnapshotUnreadable(f"expected {_MAGIC!r} at its beginning, found {kept[: len(_MAGIC)]!r}")
    checksum, packed = kept[len(_MAGIC) : len(_MAGIC) + _DIGITS], kept[len(_MAGIC) + _DIGITS :]
    if checksum != _checksum(packed):
        raise SnapshotUnreadable(f"expected the checksum {checksum!r}, found {_checksum(packed)!r}")
    try:
        snapshot = paper_snapshot_from_bytes(zlib.decompress(packed))
    except (DecodeError, zlib.error) as error:
        raise SnapshotUnreadable(str(error)) from error
    if snapshot.account != account:
        raise SnapshotUnreadable(f"expected the account {account!r}, found {snapshot.account!r}")
    return snapshot


def _checksum(packed: bytes) -> bytes:
    return f"{google_crc32c.value(packed):08x}".encode()
