"""The memory bus keeps the bus contract."""

import itertools
from collections.abc import AsyncIterator

import pytest

from tests.conformance.bus.buckets_contract import BucketsContract
from tests.conformance.bus.ending_contract import EndingContract
from tests.conformance.bus.harness import Harness
from tests.conformance.bus.journals_contract import JournalsContract
from tests.conformance.bus.leases_contract import LeasesContract
from tests.conformance.bus.messages_contract import MessagesContract
from tests.conformance.bus.requests_contract import RequestsContract
from tests.support.bus_events import EventLog
from tests.support.nats_server import TEST_SIZES
from tradebus.bus.interface import Bus
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology

_numbers = itertools.count(1)


class MemoryHarness(Harness):
    def __init__(self) -> None:
        self.engine = f"engine-{next(_numbers)}"
        self.account = f"account-{next(_numbers)}"
        self._broker = MemoryBroker()
        self._broker.provision(topology([self.engine], [self.account], TEST_SIZES))
        for pattern in (f"md.{self.forbidden}.>", f"exec.{self.forbidden}", f"audit.{self.forbidden}"):
            self._broker.deny(pattern)
        self._buses: list[MemoryBus] = []

    async def bus(self, log: EventLog | None = None) -> Bus:
        self._buses.append(MemoryBus(self._broker, listener=log))
        return self._buses[-1]

    async def start_outage(self) -> None:
        self._broker.start_outage()

    async def end_outage(self) -> None:
        self._broker.end_outage()

    async def prune(self, stream: str, first_kept: int) -> None:
        self._broker.prune(stream, first_kept)

    async def remake(self, stream: str) -> None:
        self._broker.rewind(stream, 0)

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close(0.5)


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    made = MemoryHarness()
    yield made
    await made.close()


class TestMemoryMessages(MessagesContract):
    pass


class TestMemoryRequests(RequestsContract):
    pass


class TestMemoryJournals(JournalsContract):
    pass


class TestMemoryBuckets(BucketsContract):
    pass


class TestMemoryLeases(LeasesContract):
    pass


class TestMemoryEnding(EndingContract):
    pass
