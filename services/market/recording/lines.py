"""Read the lines of a recording, plain or gzipped, and get everything out of a damaged one that is still in it.

Memory is flat: a chunk of the file and one line are held. Python's own gzip reader would lose the rest of the chunk in
which an error stands; here every byte before it is delivered.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

LINE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Longer lines are cut after this many bytes and one: no message of a venue comes near."""

_CHUNK_BYTES: Final = 16 * 1024  # deflate expands up to a thousand times, so at most 16 MiB at once
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS


class DamagedRecording(Exception):
    """A file that cannot be read to its end; what could be read before has been delivered. ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield a file's lines in order, without their ends; a last line that ends with the file is yielded too.

    Gzip is known by its first bytes, whatever the name; a name ending in ``.gz`` promises it.

    Raises DamagedRecording after the last line that could be read, OSError when the file cannot be opened.
    """
    with path.open("rb") as file:
        rest = b""
        damage: DamagedRecording | None = None
        chunks = _chunks(file, path)
        while True:
            try:
                chunk = next(chunks, None)
            except DamagedRecording as error:
                damage = error
                break
            if chunk is None:
                break
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()[: LINE_BYTES_MAX + 1]
            for line in lines:
                yield line.removesuffix(b"\r")[: LINE_BYTES_MAX + 1]
        if rest:
            yield rest.removesuffix(b"\r")
        if damage is not None:
            raise damage


def _chunks(file: IO[bytes], path: Path) -> Iterator[bytes]:
    try:
        start = file.read(len(_GZIP_MAGIC))
        file.seek(0)
        if start == _GZIP_MAGIC:
            yield from _inflate(file)
        elif path.suffix == ".gz":
            raise DamagedRecording(f"expected gzip data, which begins with {_GZIP_MAGIC!r}, found {start!r}")
        else:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise DamagedRecording(f"cannot be read on: {error}") from error


def _inflate(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the data of every gzip member; zeros after a member are padding, as gzip itself has it."""
    inflater = zlib.decompressobj(_GZIP_FORMAT)
    is_between_members = False
    while chunk := file.read(_CHUNK_BYTES):
        while chunk:
            if is_between_members:
                chunk = chunk.lstrip(b"\0")
                if not chunk:
                    break
                inflater, is_between_members = zlib.decompressobj(_GZIP_FORMAT), False
            untouched = inflater.copy()
            try:
                data = inflater.decompress(chunk)
            except zlib.error as error:
                yield from _salvage(untouched, chunk)
                raise DamagedRecording(f"the compressed data are damaged: {error}") from error
            if data:
                yield data
            is_between_members = inflater.eof
            chunk = inflater.unused_data
    if not is_between_members:
        raise DamagedRecording("the compressed data end too early: the file was cut off")


def _salvage(inflater: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    """Yield what a chunk gives up to the byte that is wrong."""
    for position in range(len(chunk)):
        try:
            data = inflater.decompress(chunk[position : position + 1])
        except zlib.error:
            return
        if data:
            yield data
