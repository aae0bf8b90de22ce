"""Read a raw recording as a source of frames for the server.

A recording is text, one message a line: ``<local receive time, ns since the epoch> <raw JSON>``, gzipped where its
name ends in ``.gz``. Messages are in the envelope of combined streams; the line with ``lastUpdateId`` is the REST
depth snapshot of the recorded symbol.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import msgspec

from tests.support.venue_server.flow import StreamFrame


class RecordingError(Exception):
    """A line of a recording is not what it should be: says the file, the line and what was found."""


class _Envelope(msgspec.Struct):
    stream: str
    data: msgspec.Raw


class TimedFrame(msgspec.Struct, frozen=True):
    """A frame with the time at which its recorder received it, in nanoseconds since the epoch."""

    time_ns: int
    frame: StreamFrame


class Recording:
    """A recording on disk: its frames in order, its symbols and its depth snapshots."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._snapshots: dict[str, bytes] = {}
        self._symbols: dict[str, None] = {}
        pending: bytes | None = None
        for _, raw in self._lines():
            if raw.startswith(b'{"lastUpdateId"'):
                pending = raw
            else:
                symbol = _envelope(raw).stream.partition("@")[0].upper()
                self._symbols[symbol] = None
        if pending is not None and len(self._symbols) == 1:
            # The snapshot does not name its symbol; only where there is a single one is it known whose it is.
            self._snapshots[next(iter(self._symbols))] = pending

    def symbols(self) -> list[str]:
        """Return the recorded symbols in order of first appearance."""
        return list(self._symbols)

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """Return the recorded depth snapshot of a symbol cut to ``limit`` levels, None where there is none."""
        raw = self._snapshots.get(symbol)
        if raw is None:
            return None
        body = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        for side in ("bids", "asks"):
            levels = msgspec.json.decode(body[side], type=list[msgspec.Raw])
            body[side] = msgspec.Raw(msgspec.json.encode(levels[:limit]))
        return msgspec.json.encode(body)

    def frames(self) -> Iterator[TimedFrame]:
        """Yield the recorded frames in the order of the file, snapshots left out."""
        for time_ns, raw in self._lines():
            if not raw.startswith(b'{"lastUpdateId"'):
                envelope = _envelope(raw)
                yield TimedFrame(time_ns, StreamFrame(envelope.stream, bytes(envelope.data)))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with _open(self.path) as lines:
            for number, line in enumerate(lines, start=1):
                time_text, separator, raw = line.rstrip(b"\r\n").partition(b" ")
                if not separator or not time_text.isdigit():
                    raise RecordingError(
                        f"{self.path}:{number}: expected '<receive time in ns> <JSON>', found {line[:80]!r}"
                    )
                yield int(time_text), raw


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _envelope(raw: bytes) -> _Envelope:
    try:
        return msgspec.json.decode(raw, type=_Envelope)
    except msgspec.MsgspecError as error:
        raise RecordingError(f"expected a combined-stream frame, found {raw[:80]!r} ({error})") from error
