"""`tradebus audit` as a user calls it: on an archive, on a stream of a real server, on both; no service runs."""

import asyncio
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.archives import append
from tests.support.audit_run import EngineRun, append_all, messages_of
from tests.support.nats_server import NatsServer
from tradebus.bus.message import JournalMessage
from tradebus.bus.nats_bus import NatsBus
from tradebus.cli.app import app
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.files import segment_files
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.journal.positions import JournalMark, publish_positions
from tradebus.wire import subjects

ARCHIVED = 60


@pytest.fixture(scope="module")
def messages() -> list[JournalMessage]:
    return messages_of(EngineRun(events=250, is_ended=False).batches())


@pytest.fixture(scope="module")
def whole(messages: list[JournalMessage], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    with ArchiveWriter(folder, "AUDIT_demo", "audit.demo", segment_bytes=6_000) as writer:
        append(writer, messages[:ARCHIVED], flush_every=4)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "archive"
    shutil.copytree(whole, copied)
    return copied


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments])


async def asked(*arguments: str) -> Result:
    """Run a command beside the test's own event loop."""
    return await asyncio.to_thread(run, *arguments)


def run_json(folder: Path) -> str:
    return run("verify", "-a", str(folder), "--json").stdout


def damaged(folder: Path) -> Path:
    path = segment_files(folder)[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 2
    path.write_bytes(content)
    return path


# ---------------------------------------------------------------------------------------------- archive alone


def test_a_sound_archive_is_called_sound(folder: Path) -> None:
    result = run("verify", "--archive", str(folder))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "sound"
    assert f"batches 1 to {ARCHIVED}" in result.stdout
    assert run("verify", "-a", str(folder), "--quiet").stdout == ""


def test_damage_is_named_with_file_batches_and_tick(folder: Path) -> None:
    path = damaged(folder)
    result = run("verify", "-a", str(folder), "--json")
    assert result.exit_code == 7
    found = json.loads(result.stdout)
    assert found["sound"] is False
    (finding,) = found["findings"]
    assert (finding["kind"], finding["where"]) == ("segment", path.name)
    assert 0 < finding["position"] < finding["last_position"] <= ARCHIVED
    assert finding["sequence"] > 0
    assert finding["length"] > 0
    words = run("verify", "-a", str(folder))
    assert words.exit_code == 7
    assert "1 finding" in words.stdout


def test_what_is_no_archive_is_a_usage_error(tmp_path: Path) -> None:
    result = run("verify", "-a", str(tmp_path))
    assert result.exit_code == 2
    assert f"cannot read an archive in {tmp_path}" in result.stderr


def test_the_archive_of_another_engine_is_refused(folder: Path) -> None:
    result = run("verify", "-a", str(folder), "-e", "paper")
    assert result.exit_code == 2
    assert "expected the archive of AUDIT_paper, found that of AUDIT_demo" in result.stderr


def test_a_server_that_is_not_there_ends_with_4() -> None:
    result = run("verify", "--nats", "nats://127.0.0.1:1", "-e", "demo")
    assert result.exit_code == 4
    assert "cannot reach NATS" in result.stderr


def test_one_tick_is_printed(folder: Path) -> None:
    result = run("get", "17", "-a", str(folder))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["sequence"] == 17
    missing = run("get", "999999", "-a", str(folder))
    assert missing.exit_code == 1
    assert "cannot find tick 999,999: there are 0 to" in missing.stderr


def test_ticks_are_exported_by_number_and_by_time(folder: Path, tmp_path: Path) -> None:
    lines = [
        json.loads(line) for line in run("export", "-a", str(folder), "--from", "20", "--to", "29").stdout.splitlines()
    ]
    assert [tick["sequence"] for tick in lines] == list(range(20, 30))
    output = tmp_path / "ticks.ndjson"
    times = ("--since", lines[3]["time"][:26], "--until", lines[6]["time"][:26])
    result = run("export", "-a", str(folder), *times, "-o", str(output))
    assert result.exit_code == 0
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert {tick["time_ns"] for tick in found} == {
        tick["time_ns"] for tick in lines if lines[3]["time_ns"] <= tick["time_ns"] < lines[6]["time_ns"]
    }
    assert "ticks" in result.stderr


def test_an_export_that_is_not_complete_says_so(folder: Path) -> None:
    result = run("export", "-a", str(folder), "--from", "460", "--to", "100000")
    assert result.exit_code == 1
    assert "it is neither in the archive nor in the stream" in result.stderr


def test_a_time_that_is_none_is_a_usage_error(folder: Path) -> None:
    result = run("export", "-a", str(folder), "--since", "noon")
    assert result.exit_code == 2
    assert "cannot read 'noon' as a time" in result.stderr


def test_the_tail_is_the_last_ticks(folder: Path) -> None:
    lines = [json.loads(line) for line in run("tail", "-a", str(folder), "-n", "3").stdout.splitlines()]
    last = Archive(folder).last_place()
    assert last is not None
    end = last.place.head.last_sequence
    assert [tick["sequence"] for tick in lines] == [end - 2, end - 1, end]


# ---------------------------------------------------------------------------------------------- with a stream


class Stream:
    """A stream with a journal in it, on a server."""

    def __init__(self, server: NatsServer, bus: NatsBus) -> None:
        self.server = server
        self.bus = bus

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("--nats", self.server.url, "--engine", "demo")

    async def holds(self) -> list[bytes]:
        state = await self.bus.journal_state("AUDIT_demo")
        found = [await self.bus.message("AUDIT_demo", number) for number in range(1, state.last_sequence + 1)]
        return [message.payload for message in found if message is not None]


async def stream_of(server: NatsServer, messages: list[JournalMessage]) -> Stream:
    await server.provision(("demo",))
    bus = await NatsBus.connect(server.options("engine"))
    for message in messages:
        await bus.append(
            "audit.demo", message.payload, expected_last_sequence=message.sequence - 1, headers=message.headers
        )
    return Stream(server, bus)


@pytest.fixture
async def server(new_nats_server: Callable[[], NatsServer]) -> NatsServer:
    return await asyncio.to_thread(new_nats_server)


async def test_a_stream_alone_is_verified(server: NatsServer, messages: list[JournalMessage]) -> None:
    stream = await stream_of(server, messages)
    result = await asked("verify", *stream.arguments, "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["sound"], found["batches"]) == (0, True, len(messages))
    assert found["hashes_equal"] > 20
    await stream.bus.close()


async def test_an_archive_is_repaired_from_the_stream(
    server: NatsServer, messages: list[JournalMessage], folder: Path
) -> None:
    stream = await stream_of(server, messages)
    path = damaged(folder)
    before = path.read_bytes()
    arguments = ("-a", str(folder), *stream.arguments)
    assert (await asked("verify", *arguments)).exit_code == 7
    found = json.loads((await asked("verify", *arguments, "--json")).stdout)
    assert (found["unproven"], found["batches"]) == (0, len(messages)), "the stream fills the damaged place"
    assert [finding["kind"] for finding in found["findings"]] == ["segment"]
    assert json.loads(await asyncio.to_thread(run_json, folder))["unproven"] > 0
    dry = await asked("repair", *arguments)
    assert dry.exit_code == 7
    assert "nothing was changed; --yes does it" in dry.stdout
    assert path.read_bytes() == before
    done = await asked("repair", *arguments, "--yes")
    assert done.exit_code == 0, done.stdout
    assert "brought back" in done.stdout
    assert path.with_suffix(".damaged").read_bytes() == before
    assert (await asked("verify", *arguments)).exit_code == 0
    assert [message.payload for message in Archive(folder).messages()] == [message.payload for message in messages]
    assert "nothing to repair" in (await asked("repair", *arguments)).stdout
    await stream.bus.close()


async def test_a_stream_that_lost_its_end_gets_it_back(
    server: NatsServer, messages: list[JournalMessage], folder: Path
) -> None:
    stream = await stream_of(server, messages[:41])
    arguments = ("-a", str(folder), *stream.arguments)
    dry = await asked("repair", *arguments, "--json")
    (step,) = json.loads(dry.stdout)["plan"]
    assert step["what"] == "AUDIT_demo"
    assert step["possible"]
    assert len(await stream.holds()) == 41
    done = await asked("repair", *arguments, "--yes")
    assert done.exit_code == 0, done.stdout
    assert await stream.holds() == [message.payload for message in messages[:ARCHIVED]]
    assert (await asked("verify", *arguments)).exit_code == 0
    await stream.bus.close()


async def test_another_journal_is_not_written_over(server: NatsServer, folder: Path) -> None:
    other = messages_of(EngineRun(events=60, seed=9, is_ended=False).batches())
    stream = await stream_of(server, other)
    result = await asked("repair", "-a", str(folder), *stream.arguments, "--yes")
    assert result.exit_code == 7
    assert "it is another journal" in " ".join(result.stdout.split())
    assert await stream.holds() == [message.payload for message in other]
    await stream.bus.close()


async def test_an_archive_that_lost_its_end_is_seen_by_what_it_once_said(
    server: NatsServer, messages: list[JournalMessage], folder: Path
) -> None:
    stream = await stream_of(server, messages)
    mark = JournalMark("AUDIT_demo", ARCHIVED + 5, "ab" * 16, 1)
    await publish_positions(stream.bus, subjects.archive_reader("demo"), "audit-1", (mark,))
    result = await asked("verify", "-a", str(folder), *stream.arguments, "--json")
    assert result.exit_code == 7
    (finding,) = json.loads(result.stdout)["findings"]
    assert finding["reason"] == f"it once held batches up to {ARCHIVED + 5}, now up to {ARCHIVED}: it lost its end"
    await stream.bus.close()


async def test_ticks_behind_the_archive_come_from_the_stream(
    server: NatsServer, messages: list[JournalMessage], folder: Path
) -> None:
    stream = await stream_of(server, messages)
    result = await asked("export", "-a", str(folder), *stream.arguments)
    sequences = [json.loads(line)["sequence"] for line in result.stdout.splitlines()]
    assert sequences == list(range(len(sequences)))
    alone = await asked("export", *stream.arguments)
    assert alone.stdout == result.stdout
    archived = archived_ticks(folder)
    assert len(sequences) > archived
    await stream.bus.close()


def archived_ticks(folder: Path) -> int:
    last = Archive(folder).last_place()
    assert last is not None
    return last.place.head.last_sequence + 1


async def test_repair_needs_both_copies(folder: Path) -> None:
    result = await asked("repair", "-a", str(folder))
    assert result.exit_code == 2
    assert "name the server with --nats" in result.stderr


async def test_the_tail_is_followed(server: NatsServer) -> None:
    run_ = EngineRun(events=60, is_ended=False)
    stream = await stream_of(server, messages_of(run_.batches())[:2])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tradebus.cli",
        "audit",
        "tail",
        *stream.arguments,
        "-n",
        "1",
        "--follow",
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        first = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        assert first["sequence"] == run_.batches()[1].last
        await append_all(stream.bus, "demo", run_.batches()[2:4], after=2)
        for expected in range(run_.batches()[2].first, run_.batches()[3].last + 1):
            line = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
            assert line["sequence"] == expected
    finally:
        process.kill()
        await process.wait()
    await stream.bus.close()
