"""What is written comes back exactly; what a crash tears is cut off, and nothing else."""

import errno
import os
from pathlib import Path

import pytest

from tests.support.archives import STREAM, SUBJECT, T0, append, facts, journal, sizes, write
from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.damage import ArchiveDamaged, ArchiveError
from tradebus.journal.archive.files import segment_files
from tradebus.journal.archive.index import index_path
from tradebus.journal.archive.stored import stored_batch
from tradebus.journal.archive.writer import ArchiveEnd, ArchiveWriter
from tradebus.wire.codec.audit import audit_frames_from_bytes
from tradebus.wire.integrity import CHAIN_HEADER


def test_batches_come_back_as_they_were_stored(tmp_path: Path) -> None:
    messages = journal(sizes(100))
    write(tmp_path, messages, flush_every=7, segment_bytes=2_000)
    archive = Archive(tmp_path)
    assert (archive.stream, archive.subject) == (STREAM, SUBJECT)
    assert facts(list(archive.messages())) == facts(messages)
    assert facts(list(archive.messages(42))) == facts(messages[41:])
    assert len(segment_files(tmp_path)) > 3


def test_every_finished_segment_has_an_index(tmp_path: Path) -> None:
    write(tmp_path, journal(sizes(100)), flush_every=7, segment_bytes=2_000)
    *finished, growing = segment_files(tmp_path)
    assert all(index_path(path).exists() for path in finished)
    assert not index_path(growing).exists()


def test_the_end_is_that_of_the_last_batch_on_disk(tmp_path: Path) -> None:
    messages = journal([3, 2, 4])
    with ArchiveWriter(tmp_path, STREAM, SUBJECT) as writer:
        append(writer, messages[:2])
        writer.append(stored_batch(messages[2], audit_frames_from_bytes(messages[2].payload)))
        end = ArchiveEnd(2, 4, (messages[1].headers or {})[CHAIN_HEADER], T0 + 4_000_000_000)
        assert writer.end == end
        assert writer.waiting_bytes > 0
    with ArchiveWriter(tmp_path, STREAM, SUBJECT) as writer:
        assert writer.end == end


def test_writing_goes_on_in_the_same_segment_after_a_restart(tmp_path: Path) -> None:
    messages = journal(sizes(30))
    for part in (messages[:10], messages[10:20], messages[20:]):
        write(tmp_path, part)
    assert len(segment_files(tmp_path)) == 1
    assert facts(list(Archive(tmp_path).messages())) == facts(messages)


def test_only_one_may_write(tmp_path: Path) -> None:
    with (
        ArchiveWriter(tmp_path, STREAM, SUBJECT),
        pytest.raises(ArchiveError, match="somebody else writes this archive"),
    ):
        ArchiveWriter(tmp_path, STREAM, SUBJECT).open()


def test_an_archive_of_another_stream_is_refused(tmp_path: Path) -> None:
    write(tmp_path, journal([1]))
    with pytest.raises(ArchiveError, match="expected the archive of AUDIT_paper, found that of AUDIT_demo"):
        ArchiveWriter(tmp_path, "AUDIT_paper", "audit.paper").open()
    with pytest.raises(ArchiveError, match="expected the archive of AUDIT_paper, found that of AUDIT_demo"):
        Archive(tmp_path, "AUDIT_paper")


@pytest.mark.parametrize(("position", "sequence"), [(4, 6), (3, 6), (4, 5), (2, 5)])
def test_a_batch_that_does_not_follow_is_refused(tmp_path: Path, position: int, sequence: int) -> None:
    with ArchiveWriter(tmp_path, STREAM, SUBJECT) as writer:
        append(writer, journal([3, 2]))
        with pytest.raises(ArchiveError, match="expected batch 3 with tick 5"):
            append(writer, journal([1], position=position, sequence=sequence))


