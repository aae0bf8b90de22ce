"""Whatever is damaged, wherever: it is found, and repaired from the stream as long as that has it."""

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.support.archives import append
from tests.support.audit_run import EngineRun, messages_of
from tests.unit.journal.archive.test_past import checkpoint_every
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.check import Tally
from tradebus.journal.archive.checkpoints import Checkpoints
from tradebus.journal.archive.damage import ArchiveError
from tradebus.journal.archive.files import segment_files
from tradebus.journal.archive.repair import drop_checkpoints, plan_archive, repair_segment
from tradebus.journal.archive.verification import Verification
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.strategies.loading import load_data, load_user_data

DAMAGES = 30
"""How many places are damaged, one after the other. The full run takes 300 (TRADEBUS_DAMAGES)."""

STREAM = "AUDIT_demo"


@pytest.fixture(scope="module")
def messages() -> list[JournalMessage]:
    return messages_of(EngineRun(events=250, is_ended=False).batches())


@pytest.fixture(scope="module")
def whole(messages: list[JournalMessage], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    with ArchiveWriter(folder, STREAM, "audit.demo", segment_bytes=6_000) as writer:
        append(writer, messages, flush_every=4)
    hashes: dict[int, StateHash] = {}
    checkpoint_every(25, messages, folder, hashes)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "archive"
    shutil.copytree(whole, copied)
    return copied


def verify(folder: Path, stream: list[JournalMessage] | None = None) -> Tally:
    verification = Verification(Archive(folder, STREAM, "audit.demo"), load_data, load_user_data)
    verification.archive()
    for message in stream or ():
        verification.stream(message)
    return verification.tally


async def repair(folder: Path, stream: list[JournalMessage]) -> None:
    archive = Archive(folder, STREAM, "audit.demo")

    async def fetch(first: int, last: int) -> list[JournalMessage]:
        return [message for message in stream if first <= message.sequence <= last]

    for plan in plan_archive(archive, stream[0].sequence, stream[-1].sequence):
        await repair_segment(archive, plan, fetch)
    with ArchiveWriter(folder, STREAM, "audit.demo") as writer:
        end = 0 if writer.end is None else writer.end.position
        append(writer, [message for message in stream if message.sequence > end])
    drop_checkpoints(folder, 10**9)


def test_a_sound_archive_is_found_sound(folder: Path, messages: list[JournalMessage]) -> None:
    tally = verify(folder, messages)
    assert tally.findings == []
    assert tally.batches == len(messages)
    assert tally.hashes_equal > 20
    assert tally.hashes_unequal == tally.hashes_not_verified == tally.unproven == 0
    assert tally.checkpoints == len(Checkpoints(folder).sequences()) > 2
    assert (tally.first_tick, tally.last_tick + 1) == (0, tally.ticks)


def test_what_follows_in_the_stream_is_verified_with_the_archives_state(
    folder: Path, messages: list[JournalMessage]
) -> None:
    for path in segment_files(folder)[-2:]:
        path.unlink()
    for sequence in Checkpoints(folder).sequences()[1:]:
        Checkpoints(folder).drop(sequence)
    tally = verify(folder, messages[30:])
    assert tally.findings == []
    assert tally.batches == len(messages)
    assert tally.unproven == 0


def test_a_stream_alone_without_its_beginning_is_verified_without_states(messages: list[JournalMessage]) -> None:
    verification = Verification(None, load_data, load_user_data)
    for message in messages[10:]:
        verification.stream(message)
    tally = verification.tally
    assert tally.findings == []
    assert tally.unproven == tally.ticks > 0


def test_another_batch_in_the_stream_is_a_difference(folder: Path, messages: list[JournalMessage]) -> None:
    other = messages_of(EngineRun(events=250, seed=9, is_ended=False).batches())
    findings = verify(folder, [*messages[:20], other[20], *messages[21:]]).findings
    assert [(each.kind, each.position) for each in findings] == [("difference", 21)]
    findings = verify(folder, other[: len(messages)]).findings
    assert [(each.kind, each.position) for each in findings] == [("difference", 1)]
    assert findings[0].last_position > 80


def damage(rng: random.Random, folder: Path) -> str:
    """Damage one place of one file, and return what was done."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    path = rng.choice(files)
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content))
    how = rng.choice(("bit", "cut", "zeros"))
    if how == "bit":
        content[at] ^= 1 << rng.randrange(8)
    elif how == "cut":
        del content[at:]
    else:
        end = min(len(content), at + rng.randint(1, 512))
        if not any(content[at:end]):
            content[at] ^= 0xFF
        content[at:end] = bytes(end - at) if any(content[at:end]) else content[at:end]
    path.write_bytes(content)
    return f"{how} at {at} of {path.name}"


def damages_wanted() -> int:
    return int(os.environ.get("TRADEBUS_DAMAGES", DAMAGES))


async def test_every_damage_is_found_and_repaired(whole: Path, messages: list[JournalMessage], tmp_path: Path) -> None:
    rng = random.Random(20)
    kinds: dict[str, int] = {}
    for number in range(damages_wanted()):
        folder = tmp_path / "archive"
        shutil.copytree(whole, folder)
        done = damage(rng, folder)
        kinds[done.partition(" ")[0]] = kinds.get(done.partition(" ")[0], 0) + 1
        tally = verify(folder, messages)
        short = Archive(folder, STREAM, "audit.demo").last_place()
        is_short = short is None or short.place.head.last_position < len(messages)
        assert tally.findings or is_short, f"damage {number}: {done}"
        await repair(folder, messages)
        again = verify(folder, messages)
        assert again.findings == [], f"damage {number}: {done}"
        assert again.batches == len(messages), f"damage {number}: {done}"
        stored = [(message.sequence, message.payload) for message in Archive(folder).messages()]
        assert stored == [(message.sequence, message.payload) for message in messages], f"damage {number}: {done}"
        shutil.rmtree(folder)
    assert len(kinds) == 3


async def test_what_the_stream_no_longer_has_stays_a_named_gap(folder: Path, messages: list[JournalMessage]) -> None:
    second = segment_files(folder)[1]
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    (plan,) = plan_archive(Archive(folder), 10**6, 0)
    ((first, last),) = plan.gone
    await repair(folder, messages[-1:])
    findings = verify(folder, messages[-1:]).findings
    assert [(each.kind, each.position, each.last_position) for each in findings] == [("segment", first, last)]


async def test_a_missing_segment_is_brought_back(folder: Path, messages: list[JournalMessage]) -> None:
    second = segment_files(folder)[1]
    second.unlink()
    findings = verify(folder, messages).findings
    assert [each.kind for each in findings][:1] == ["segment"]
    assert findings[0].reason.startswith("expected batches up to")
    await repair(folder, messages)
    assert verify(folder, messages).findings == []
    assert [message.payload for message in Archive(folder).messages()] == [message.payload for message in messages]


def test_an_archive_that_ends_before_its_checkpoints_lost_its_end(folder: Path) -> None:
    for path in segment_files(folder)[2:]:
        path.unlink()
    findings = verify(folder).findings
    assert "it lost its end" in findings[-1].reason


def test_a_folder_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="expected an archive"):
        Archive(tmp_path)
