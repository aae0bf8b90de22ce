"""What comes damaged is asked for again; what is damaged, foreign or lost is told, and nothing of it is archived."""

import asyncio
import dataclasses
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.stdlib import BoundLogger, get_logger

from services.audit import archivist as module
from services.audit.archivist import ARCHIVE, Archivist
from services.audit.config import ArchiveConfig
from services.audit.metrics import AuditMetrics
from services.runtime.health import Health
from services.runtime.lifecycle import Lifecycle
from tests.support.archives import facts, journal, write
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import JournalMessage
from tradebus.bus.topology import topology
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.lineage import Lineage
from tradebus.journal.positions import JournalMark, publish_positions
from tradebus.wire import subjects

STREAM = "AUDIT_demo"
MESSAGES = journal([3] * 40)


class World:
    def __init__(self, folder: Path, *, sets_aside: bool = False) -> None:
        self.broker = MemoryBroker()
        self.broker.provision(topology(("demo",), ()))
        self.bus = MemoryBus(self.broker)
        self.registry = CollectorRegistry()
        self.health = Health(Lifecycle(), lambda _report: None)
        log: BoundLogger = get_logger("test")
        self.config = ArchiveConfig(folder, "demo", 1 << 20, 0.01, 1_000, sets_aside)
        self.archivist = Archivist(self.bus, self.config, "test", AuditMetrics(self.registry), self.health, log)

    async def append(self, messages: list[JournalMessage]) -> None:
        for message in messages:
            await self.bus.append("audit.demo", message.payload, headers=message.headers)

    def troubles(self, kind: str) -> float:
        return self.registry.get_sample_value("tradebus_archive_troubles_total", {"kind": kind}) or 0.0

    @property
    def archived(self) -> list[bytes]:
        return [message.payload for message in Archive(self.config.folder).messages()]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path / "demo")
    yield made
    await made.archivist.stop()


def flipped(message: JournalMessage) -> JournalMessage:
    payload = bytearray(message.payload)
    payload[len(payload) // 2] ^= 1
    return dataclasses.replace(message, payload=bytes(payload))


async def test_what_came_damaged_is_asked_for_again(world: World) -> None:
    await world.append(MESSAGES[:3])
    assert await world.archivist.open() is Lineage.CONTINUES
    take = world.archivist._take
    await take(MESSAGES[0])
    await take(flipped(MESSAGES[1]))
    await take(MESSAGES[2])
    await world.archivist.stop()
    assert world.archived == [message.payload for message in MESSAGES[:3]]
    assert world.archivist.is_stopped_by == ""


async def test_what_is_damaged_in_the_stream_stops_the_archive_before_it(world: World) -> None:
    await world.append([*MESSAGES[:5], flipped(MESSAGES[5]), *MESSAGES[6:9]])
    await world.archivist.open()
    running = asyncio.create_task(world.archivist.run())
    await eventually(lambda: world.archivist.is_stopped_by, "it stops")
    assert "the stream is damaged, message 6: Tb-Crc32c" in world.health.report().reasons[ARCHIVE]
    assert world.troubles("damage") == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_archive_of_another_stream_is_left_alone(world: World) -> None:
    write(world.config.folder, MESSAGES)
    await world.append(journal([2] * 40))
    assert await world.archivist.open() is Lineage.FOREIGN
    assert "is not the one that is archived in" in world.health.report().reasons[ARCHIVE]
    await world.archivist.run()
    assert facts(list(Archive(world.config.folder).messages())) == facts(MESSAGES)


async def test_an_archive_beside_an_empty_stream_is_not_continued(world: World) -> None:
    write(world.config.folder, MESSAGES)
    assert await world.archivist.open() is Lineage.FOREIGN


async def test_an_archive_that_lost_what_it_once_had_is_told(world: World) -> None:
    write(world.config.folder, MESSAGES[:30])
    await world.append(MESSAGES)
    mark = JournalMark(STREAM, 35, "ab" * 16, 105)
    await publish_positions(world.bus, subjects.archive_reader("demo"), "before", (mark,))
    assert await world.archivist.open() is Lineage.CONTINUES
    assert world.troubles("lost") == 1


async def test_a_backlog_is_bounded_while_the_disk_is_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_BYTES_MAX", 2_000)
    monkeypatch.setattr(module, "CHUNK_BYTES", 500)
    await world.append(MESSAGES)
    await world.archivist.open()

    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", no_room)
        running = asyncio.create_task(world.archivist.run())
        await eventually(lambda: ARCHIVE in world.health.report().reasons, "the reason")
        shown = world.archivist.status()["waiting_bytes"]
        assert isinstance(shown, int)
        assert shown < 2_000 + 1_000
    await eventually(lambda: world.archivist.end and world.archivist.end.position == len(MESSAGES), "all archived")
    assert world.health.report().reasons == {}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert world.archived == [message.payload for message in MESSAGES]
