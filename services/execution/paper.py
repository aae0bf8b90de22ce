"""Simulated accounts: fold the audit journal, follow the account journals, and own a fair share of the accounts."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Final, final

from prometheus_client import Counter, Gauge

from services.execution.account import PaperAccount
from services.execution.owner import AccountOwner
from services.execution.progress import Progress
from services.execution.sharing import AccountSharing
from services.execution.snapshot_files import SnapshotFiles
from services.execution.snapshot_loading import SnapshotLoading
from services.execution.snapshotting import Snapshotting
from services.runtime import Json, Position, Runtime, Service
from services.runtime.lease_locks import LeaseLocks
from services.runtime.order_lines import FILL_TOLD, log_fill
from services.runtime.streams import wait_for_stream
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.event import AccountEvent
from tradebus.journal.verify import AuditVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.paper_snapshot import PaperPlace

_SNAPSHOT_SHARE: Final = 0.15
"""Of the time that a service has for its stop; the journals come after."""


@final
class PaperExecution(Service):
    """One replica of the service: it knows every simulated account, and owns some of them.

    It folds the audit journal, holds what that gives against the account journals, and appends what is missing to
    those that it owns; so nothing is lost or doubled however an owner ended, and a standby has everything at hand.
    """

    def __init__(self, runtime: Runtime, bus: Bus, accounts: Sequence[str], locks: LeaseLocks | None = None) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._accounts: Final = [PaperAccount(name) for name in accounts]
        self._verifier = AuditVerifier()
        self._progress: Final = Progress()
        self._owners: Final = [
            AccountOwner(runtime, bus, account, lambda: self._verifier.position, self._progress, locks)
            for account in self._accounts
        ]
        self._sharing: Final = AccountSharing(runtime, bus, self._owners, self._may_own, self._progress, locks)
        files = SnapshotFiles(runtime.settings.runtime.data_dir / "execution" / runtime.settings.journal_id)
        self._loading: Final = SnapshotLoading(runtime, bus, files)
        self._snapshots: Final = Snapshotting(runtime, bus, files, self._owners, self._accounts, lambda: self._verifier)
        for account in self._accounts:
            account.on_told = partial(self._told, account.name)
        self._reader: JournalReader | None = None
        self._snapshotting: asyncio.Task[None] | None = None
        self._is_caught_up = False
        registry = runtime.metrics.registry
        self._folded: Final = Counter("tradebus_execution_ticks", "Ticks folded", registry=registry)
        self._sequence: Final = Gauge(
            "tradebus_execution_sequence", "Sequence of the last tick folded", registry=registry
        )
        self._events: Final = Counter(
            "tradebus_execution_account_events", "Account events that the fold gave", ["account"], registry=registry
        )
        self._owned: Final = Gauge("tradebus_execution_accounts_owned", "Accounts owned", registry=registry)

    def _told(self, account: str, event: AccountEvent) -> None:
        log_fill(self._runtime.log, FILL_TOLD, event, account=account)

    async def start(self) -> None:
        """Fold what the audit journal holds; return when caught up, and every account has an owner, us or another."""
        audit_stream = subjects.audit_stream(self._runtime.settings.journal_id)
        await wait_for_stream(self._runtime, self._bus, audit_stream)
        for account in self._accounts:
            await wait_for_stream(self._runtime, self._bus, subjects.acct_stream(account.name))
        await self._restore()
        for owner in self._owners:
            await owner.follower.start()
        self._reader = await self._bus.consume(audit_stream, self._verifier.position + 1, self._on_message)
        await self._sharing.start()
        await self._reader.wait_caught_up()
        self._is_caught_up = True
        for account in self._accounts:
            self._runtime.log.info("account caught up", account=account.name, recognised=account.recognised)
        await self._progress.until(self._sharing.is_settled)
        self._snapshotting = self._runtime.spawn(self._snapshots.run(), "snapshots")

    async def stop(self) -> None:
        """Fold nothing more and wait until the journals hold what was folded, or there is no more time to wait."""
        for account in self._accounts:
            account.release()
        if self._reader is not None:
            await self._reader.stop()
        if self._snapshotting is not None:
            self._snapshotting.cancel()
            await asyncio.gather(self._snapshotting, return_exceptions=True)
            if self._runtime.failure is None:
                await self._snapshot_in_time()
        await self._sharing.stop()
        await asyncio.gather(*(owner.follower.stop() for owner in self._owners))
        for account in self._accounts:
            self._runtime.log.info(
                "account left", account=account.name, appended=account.appended, recognised=account.recognised
            )

    async def _restore(self) -> None:
        """Go on from the snapshots there are: each account from its own, the ticks from the earliest of them."""
        places: list[PaperPlace | None] = []
        for owner, account in zip(self._owners, self._accounts, strict=True):
            snapshot = await self._loading.load(account.name)
            places.append(None if snapshot is None else snapshot.place)
            if snapshot is not None:
                account.restore(snapshot)
                owner.follower.begin_at(snapshot.place)
            position = 0 if snapshot is None else snapshot.place.audit_position
            self._runtime.log.info("account restored", account=account.name, audit_position=position)
        found = [place for place in places if place is not None]
        if len(found) < len(places) or not found:
            return
        earliest = min(found, key=lambda place: place.audit_position)
        self._verifier = AuditVerifier(
            position=earliest.audit_position, chain=earliest.audit_chain, sequence=earliest.next_tick - 1
        )
        self._verifier.engine_id = earliest.engine_id
        self._verifier.engine_epoch = earliest.engine_epoch

    async def _snapshot_in_time(self) -> None:
        """Write the last snapshots, if there is time for it."""
        limit_s = self._runtime.settings.runtime.stop_timeout_ms / 1000 * _SNAPSHOT_SHARE
        try:
            async with asyncio.timeout(limit_s):
                await self._snapshots.write_all()
        except TimeoutError:
            self._runtime.log.warning("no time for the last snapshots", limit_s=limit_s)

    def status(self) -> Mapping[str, Json]:
        """Return where each account stands, and who owns it."""
        owners = self._sharing.owners()
        return {
            "sequence": self._verifier.sequence,
            "is_caught_up": self._is_caught_up,
            "accounts": {
                account.name: _status(owner, account, owners)
                for owner, account in zip(self._owners, self._accounts, strict=True)
            },
        }

    def positions(self) -> Sequence[Position]:
        """Return how far each journal that we own is on disk; until we have caught up nobody is to hear of an owner."""
        owned = [owner for owner in self._owners if owner.is_owned]
        self._owned.set(len(owned))
        if not self._is_caught_up:
            return []
        return [Position(subjects.acct(owner.account.name), owner.owner_epoch, owner.position) for owner in owned]

    def leases(self) -> Sequence[str]:
        """Return the keys of the leases of the accounts that this process owns."""
        return [subjects.lease_account(owner.account.name) for owner in self._owners if owner.is_owned]

    def _may_own(self) -> bool:
        """Tell whether to ask for accounts: when caught up, or when only an owner could go on catching up."""
        return self._is_caught_up or any(account.ticks_room.is_full for account in self._accounts)

    def _on_message(self, message: JournalMessage) -> Awaitable[None] | None:
        for owner in self._owners:
            owner.guard()
        ticks = self._verifier.accept(message).ticks
        for account in self._accounts:
            given = account.take_all(ticks)
            if given:
                self._events.labels(account.name).inc(given)
        self._folded.inc(len(ticks))
        self._sequence.set(self._verifier.sequence)
        self._progress.tell()
        return self._wait() if any(account.ticks_room.is_full for account in self._accounts) else None

    async def _wait(self) -> None:
        for account in self._accounts:
            await account.ticks_room.wait()


def _status(owner: AccountOwner, account: PaperAccount, owners: Mapping[str, str]) -> dict[str, Json]:
    exchange = account.fold.exchange
    return {
        "owner": owners.get(account.name, ""),
        "is_owned": owner.is_owned,
        "owner_epoch": owner.owner_epoch,
        "entries": owner.entries,
        "appended": account.appended,
        "recognised": account.recognised,
        "unseen": len(account.unseen),
        "held": len(account.held),
        "open_orders": 0 if exchange is None else len(exchange.open_orders()),
    }
