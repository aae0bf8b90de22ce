"""Own simulated accounts: fold the audit journal, append what falls due to each account's journal."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, final

from prometheus_client import Counter, Gauge

from services.execution.account import PaperAccount
from services.execution.account_journal import AccountJournal, account_end
from services.execution.held import HeldEvents
from services.runtime import Json, Position, Runtime, Service
from services.runtime.journal_writing import JournalWriting
from services.runtime.streams import wait_for_stream
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.journal.verify import AuditVerifier
from tradebus.wire import subjects


@final
class PaperExecution(Service):
    """The owner of the configured simulated accounts.

    At its start it folds the audit journal from the beginning, recognises what the account journals hold already, and
    appends the rest; so nothing is lost or doubled however it ended before.
    """

    def __init__(self, runtime: Runtime, bus: Bus, accounts: Sequence[str]) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._names: Final = accounts
        self._accounts: Final[list[PaperAccount]] = []
        self._writing: Final[list[JournalWriting]] = []
        self._verifier: Final = AuditVerifier()
        self._reader: JournalReader | None = None
        self._is_caught_up = False
        self._is_stopping = False
        registry = runtime.metrics.registry
        self._folded: Final = Counter("tradebus_execution_ticks", "Ticks folded", registry=registry)
        self._sequence: Final = Gauge(
            "tradebus_execution_sequence", "Sequence of the last tick folded", registry=registry
        )
        self._events: Final = Counter(
            "tradebus_execution_account_events", "Account events appended", ["account"], registry=registry
        )

    async def start(self) -> None:
        """Take the accounts and fold everything that the audit journal holds; return when caught up."""
        audit_stream = subjects.audit_stream(self._runtime.settings.journal_id)
        await wait_for_stream(self._runtime, self._bus, audit_stream)
        for name in self._names:
            await self._take_account(name)
        self._reader = await self._bus.consume(audit_stream, 1, self._on_message)
        await self._reader.wait_caught_up()
        for account in self._accounts:
            await account.caught_up()
            self._runtime.log.info(
                "account caught up", account=account.name, recognised=account.recognised, appended=account.appended
            )
        self._is_caught_up = True

    async def stop(self) -> None:
        """Fold nothing more and wait until the journals hold what was folded, or there is no more time to wait."""
        self._is_stopping = True
        for account in self._accounts:
            account.journal.pressure.release()
            await account.held.stop()
        if self._reader is not None:
            await self._reader.stop()
        await asyncio.gather(*(writing.finish() for writing in self._writing))
        for account in self._accounts:
            self._runtime.log.info(
                "account left", account=account.name, appended=account.appended, recognised=account.recognised
            )

    def status(self) -> Mapping[str, Json]:
        """Return where each account stands."""
        return {
            "sequence": self._verifier.sequence,
            "accounts": {account.name: account.status() for account in self._accounts},
        }

    def positions(self) -> Sequence[Position]:
        """Return how far each account's journal is on disk; until we have caught up nobody is to hear of an owner."""
        if not self._is_caught_up:
            return []
        return [
            Position(subjects.acct(account.name), account.journal.owner_epoch, account.journal.writer.position)
            for account in self._accounts
            if account.journal.is_owned
        ]

    def leases(self) -> Sequence[str]:
        """Return the accounts that this process owns."""
        return [account.name for account in self._accounts if account.journal.is_owned]

    async def _take_account(self, name: str) -> None:
        await wait_for_stream(self._runtime, self._bus, subjects.acct_stream(name))
        end = await account_end(self._bus, name)
        fingerprint = self._runtime.settings.indexed_instruments().fingerprint()
        journal = AccountJournal(self._bus, name, self._runtime.instance, fingerprint, end)
        account = PaperAccount(name, journal, HeldEvents(self._bus, name, end))
        self._accounts.append(account)
        writing = JournalWriting(
            self._runtime, f"journal of {name}", journal.writer, lambda: journal.pending, journal.pressure
        )
        self._writing.append(writing)
        journal.take_ownership(0)
        writing.start()
        await account.held.start()
        self._runtime.log.info("account taken", account=name, owner_epoch=journal.owner_epoch, entries=end.entry + 1)

    def _on_message(self, message: JournalMessage) -> Awaitable[None] | None:
        ticks = self._verifier.accept(message).ticks
        if not all(account.held.is_done for account in self._accounts):
            return self._take_catching_up(ticks)
        for tick in ticks:
            for account in self._accounts:
                self._count(account, account.take(tick))
        return self._note(ticks)

    async def _take_catching_up(self, ticks: Sequence[AuditTick]) -> None:
        for tick in ticks:
            for account in self._accounts:
                self._count(account, await account.take_catching_up(tick))
                if self._is_stopping:
                    return
        waiting = self._note(ticks)
        if waiting is not None:
            await waiting

    def _note(self, ticks: Sequence[AuditTick]) -> Awaitable[None] | None:
        self._folded.inc(len(ticks))
        self._sequence.set(self._verifier.sequence)
        if any(account.journal.is_behind for account in self._accounts):
            return self._wait()
        return None

    def _count(self, account: PaperAccount, new: int) -> None:
        if new:
            self._events.labels(account.name).inc(new)

    async def _wait(self) -> None:
        for account in self._accounts:
            await account.journal.pressure.wait()
