"""Simulated accounts on a real server that is killed while they are written."""

import asyncio

import pytest

from services.runtime import journal_writing
from tests.support.audit_run import EngineRun
from tests.support.bus_clients import Connect as ConnectTo
from tests.support.engine_service import Connect
from tests.support.execution_service import ACCOUNTS, events_of, journaled, owners, running_execution
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.events import Listener
from tradebus.bus.interface import Bus
from tradebus.bus.nats_bus import NatsBus
from tradebus.journal.sealed import SealedBatch
from tradebus.wire import subjects


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writing, "STALLED_S", 0.2)


@pytest.fixture(scope="module")
def run() -> EngineRun:
    """A run in the middle of trading. Tests only read it."""
    return EngineRun(events=600, is_ended=False)


@pytest.fixture
async def server(new_nats_server: ServerFactory) -> NatsServer:
    made = await asyncio.to_thread(new_nats_server)
    await made.provision(("demo",), ACCOUNTS)
    return made


def on_nats(server: NatsServer) -> Connect:
    async def connect(listener: Listener) -> Bus:
        return await NatsBus.connect(server.options("execution"), listener=listener)

    return connect


async def append(bus: Bus, batch: SealedBatch, after: int) -> None:
    """Append a batch behind message ``after``, whatever happens to the server meanwhile."""
    while True:
        try:
            if (await bus.journal_state("AUDIT_demo")).last_sequence > after:
                return  # an attempt whose outcome was unknown
            await bus.append(
                subjects.audit("demo"),
                batch.payload,
                expected_last_sequence=after,
                headers=batch.headers,
                timeout_s=1,
            )
        except BusUnavailable:
            await asyncio.sleep(0.01)
        else:
            return


async def test_kills_of_the_server_and_of_the_owner_lose_and_double_nothing(
    server: NatsServer, connect: ConnectTo, run: EngineRun
) -> None:
    engine = await connect(server, "engine")
    batches = run.batches()
    parts = [batches[first : first + len(batches) // 4 + 1] for first in range(0, len(batches), len(batches) // 4 + 1)]
    written = 0
    for number, part in enumerate(parts):
        # Every second owner is killed, the others stop in order.
        async with running_execution(on_nats(server), is_stopped=bool(number % 2)) as execution:
            for batch in part:
                await append(engine, batch, written)
                written += 1
            if number < len(parts) - 1:
                server.kill()
                await eventually(lambda: "bus" in execution.reasons)
                await asyncio.to_thread(server.start)
            last = part[-1].last
            await eventually(lambda: execution.sequence == last and execution.is_ready)  # noqa: B023 - as above
    async with running_execution(on_nats(server)) as execution:
        assert execution.sequence == batches[-1].last
    for account in ACCOUNTS:
        found = await journaled(engine, account)
        due = events_of(run, account)
        assert found == due[: len(found)]
        assert len(found) >= len(due) - 8, "but for what is on its way at the end"
        assert len(await owners(engine, account)) == len(parts) + 1
