"""The execution service within a test: on any bus, following the journal of ``tests.support.audit_run``."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.execution.paper import PaperExecution
from services.runtime import Runtime
from tests.support.audit_run import EngineRun
from tests.support.builders import ALPHA, BETA
from tests.support.engine_service import Connect, engine_settings
from tests.support.waiting import eventually
from tradebus.bus.interface import Bus
from tradebus.bus.leases import holder_of
from tradebus.config import Settings
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.journal.verify import AccountVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import AccountBatch, AccountEntry, Ownership
from tradebus.wire.codec.bounds import UNBOUNDED

EXCHANGES: dict[str, ExchangeIndex] = {"alpha-paper": ALPHA, "beta-paper": BETA}
ACCOUNTS = tuple(EXCHANGES)


class RunningExecution:
    """The execution service, started."""

    def __init__(self, runtime: Runtime, service: PaperExecution, bus: Bus) -> None:
        self.runtime = runtime
        self.service = service
        self.bus = bus

    @property
    def reasons(self) -> dict[str, str]:
        return self.runtime.health.report().reasons

    @property
    def is_ready(self) -> bool:
        return self.runtime.health.report().ready

    @property
    def sequence(self) -> int:
        """The last tick folded."""
        return int(self.service._verifier.sequence)

    def account(self, name: str) -> dict[str, Any]:
        """Return what the service says of an account."""
        accounts: Any = self.service.status()["accounts"]
        return dict(accounts[name])


@asynccontextmanager
async def running_execution(
    connect: Connect,
    *,
    accounts: Sequence[str] = ACCOUNTS,
    instance: str = "execution-1",
    settings: Settings | None = None,
    is_stopped: bool = True,
    folder: Path | None = None,
) -> AsyncIterator[RunningExecution]:
    """Run the service; with ``is_stopped`` false it is left as if it were killed.

    ``folder`` is its volume; without one it gets an empty one that nobody sees afterwards.
    """
    volume = Path(tempfile.mkdtemp(prefix="tradebus-execution-"))
    used = settings or engine_settings()
    own = used.runtime.model_copy(update={"data_dir": folder or volume})
    runtime = Runtime("execution", instance, used.model_copy(update={"runtime": own}))
    try:
        async with _running(runtime, connect, accounts, is_stopped=is_stopped) as execution:
            yield execution
    finally:
        await eventually(lambda: _is_removed(volume), "nobody writes to the volume any more")


def _is_removed(folder: Path) -> bool:
    """Remove a folder; false while a thread, which would have died with its process, still writes into it."""
    try:
        shutil.rmtree(folder)
    except OSError:
        return False
    return True


@asynccontextmanager
async def _running(
    runtime: Runtime, connect: Connect, accounts: Sequence[str], *, is_stopped: bool
) -> AsyncIterator[RunningExecution]:
    try:
        bus = await runtime.connect(connect)
        service = PaperExecution(runtime, bus, accounts)
        runtime.on_exit(lambda: _let_go(service))
        try:
            await _start(runtime, service)
            runtime.health.started()
            yield RunningExecution(runtime, service, bus)
        finally:
            if is_stopped:
                await service.stop()
    finally:
        await runtime.close()
        if not is_stopped:
            await expire_leases(connect, runtime.instance)


async def _let_go(service: PaperExecution) -> None:
    """Let handlers end that wait for room, so that a bus need not wait for those of a service that was killed."""
    for account in service._accounts:
        account.release()


class Ended(Exception):
    """The service failed while it started; the message says why."""


async def _start(runtime: Runtime, service: PaperExecution) -> None:
    """Start the service as the process does: a failure ends the start."""
    starting = asyncio.create_task(service.start())
    stopping = asyncio.create_task(runtime.stopping.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not starting.done():
            starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    if starting.cancelled():
        raise Ended(runtime.failure)
    if error := starting.exception():
        raise Ended(repr(error)) from error


async def expire_leases(connect: Connect, instance: str) -> None:
    """Let the time pass at which the leases of a process that was killed are over, without waiting for it."""
    bus = await connect(lambda _: None)
    bucket = bus.bucket(subjects.LEASES)
    held: list[str] = []
    watch = await bucket.watch(lambda entry: held.append(entry.key) if holder_of(entry) == instance else None)
    await watch.unsubscribe()
    for key in held:
        await bucket.delete(key)
    await bus.close(0.5)


def told_by(ticks: Iterable[AuditTick], account: str) -> list[AccountEvent]:
    """Return the account events that the ticks of a run in virtual time hold themselves: what a fold must give."""
    exchange = EXCHANGES[account]
    return [tick.event for tick in ticks if isinstance(tick.event, AccountEvent) and tick.event.exchange == exchange]


def events_of(run: EngineRun, account: str) -> list[AccountEvent]:
    return told_by(run.ticks, account)


async def read_account(bus: Bus, account: str) -> list[AccountBatch]:
    """Return every batch of an account's journal, verified."""
    verifier = AccountVerifier(UNBOUNDED)
    stream = subjects.acct_stream(account)
    batches: list[AccountBatch] = []
    for sequence in range(1, (await bus.journal_state(stream)).last_sequence + 1):
        message = await bus.message(stream, sequence)
        assert message is not None, f"{stream}: message {sequence} is missing"
        batches.append(verifier.accept(message))
    return batches


async def journaled(bus: Bus, account: str) -> list[AccountEvent]:
    """Return the account events in an account's journal, in order."""
    return [entry.record for entry in await entries(bus, account) if isinstance(entry.record, AccountEvent)]


async def owners(bus: Bus, account: str) -> list[tuple[str, int]]:
    """Return who took an account, in order, with their epochs."""
    records = [entry.record for entry in await entries(bus, account)]
    return [(record.owner, record.owner_epoch) for record in records if isinstance(record, Ownership)]


async def entries(bus: Bus, account: str) -> list[AccountEntry]:
    return [entry for batch in await read_account(bus, account) for entry in batch.entries]
