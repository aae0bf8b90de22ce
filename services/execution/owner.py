"""Own one account while its lease is ours: take it with a record, append, and step back when another one did."""

import asyncio
from collections.abc import Callable
from typing import Final, final

from services.execution.account_journal import AccountEnd, AccountJournal, account_end
from services.execution.following import AccountFollower
from services.execution.owned import OwnedAccount
from services.execution.progress import Progress
from services.runtime import Runtime
from services.runtime.journal_writing import JournalWriting
from services.runtime.lease_locks import LeaseLocks, leased
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.interface import Bus
from tradebus.bus.leases import ASK_PERIOD_S
from tradebus.journal.writer import Fenced
from tradebus.wire import subjects


@final
class AccountOwner:
    """What this process has to do with the ownership of one account.

    The lease says whether to try. The record that takes the account is what makes us its owner: it is fenced by the end
    of the journal that we know, and every later append by what we appended before, so that of two who try, one after a
    pause for instance, only the one writes who took it last. Who finds itself fenced steps back, and takes the account
    again only while its lease stands.

    ``folded`` tells up to which message of the audit journal the ticks are folded.
    """

    def __init__(
        self,
        runtime: Runtime,
        bus: Bus,
        account: OwnedAccount,
        folded: Callable[[], int],
        progress: Progress,
        locks: LeaseLocks | None = None,
    ) -> None:
        self.account: Final = account
        self.follower: Final = AccountFollower(bus, account, progress.tell)
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._folded: Final = folded
        self._progress: Final = progress
        self._lease: Final = leased(bus, subjects.lease_account(account.name), runtime.instance, self._on_lost, locks)
        self._journal: AccountJournal | None = None
        self._writing: JournalWriting | None = None
        self._owning: asyncio.Task[None] | None = None
        self._is_leaving = False
        self._is_left = False
        self._is_fenced = False

    @property
    def is_held(self) -> bool:
        """Tell whether the account is ours to try."""
        return self._lease.is_held

    @property
    def is_owned(self) -> bool:
        """Tell whether the account is ours: the lease stands and the record that takes it is on disk."""
        return self._lease.is_held and self._journal is not None and self._journal.is_owned

    @property
    def owner_epoch(self) -> int:
        """Return the epoch of our ownership, 0 while there is none."""
        return 0 if self._journal is None else self._journal.owner_epoch

    @property
    def position(self) -> int:
        """Return the last message of the journal that is known to be on disk."""
        return self.follower.position if self._journal is None else self._journal.writer.position

    @property
    def entries(self) -> int:
        """Return how many entries the journal is known to hold."""
        return self.follower.entry + 1 if self._journal is None else self._journal.durable_entries

    async def ask(self) -> bool:
        """Ask for the lease, and begin to take the account if it is ours now. Raises BusUnavailable, NoBucket."""
        if self._is_leaving or not await self._lease.acquire():
            return False
        if self._owning is None or self._owning.done():
            self._owning = self._runtime.spawn(self._own(), f"ownership of {self.account.name}")
        return True

    async def leave(self) -> None:
        """Give the account up in order: write what is there, then let the next one have it."""
        self._is_leaving = True
        self._progress.tell()
        writing = self._writing
        if writing is not None:
            self.account.close()
            await writing.finish()
        self._is_left = True
        self._progress.tell()
        if self._owning is not None:
            await asyncio.wait({self._owning})
        await self._lease.release()
        self._is_leaving = self._is_left = False

    def guard(self) -> None:
        """Step back if the lease is over, before anything is put into the journal: we may have been paused."""
        if self._journal is not None and not self._lease.is_held:
            self._step_back()

    async def _own(self) -> None:
        """Take the account, stay its owner, and take it again after a fence, while the lease is ours."""
        while self._wants():
            journal = await self._take()
            if journal is None:
                continue
            await self._progress.until(lambda: self._is_fenced or self._is_left or not self._lease.is_held)
            self._step_back()
            writing, self._writing = self._writing, None
            if writing is not None:
                await writing.abandon()

    def _wants(self) -> bool:
        return self._lease.is_held and not self._is_leaving and not self._runtime.stopping.is_set()

    async def _take(self) -> AccountJournal | None:
        """Record that we own the account; return its journal, none if that could not be tried."""
        name = self.account.name
        try:
            end = await account_end(self._bus, name)
            ticks = await self._bus.journal_state(subjects.audit_stream(self._runtime.settings.journal_id))
        except BusUnavailable as error:
            if not error.recoverable:
                raise
            await asyncio.sleep(ASK_PERIOD_S)
            return None
        await self._progress.until(lambda: self._is_explained(end, ticks.last_sequence) or not self._wants())
        if not self._wants():
            return None
        self.account.check_explained(end.position)
        if self.follower.position != end.position:
            return None  # somebody appended meanwhile: look again
        fingerprint = self.account.fingerprint or self._runtime.settings.indexed_instruments().fingerprint()
        journal = AccountJournal(self._bus, name, self._runtime.instance, fingerprint, end, self._progress.tell)
        writing = JournalWriting(self._runtime, f"journal of {name}", journal.writer, lambda: journal.pending)
        journal.take_ownership(0)
        self._is_fenced = False
        self._journal, self._writing = journal, writing
        self.account.open(journal)
        writing.start(self._on_fenced)
        self._runtime.log.info("account taken", account=name, owner_epoch=journal.owner_epoch, entries=end.entry + 1)
        return journal

    def _is_explained(self, end: AccountEnd, ticks: int) -> bool:
        """Tell whether we have read the journal to its end, and folded what explains it, or all there is."""
        if self.follower.position < end.position:
            return False
        return not self.account.hold_until(end.position) or self._folded() >= ticks

    def _step_back(self) -> None:
        """Put nothing more into the journal. What was not seen in it is the next owner's to append."""
        self.account.close()
        self._journal = None
        self._progress.tell()

    def _on_fenced(self, error: Fenced) -> None:
        self._runtime.log.warning("account taken by another", account=self.account.name, reason=str(error))
        self._is_fenced = True
        self._step_back()

    def _on_lost(self, reason: str) -> None:
        self._runtime.log.warning("lease lost", account=self.account.name, reason=reason)
        self._step_back()
