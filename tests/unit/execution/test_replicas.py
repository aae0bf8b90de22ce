"""Several replicas on one memory bus: shares are even, they move, and nothing is lost or doubled on the way."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

import pytest

from services.execution import owner, sharing
from services.runtime import journal_writing
from tests.support.audit_run import EngineRun, append_all
from tests.support.engine_service import on_memory
from tests.support.execution_service import (
    ACCOUNTS,
    RunningExecution,
    events_of,
    journaled,
    owners,
    read_account,
    running_execution,
)
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "ASK_PERIOD_S", 0.01)
    monkeypatch.setattr(owner, "ASK_PERIOD_S", 0.01)
    monkeypatch.setattr(journal_writing, "LOOK_PERIOD_S", 0.005)


class Replicas:
    """Replicas by name, and an engine that writes its journal a part at a time."""

    def __init__(self, broker: MemoryBroker, bus: MemoryBus, run: EngineRun) -> None:
        self._broker = broker
        self.bus = bus
        self.run = run
        self._batches = run.batches()
        self._written = 0
        self.running: dict[str, RunningExecution] = {}
        self._stacks: dict[str, AsyncExitStack] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in list(self._stacks):
            await self.leaves(name)

    async def joins(self, name: str, *, is_stopped: bool = True) -> RunningExecution:
        """Start a replica; with ``is_stopped`` false it will leave as if it were killed."""
        stack = self._stacks[name] = AsyncExitStack()
        service = running_execution(on_memory(self._broker), instance=name, is_stopped=is_stopped)
        self.running[name] = await stack.enter_async_context(service)
        return self.running[name]

    async def leaves(self, name: str) -> None:
        del self.running[name]
        await self._stacks.pop(name).aclose()

    async def writes(self, count: int | None = None) -> None:
        end = len(self._batches) if count is None else self._written + count
        await append_all(self.bus, "demo", self._batches[self._written : end], self._written)
        self._written = end

    def owned(self) -> dict[str, list[str]]:
        """Return the accounts that each replica says it owns."""
        return {
            name: [account for account in ACCOUNTS if execution.account(account)["is_owned"]]
            for name, execution in self.running.items()
        }

    def shares(self) -> list[int]:
        return sorted(len(accounts) for accounts in self.owned().values())

    async def settled(self, *shares: int) -> None:
        await eventually(lambda: self.shares() == list(shares), f"shares {shares}, found {self.owned()}")

    async def check(self) -> None:
        """Check that each journal ends with the run's events once and in order, each written by its epoch's owner."""
        last = self._batches[-1].last
        await eventually(lambda: all(each.sequence == last for each in self.running.values()))
        for account in ACCOUNTS:
            await eventually(self._is_told(account), f"everything of {account} is journaled")
            found = await journaled(self.bus, account)
            assert found == events_of(self.run, account)[: len(found)]
            assert len(found) >= len(events_of(self.run, account)) - 8, "but for what is on its way at the end"
            taken = {epoch: name for name, epoch in await owners(self.bus, account)}
            for batch in await read_account(self.bus, account):
                assert taken[batch.head.owner_epoch] == batch.head.owner

    def _is_told(self, account: str) -> Callable[[], bool]:
        return lambda: all(
            each.account(account)["unseen"] == 0 and each.account(account)["held"] == 0
            for each in self.running.values()
        )


@pytest.fixture
def replicas(broker: MemoryBroker, other_bus: MemoryBus, run: EngineRun) -> Replicas:
    return Replicas(broker, other_bus, run)


async def test_of_three_replicas_two_own_an_account_each_and_one_stands_by(replicas: Replicas) -> None:
    async with replicas:
        await replicas.writes(30)
        for name in ("a", "b", "c"):
            await replicas.joins(name)
        await replicas.settled(0, 1, 1)
        assert all(execution.is_ready for execution in replicas.running.values()), "a standby is ready"
        standby = next(name for name, accounts in replicas.owned().items() if not accounts)
        assert replicas.running[standby].service.positions() == []
        assert replicas.running[standby].service.leases() == []
        owned = {owner for owner, accounts in replicas.owned().items() if accounts}
        assert {replicas.running[standby].account(account)["owner"] for account in ACCOUNTS} == owned
        await replicas.writes()
        await replicas.check()


async def test_shares_move_while_replicas_come_and_go_under_load(replicas: Replicas) -> None:
    async with replicas:
        await replicas.joins("a")
        await replicas.settled(2)
        await replicas.writes(20)
        await replicas.joins("b")
        await replicas.settled(1, 1)
        await replicas.writes(20)
        await replicas.joins("c", is_stopped=False)
        await replicas.leaves("a")
        await replicas.settled(1, 1)
        await replicas.writes(20)
        await replicas.leaves("b")
        await replicas.settled(2)
        await replicas.writes(20)
        await replicas.joins("d")
        await replicas.leaves("c")
        await replicas.settled(2)
        await replicas.writes()
        await replicas.check()


async def test_a_standby_takes_over_what_a_killed_owner_left(replicas: Replicas) -> None:
    async with replicas:
        await replicas.joins("a", is_stopped=False)
        await replicas.joins("b")
        await replicas.settled(1, 1)
        await replicas.writes(40)
        await replicas.leaves("a")
        await replicas.settled(2)
        await replicas.writes()
        await replicas.check()


async def test_an_owner_whose_lease_is_over_appends_nothing_more(replicas: Replicas) -> None:
    """As after a pause: its clock says that the time is over, and it has ticks to fold."""
    async with replicas:
        first = await replicas.joins("a")
        await replicas.settled(2)
        await replicas.writes(20)
        epochs = {account: first.account(account)["owner_epoch"] for account in ACCOUNTS}
        for account in first.service._owners:
            account._lease._expires_s = 0.0
        await replicas.writes()
        await eventually(lambda: all(first.account(name)["owner_epoch"] > epoch for name, epoch in epochs.items()))
        await replicas.check()


async def test_a_second_process_of_one_name_owns_nothing(replicas: Replicas, broker: MemoryBroker) -> None:
    async with replicas:
        await replicas.joins("a")
        second = running_execution(on_memory(broker), instance="a")
        starting = asyncio.create_task(second.__aenter__())
        await replicas.writes()
        await replicas.check()
        assert not starting.done()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        for account in ACCOUNTS:
            assert [name for name, _ in await owners(replicas.bus, account)] == ["a"]
