"""Whatever the batches and wherever the machine stops, the archive gives back what was on disk, and no more."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.examples import scaled
from tests.support.archives import STREAM, SUBJECT, append, facts, journal, write
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.layout import segment_name
from tradebus.journal.archive.writer import ArchiveWriter


@contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="tradebus-archive-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@settings(max_examples=scaled(40), deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.integers(0, 9),
    st.sampled_from([1, 500, 5_000, 1 << 26]),
    st.integers(0, 59),
)
def test_any_batches_come_back(sizes: list[int], flush_every: int, segment_bytes: int, restart: int) -> None:
    messages = journal(sizes)
    with folder() as path:
        write(path, messages[:restart], flush_every=flush_every, segment_bytes=segment_bytes)
        write(path, messages[restart:], flush_every=flush_every, segment_bytes=segment_bytes)
        assert facts(list(Archive(path, STREAM, SUBJECT).messages())) == facts(messages)


def test_an_archive_cut_anywhere_ends_with_its_last_whole_chunk_and_goes_on() -> None:
    messages = journal([1, 5, 2])
    with folder() as path:
        with ArchiveWriter(path, STREAM, SUBJECT) as writer:
            ends: list[tuple[int, int]] = []
            segment = path / "segments" / segment_name(1)
            for message in messages:
                append(writer, [message])
                ends.append((segment.stat().st_size, message.sequence))
        whole = segment.read_bytes()
        for cut in range(len(whole)):
            shutil.rmtree(path / "segments")
            segment.parent.mkdir()
            segment.write_bytes(whole[:cut])
            kept = max((sequence for size, sequence in ends if size <= cut), default=0)
            with ArchiveWriter(path, STREAM, SUBJECT) as writer:
                assert (0 if writer.end is None else writer.end.position) == kept
                if cut % 16 == 0:
                    append(writer, messages[kept:], flush_every=1)
                    assert segment.read_bytes() == whole
            assert facts(list(Archive(path, STREAM, SUBJECT).messages())) == facts(
                messages[: len(messages) if cut % 16 == 0 else kept]
            )
