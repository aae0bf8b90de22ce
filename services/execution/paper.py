"""Own simulated accounts: fold the audit journal, append what falls due to each account's journal."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, final

from prometheus_client import Counter, Gauge

from services.execution.account_journal import AccountJournal, read_account_journal
from services.execution.fold import PaperFold
from services.runtime import Json, Position, Runtime, Service
from services.runtime.streams import wait_for_stream
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import EngineStarted
from tradebus.journal.verify import AuditVerifier
from tradebus.wire import subjects


class _Account:
    """One account: its fold and its journal."""

    def __init__(self, fold: PaperFold, journal: AccountJournal) -> None:
        self.fold: Final = fold
        self.journal: Final = journal
        self.appended = 0


@final
class PaperExecution(Service):
    """The owner of the configured simulated accounts.

    At its start it reads each account's journal, folds the audit journal from the beginning, recognises what is
    journaled already, and appends the rest; so nothing is lost or doubled however it ended before.
    """

    def __init__(self, runtime: Runtime, bus: Bus, accounts: Sequence[str]) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._names: Final = accounts
        self._accounts: Final[list[_Account]] = []
        self._verifier: Final = AuditVerifier()
        self._reader: JournalReader | None = None
        self._writing: Final[list[asyncio.Task[None]]] = []
        self._folded: Final = Counter("tradebus_execution_ticks", "Ticks folded", registry=runtime.metrics.registry)
        self._sequence: Final = Gauge(
            "tradebus_execution_sequence", "Sequence of the last tick folded", registry=runtime.metrics.registry
        )
        self._events: Final = Counter(
            "tradebus_execution_account_events",
            "Account events appended",
            ["account"],
            registry=runtime.metrics.registry,
        )

    async def start(self) -> None:
        """Take the accounts and fold everything that the audit journal holds; return when caught up."""
        audit_stream = subjects.audit_stream(self._runtime.settings.journal_id)
        await wait_for_stream(self._runtime, self._bus, audit_stream)
        fingerprint = self._runtime.settings.indexed_instruments().fingerprint()
        for name in self._names:
            await wait_for_stream(self._runtime, self._bus, subjects.acct_stream(name))
            content = await read_account_journal(self._bus, name)
            fold = PaperFold(name)
            for event in content.events:
                fold.expect(event)
            journal = AccountJournal(self._bus, name, self._runtime.instance, fingerprint, content)
            journal.take_ownership(0)
            self._accounts.append(_Account(fold, journal))
            self._writing.append(self._runtime.spawn(journal.writer.run(), f"journal of {name}"))
            self._runtime.log.info(
                "account taken", account=name, owner_epoch=journal.owner_epoch, journaled=len(content.events)
            )
        self._reader = await self._bus.consume(audit_stream, 1, self._on_message)
        await self._reader.wait_caught_up()

    async def stop(self) -> None:
        """Fold nothing more and wait until the journals hold what was folded."""
        if self._reader is not None:
            await self._reader.stop()
        for account in self._accounts:
            account.journal.writer.close()
        await asyncio.gather(*self._writing, return_exceptions=True)
        for account in self._accounts:
            self._runtime.log.info(
                "account left",
                account=account.fold.account,
                appended=account.appended,
                recognised=account.fold.recognised,
            )

    def status(self) -> Mapping[str, Json]:
        """Return where each account stands."""
        return {
            "sequence": self._verifier.sequence,
            "accounts": {account.fold.account: _status(account) for account in self._accounts},
        }

    def positions(self) -> Sequence[Position]:
        """Return how far each account's journal is on disk."""
        return [
            Position(subjects.acct(account.fold.account), account.journal.owner_epoch, account.journal.writer.position)
            for account in self._accounts
            if account.journal.writer.position
        ]

    def leases(self) -> Sequence[str]:
        """Return the accounts that this process owns."""
        return [account.fold.account for account in self._accounts]

    def _on_message(self, message: JournalMessage) -> Awaitable[None] | None:
        batch = self._verifier.accept(message)
        for tick in batch.ticks:
            self._fold(tick)
        self._folded.inc(len(batch.ticks))
        self._sequence.set(self._verifier.sequence)
        if any(account.journal.is_behind for account in self._accounts):
            return self._wait()
        return None

    def _fold(self, tick: AuditTick) -> None:
        event = tick.event
        for account in self._accounts:
            account.fold.fold(tick)
            if isinstance(event, EngineStarted):
                account.journal.use_index(event.index.fingerprint())
            new = account.fold.take_new()
            for due in new:
                account.journal.add(due, tick.time_ns, tick.sequence + 1)
            if new:
                account.appended += len(new)
                self._events.labels(account.fold.account).inc(len(new))

    async def _wait(self) -> None:
        for account in self._accounts:
            await account.journal.wait_ready()


def _status(account: _Account) -> Mapping[str, Json]:
    exchange = account.fold.exchange
    return {
        "owner_epoch": account.journal.owner_epoch,
        "entries": account.journal.durable_entries,
        "appended": account.appended,
        "recognised": account.fold.recognised,
        "is_catching_up": account.fold.is_catching_up,
        "open_orders": 0 if exchange is None else len(exchange.open_orders()),
    }
