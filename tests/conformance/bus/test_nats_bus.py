"""The NATS bus keeps the bus contract, on a real server that is killed for the outages."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.bus.buckets_contract import BucketsContract
from tests.conformance.bus.ending_contract import EndingContract
from tests.conformance.bus.harness import Harness
from tests.conformance.bus.journals_contract import JournalsContract
from tests.conformance.bus.leases_contract import LeasesContract
from tests.conformance.bus.messages_contract import MessagesContract
from tests.conformance.bus.requests_contract import RequestsContract
from tests.support.bus_events import EventLog
from tests.support.nats_server import NatsServer
from tests.support.waiting import eventually
from tradebus.bus.events import Connected, Disconnected, EventHub, Reconnected
from tradebus.bus.interface import Bus
from tradebus.bus.nats_api import JetStreamApi
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.provision import stream_configuration
from tradebus.bus.topology import Topology

FORBIDDEN = f'["md.{Harness.forbidden}.>", "exec.{Harness.forbidden}", "audit.{Harness.forbidden}"]'
PERMISSIONS = f"""
authorization {{
  users: [{{
    user: tester, password: tester
    permissions: {{ publish: {{ deny: {FORBIDDEN} }}, subscribe: {{ deny: {FORBIDDEN} }} }}
  }}]
}}
no_auth_user: tester
"""


class NatsHarness(Harness):
    def __init__(self, server: NatsServer, unique: Callable[[str], str]) -> None:
        self.engine = unique("engine")
        self.account = unique("account")
        self._server = server
        self._topology: Topology | None = None
        self._buses: list[tuple[NatsBus, EventLog]] = []

    async def begin(self) -> None:
        self._topology = await self._server.provision((self.engine,), (self.account,))

    async def bus(self, log: EventLog | None = None) -> Bus:
        kept = log or EventLog()
        bus = await NatsBus.connect(self._server.options("tester"), listener=kept)
        self._buses.append((bus, kept))
        return bus

    async def start_outage(self) -> None:
        self._server.kill()
        await eventually(lambda: all(self._links_down(log) for _, log in self._buses), "every bus notices")

    async def end_outage(self) -> None:
        await asyncio.to_thread(self._server.start)
        await eventually(lambda: all(not self._links_down(log, 1) for _, log in self._buses), "every bus is back")

    async def prune(self, stream: str, first_kept: int) -> None:
        await self._call(f"STREAM.PURGE.{stream}", {"seq": first_kept})

    async def remake(self, stream: str) -> None:
        assert self._topology is not None
        await self._call(f"STREAM.DELETE.{stream}", None)
        spec = next(spec for spec in self._topology.streams if spec.name == stream)
        await self._call(f"STREAM.CREATE.{stream}", stream_configuration(spec))

    async def close(self) -> None:
        for bus, _ in self._buses:
            await bus.close(0.5)
        await asyncio.to_thread(self._server.start)
        for stream in (self.audit_stream, f"CMD_{self.engine}", f"ACCT_{self.account}"):
            await self._call(f"STREAM.DELETE.{stream}", None)
        await self._call("STREAM.PURGE.DLQ", None)

    async def _call(self, operation: str, body: dict[str, object] | None) -> None:
        link = NatsLink("harness", self._server.options("harness"), EventHub())
        await link.open(5)
        await JetStreamApi(link).call(operation, body)
        await link.close(1)

    @staticmethod
    def _links_down(log: EventLog, at_least: int = 3) -> bool:
        """Whether at least so many of a bus's connections are lost and not back; a closed bus reports no more."""
        lost = len(log.of(Disconnected)) - len(log.of(Reconnected))
        return lost >= at_least or not log.of(Connected)


@pytest.fixture(scope="module")
def contract_server() -> Iterator[NatsServer]:
    folder = Path(tempfile.mkdtemp(prefix="tradebus-nats-"))
    server = NatsServer(folder, PERMISSIONS)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
async def harness(contract_server: NatsServer, unique: Callable[[str], str]) -> AsyncIterator[Harness]:
    made = NatsHarness(contract_server, unique)
    await made.begin()
    yield made
    await made.close()


class TestNatsMessages(MessagesContract):
    pass


class TestNatsRequests(RequestsContract):
    pass


class TestNatsJournals(JournalsContract):
    pass


class TestNatsBuckets(BucketsContract):
    pass


class TestNatsLeases(LeasesContract):
    pass


class TestNatsEnding(EndingContract):
    pass
