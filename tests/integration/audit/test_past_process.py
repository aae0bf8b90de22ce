"""The process that answers about the past: a real one, asked while the journal grows, killed, and too slow.

``TRADEBUS_TRAVEL_TRIALS`` sets how many random ticks are compared with a fresh replay, 12 unless told otherwise.
"""

import asyncio
import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.stdlib import BoundLogger, get_logger

from services.audit.travel import machine as module
from services.audit.travel.machine import TimeMachine, TookTooLong, TooManyWaiting
from services.audit.travel.question import PastAnswer, Question
from tests.integration.audit.test_archive_memory import keeping
from tests.integration.audit.test_follow_memory import running
from tests.support.audit_api import AuditApi
from tests.support.audit_run import EngineRun, append_all, messages_of
from tests.support.past import archive_run, fold_until, travel_setup
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology

TRIALS = int(os.environ.get("TRADEBUS_TRAVEL_TRIALS", "12"))
PATHS = ("/v1/state", "/v1/connectivity", "/v1/positions", "/v1/orders?limit=50", "/v1/trades?limit=50")
LOG: BoundLogger = get_logger("test")


def past_processes() -> list[psutil.Process]:
    """Return the processes that answer about the past which this one started."""
    return [child for child in psutil.Process().children(recursive=True) if "services.audit.travel" in child.cmdline()]


async def test_any_tick_is_as_a_fresh_replay_has_it_while_the_journal_grows(tmp_path: Path) -> None:
    run = EngineRun(events=900, is_ended=False, hash_every=64)
    batches, messages = run.batches(), messages_of(run.batches())
    broker = MemoryBroker()
    broker.provision(topology(("demo",), ()))
    engine = MemoryBus(broker)
    half = len(batches) // 2
    await append_all(engine, "demo", batches[:half])

    async def grow() -> None:
        for number in range(half, len(batches), 8):
            await append_all(engine, "demo", batches[number : number + 8], after=number)
            await asyncio.sleep(0)

    draw = random.Random(20_261_122)
    async with running(broker, keeping(tmp_path, checkpoint_ticks=1_000)) as audit:
        await audit.starting
        growing = asyncio.create_task(grow())
        for _ in range(TRIALS):
            sequence = draw.randrange(audit.service.fold.sequence + 1)
            async with AuditApi(fold_until(messages, sequence)) as then:
                for path in PATHS:
                    status, body = await audit.get(f"{path}{'&' if '?' in path else '?'}at={sequence}")
                    assert status == 200, body
                    found: Any = body["data"]
                    assert (body["sequence"], found) == (sequence, await then.data(path)), (path, sequence)
        await growing
        status, body = await audit.get(f"/v1/state?at={audit.service.fold.sequence}")
        assert status == 200, "the newest tick is archived when somebody asks for it"
    await engine.close()
    assert past_processes() == [], "it ends with the service"


@pytest.fixture(scope="module")
def archive(run: EngineRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    archive_run(folder, messages_of(run.batches()), checkpoint_every=30)
    return folder


async def test_a_killed_process_is_started_again(archive: Path) -> None:
    machine = TimeMachine(travel_setup(archive), LOG)
    try:
        first = await machine.ask(Question("/v1/trading", sequence=40))
        (process,) = past_processes()
        process.send_signal(signal.SIGSTOP)
        asked = asyncio.create_task(machine.ask(Question("/v1/trading", sequence=41)))
        await asyncio.sleep(0)
        process.send_signal(signal.SIGKILL)
        with pytest.raises(TookTooLong, match="ended with -9"):
            await asked
        assert await machine.ask(Question("/v1/trading", sequence=40)) == first, "what was answered is kept"
        again = await machine.ask(Question("/v1/trading", sequence=41))
        assert json.loads(again.body)["sequence"] == 41
    finally:
        await machine.stop()
    assert past_processes() == []


async def test_what_takes_too_long_is_ended(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_LIMIT_S", 0.0)
    machine = TimeMachine(travel_setup(archive), LOG, limit_s=0.001)
    with pytest.raises(TookTooLong, match=r"took more than 0\.001 s"):
        await machine.ask(Question("/v1/state", sequence=40))
    assert past_processes() == []
    await machine.stop()


async def test_only_so_many_may_wait(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    machine = TimeMachine(travel_setup(archive), LOG)
    try:
        found = await asyncio.gather(
            *(machine.ask(Question("/v1/trading", sequence=number)) for number in range(9)), return_exceptions=True
        )
        assert [type(each) for each in found] == [PastAnswer] * 3 + [TooManyWaiting] * 6
    finally:
        await machine.stop()


async def test_an_idle_process_ends(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.0)
    machine = TimeMachine(travel_setup(archive), LOG)
    await machine.ask(Question("/v1/trading", sequence=7))
    await eventually(lambda: not past_processes(), "the end of the idle process")
    await machine.stop()