def test_a_gap_that_is_allowed_shows_when_it_is_read_over(tmp_path: Path) -> None:
    messages = journal([2] * 10)
    later = messages[6:]
    with ArchiveWriter(tmp_path, STREAM, SUBJECT) as writer:
        append(writer, messages[:4])
        writer.append(stored_batch(later[0], audit_frames_from_bytes(later[0].payload)), behind_gap=True)
        append(writer, later[1:])
    archive = Archive(tmp_path)
    assert facts(list(archive.messages(7))) == facts(later)
    found: list[JournalMessage] = []
    with pytest.raises(ArchiveDamaged, match="batches 5 to 6: expected batch 5, found batch 7"):
        found.extend(archive.messages())
    with pytest.raises(ArchiveDamaged, match="expected batch 5, found batch 7"):
        list(archive.messages(5))


def test_a_torn_end_is_cut_off_and_named(tmp_path: Path) -> None:
    messages = journal(sizes(20))
    write(tmp_path, messages[:10])
    (path,) = segment_files(tmp_path)
    whole = path.stat().st_size
    write(tmp_path, messages[10:])
    os.truncate(path, path.stat().st_size - 1)
    with ArchiveWriter(tmp_path, STREAM, SUBJECT) as writer:
        assert writer.end is not None
        assert writer.end.position == 10
    assert path.stat().st_size == whole
    write(tmp_path, messages[10:])
    assert facts(list(Archive(tmp_path).messages())) == facts(messages)


def test_damage_before_a_sound_chunk_is_not_cut_off(tmp_path: Path) -> None:
    messages = journal(sizes(30))
    write(tmp_path, messages, flush_every=10)
    (path,) = segment_files(tmp_path)
    first, second, _ = Archive(tmp_path).places(path)
    content = bytearray(path.read_bytes())
    content[second.offset + 90] ^= 1
    path.write_bytes(content)
    writer = ArchiveWriter(tmp_path, STREAM, SUBJECT)
    opened = writer.open()
    writer.close()
    assert opened.cut is None
    (damage,) = opened.damages
    assert (damage.path, damage.offset, damage.length) == (path, first.end, second.end - second.offset)
    assert (damage.first_position, damage.last_position) == (11, 20)
    assert damage.next_sequence == second.head.first_sequence
    assert opened.end is not None
    assert opened.end.position == 30


def test_a_segment_of_which_nothing_became_durable_is_put_aside(tmp_path: Path) -> None:
    messages = journal(sizes(20))
    write(tmp_path, messages[:10], segment_bytes=1)
    path = tmp_path / "segments" / f"{11:020d}.tba"
    path.write_bytes(b"\0" * 300)
    write(tmp_path, messages[10:], segment_bytes=1)
    assert facts(list(Archive(tmp_path).messages())) == facts(messages)
    assert path.with_suffix(".torn").read_bytes() == b"\0" * 300


def test_a_missing_index_is_made_again(tmp_path: Path) -> None:
    messages = journal(sizes(60))
    write(tmp_path, messages, flush_every=5, segment_bytes=1_000)
    index = index_path(segment_files(tmp_path)[1])
    before = index.read_bytes()
    index.unlink()
    assert facts(list(Archive(tmp_path).messages())) == facts(messages)
    write(tmp_path, [])
    assert index.read_bytes() == before


@pytest.mark.parametrize("failing", ["pwrite", "fsync"])
def test_what_could_not_be_written_is_written_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    messages = journal(sizes(20))
    real = getattr(os, failing)
    wrote_half = os.pwrite

    def no_room(file: int, *arguments: object) -> int:
        if failing == "pwrite":
            content, at = arguments
            assert isinstance(content, bytes)
            assert isinstance(at, int)
            wrote_half(file, content[: len(content) // 2], at)
        raise OSError(errno.ENOSPC, "no space left on device")

    with ArchiveWriter(tmp_path, STREAM, SUBJECT) as writer:
        append(writer, messages[:5])
        monkeypatch.setattr(os, failing, no_room)
        with pytest.raises(OSError, match="no space"):
            append(writer, messages[5:10])
        assert writer.end is not None
        assert writer.end.position == 5
        with pytest.raises(OSError, match="no space"):
            writer.flush()
        monkeypatch.setattr(os, failing, real)
        append(writer, messages[10:])
    assert facts(list(Archive(tmp_path).messages())) == facts(messages)
