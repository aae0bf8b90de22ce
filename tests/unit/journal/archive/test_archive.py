"""Any batch, tick or moment is found, also while somebody writes."""

from pathlib import Path

import pytest

from tests.support.archives import STREAM, SUBJECT, T0, append, facts, journal, sizes, write
from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.damage import ArchiveError
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.wire.codec.audit import audit_frames_from_bytes

MESSAGES = journal(sizes(200, seed=5))
LAST_TICK = audit_frames_from_bytes(MESSAGES[-1].payload).head.last_sequence


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    write(folder, MESSAGES, flush_every=9, segment_bytes=3_000)
    return folder


def holder_of(sequence: int) -> JournalMessage:
    for message in MESSAGES:
        if sequence <= audit_frames_from_bytes(message.payload).head.last_sequence:
            return message
    raise AssertionError(sequence)


@pytest.mark.parametrize("sequence", [0, 1, 77, 500, LAST_TICK - 1, LAST_TICK])
def test_a_tick_is_found_in_the_chunk_that_its_place_names(folder: Path, sequence: int) -> None:
    archive = Archive(folder)
    position = archive.position_of_sequence(sequence)
    assert position is not None
    assert position <= holder_of(sequence).sequence < position + 9


def test_a_tick_that_is_not_there_has_no_place(folder: Path) -> None:
    assert Archive(folder).position_of_sequence(LAST_TICK + 1) is None


@pytest.mark.parametrize("sequence", [0, 77, 500, LAST_TICK])
def test_a_moment_is_found(folder: Path, sequence: int) -> None:
    archive = Archive(folder)
    position = archive.position_of_time(T0 + sequence * 1_000_000_000)
    assert position is not None
    assert position <= holder_of(sequence).sequence < position + 9


def test_a_moment_behind_the_end_has_no_place(folder: Path) -> None:
    assert Archive(folder).position_of_time(T0 + (LAST_TICK + 1) * 1_000_000_000) is None


def test_a_reader_sees_what_was_flushed_since(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path, STREAM, SUBJECT, segment_bytes=1_500) as writer:
        append(writer, MESSAGES[:1])
        archive = Archive(tmp_path)
        for end in range(1, len(MESSAGES), 13):
            append(writer, MESSAGES[len(list(archive.messages())) : end])
            archive.refresh()
            assert facts(list(archive.messages())) == facts(MESSAGES[:end])


def test_a_folder_without_an_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="expected an archive, found no segments"):
        Archive(tmp_path)


def test_a_foreign_file_among_the_segments_is_refused(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, MESSAGES[:3])
    (tmp_path / "segments" / "copy of 1.tba").write_bytes(b"")
    with pytest.raises(ValueError, match="expected the name of a segment"):
        Archive(tmp_path)
