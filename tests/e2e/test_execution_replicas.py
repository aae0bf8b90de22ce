"""Run the demo with three execution processes, kill and pause owners: accounts move, no fill is lost or doubled."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.demo import Demo, running
from tests.support.execution_replicas import Replica, replicas
from tests.support.system import until
from tradebus.bus.message import JournalMessage
from tradebus.journal.verify import AccountVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import Ownership
from tradebus.wire.codec.bounds import UNBOUNDED

pytestmark = pytest.mark.timeout(400)

MOVED_S = 10.0
"""An account moves from an owner that died or hangs within this time."""


class Watched:
    """Everybody who may own an account, the demo's own process included."""

    def __init__(self, demo: Demo, more: list[Replica]) -> None:
        self._demo = demo
        self.more = {replica.name: replica for replica in more}
        self.accounts = [demo.settings.account(exchange) for exchange in demo.settings.exchanges]

    async def owners(self) -> Mapping[str, list[str]]:
        """Return the accounts that each process says it owns."""
        first = (await self._demo.data("execution")).get("accounts", {})
        owned = {"first": [name for name, account in first.items() if account["is_owned"]]}
        for name, replica in self.more.items():
            owned[name] = await replica.owned()
        return owned

    async def settled(self, *shares: int) -> Mapping[str, list[str]]:
        """Wait until the processes own so many accounts each, each account once; return who owns what."""

        async def fair() -> Mapping[str, list[str]]:
            owned = await self.owners()
            everything = sorted(account for accounts in owned.values() for account in accounts)
            is_fair = sorted(len(accounts) for accounts in owned.values()) == list(shares)
            return owned if is_fair and everything == sorted(self.accounts) else {}

        found: Mapping[str, list[str]] = await until(fair, f"shares {shares}")
        return found

    async def moved(self, account: str, away_from: str) -> float:
        """Wait until another process owns an account; return how long that took, in seconds."""
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def elsewhere() -> bool:
            return any(account in owned for name, owned in (await self.owners()).items() if name != away_from)

        await until(elsewhere, f"{account} moves away from {away_from}", MOVED_S)
        return loop.time() - began


async def journal_owners(demo: Demo, account: str) -> list[tuple[str, int, int]]:
    """Return who took an account, under which epoch, and how many batches each wrote, in order; verified.

    The verification ends at a batch of an earlier epoch: one that was written by an owner that had been replaced.
    """
    verifier = AccountVerifier(UNBOUNDED)
    found: list[tuple[str, int, int]] = []

    def take(message: JournalMessage) -> None:
        batch = verifier.accept(message)
        if isinstance(batch.entries[0].record, Ownership):
            found.append((batch.head.owner, batch.head.owner_epoch, 0))
        owner, epoch, count = found.pop()
        assert (owner, epoch) == (batch.head.owner, batch.head.owner_epoch)
        found.append((owner, epoch, count + 1))

    reader = await demo.bus.consume(subjects.acct_stream(account), 1, take)
    try:
        await reader.wait_caught_up()
    finally:
        await reader.stop()
    return found


async def test_killed_and_paused_owners_are_followed_and_no_fill_is_lost_or_doubled(tmp_path: Path) -> None:
    async with running(tmp_path / "demo") as demo, replicas(demo, tmp_path, "second", "third") as more:
        await demo.wait_connected()
        watched = Watched(demo, more)
        owned = await watched.settled(0, 1, 1)
        await demo.wait_fills(3)

        # Kill an owner; the standby takes its account.
        killed = next(replica for replica in more if owned[replica.name])
        account = owned[killed.name][0]
        await killed.kill()
        times = {"killed": await watched.moved(account, killed.name)}
        del watched.more[killed.name]
        owned = await watched.settled(1, 1)
        await demo.wait_fills(3)

        # Pause the other one for longer than its lease, and let it go on while it still has ticks to fold.
        paused = watched.more[next(iter(watched.more))]
        account = owned[paused.name][0]
        paused.pause()
        times["paused"] = await watched.moved(account, paused.name)
        await demo.wait_fills(3)
        paused.resume()
        await until(paused.is_ready, "who was paused is ready again")
        await watched.settled(1, 1)
        await demo.wait_fills(3)

        # Stop the first in order; it gives up what it owns at once.
        pid = demo.supervisor.pid("execution")
        assert pid is not None
        await demo.supervisor.kill("execution", signal.SIGTERM)
        await watched.settled(0, 2)
        await demo.wait_fills(3)

        await demo.at_rest()
        causes = await demo.check_accounts()
        assert sum(len(found) for found in causes.values()) >= 15
        await demo.check_journal()
        for name in watched.accounts:
            taken = await journal_owners(demo, name)
            assert len(taken) >= 2, f"{name} never moved: {taken}"
            assert len({epoch for _, epoch, _ in taken}) == len(taken)
        print({what: f"moved after {took_s:.1f} s" for what, took_s in times.items()})
