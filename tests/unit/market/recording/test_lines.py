import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from services.market.recording.lines import LINE_BYTES_MAX, DamagedRecording, read_lines

LINES = [f"line {number} {Random(number).getrandbits(200)}".encode() for number in range(5_000)]
TEXT = b"".join(line + b"\n" for line in LINES)


def read_until_damage(path: Path) -> tuple[list[bytes], str]:
    got: list[bytes] = []
    lines = read_lines(path)
    with pytest.raises(DamagedRecording) as caught:
        collect(lines, got)
    return got, caught.value.reason


def collect(lines: Iterable[bytes], into: list[bytes]) -> None:
    for line in lines:
        into.append(line)  # noqa: PERF402 - what came before an error is to be kept


@pytest.mark.parametrize("name", ["plain", "plain.txt", "compressed.gz", "compressed-without-its-ending"])
def test_plain_and_gzipped_files_give_the_same_lines(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(TEXT) if name.startswith("compressed") else TEXT)
    assert list(read_lines(path)) == LINES


def test_line_ends_may_be_dos_and_the_last_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "dos"
    path.write_bytes(b"one\r\ntwo\r\n\r\nthree")
    assert list(read_lines(path)) == [b"one", b"two", b"", b"three"]


def test_an_empty_plain_file_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert list(read_lines(path)) == []


def test_several_gzip_members_with_padding_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "members.gz"
    half = len(TEXT) // 2
    path.write_bytes(gzip.compress(TEXT[:half]) + b"\0" * 512 + gzip.compress(TEXT[half:]) + b"\0" * 40_000)
    assert list(read_lines(path)) == LINES


def test_a_cut_gzip_gives_everything_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    compressed = gzip.compress(TEXT)
    cut = compressed[: len(compressed) * 2 // 3]
    path.write_bytes(cut)
    got, reason = read_until_damage(path)
    assert "cut off" in reason
    assert b"\n".join(got) == zlib.decompressobj(31).decompress(cut)
    assert len(got) > 2_000


def test_a_gzip_cut_in_its_trailer_gives_every_line(tmp_path: Path) -> None:
    path = tmp_path / "trailer.gz"
    path.write_bytes(gzip.compress(TEXT)[:-3])
    got, reason = read_until_damage(path)
    assert got == LINES
    assert "cut off" in reason


def test_a_damaged_gzip_gives_every_line_before_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gz"
    compressed = bytearray(gzip.compress(TEXT))
    middle = len(compressed) // 2
    compressed[middle : middle + 64] = b"\xff" * 64
    path.write_bytes(compressed)
    got, reason = read_until_damage(path)
    assert "damaged" in reason
    whole = zlib.decompressobj(31).decompress(bytes(compressed[:middle])).count(b"\n")
    assert got[:whole] == LINES[:whole]
    assert whole > 1_000


def test_a_wrong_checksum_gives_every_line_and_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "crc.gz"
    compressed = bytearray(gzip.compress(TEXT))
    compressed[-8] ^= 1
    path.write_bytes(compressed)
    got, reason = read_until_damage(path)
    assert got == LINES
    assert "incorrect data check" in reason


def test_bytes_after_the_compressed_data_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "more.gz"
    path.write_bytes(gzip.compress(TEXT) + b"something else")
    got, reason = read_until_damage(path)
    assert got == LINES
    assert "damaged" in reason


@pytest.mark.parametrize("data", [b"", b"no gzip at all\n"])
def test_a_gz_that_is_no_gzip_is_damage(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "wrong.gz"
    path.write_bytes(data)
    got, reason = read_until_damage(path)
    assert got == []
    assert "expected gzip data" in reason


def test_an_endless_line_is_cut_and_the_next_one_read(tmp_path: Path) -> None:
    path = tmp_path / "long.gz"
    path.write_bytes(gzip.compress(b"first\n" + b"x" * (3 * LINE_BYTES_MAX) + b"\nlast\n"))
    got = list(read_lines(path))
    assert [got[0], got[2]] == [b"first", b"last"]
    assert LINE_BYTES_MAX < len(got[1]) < 3 * LINE_BYTES_MAX


def test_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory"):
        list(read_lines(tmp_path))
