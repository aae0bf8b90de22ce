"""Write snapshots of the accounts that are ours, and say in the bucket ``positions`` what nobody needs any more."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, final

from prometheus_client import Gauge

from services.execution.account import PaperAccount
from services.execution.owner import AccountOwner
from services.execution.snapshot_files import SnapshotFiles
from services.execution.stored import SnapshotUnreadable, read_stored, stored
from services.runtime import Runtime
from tradebus.bus.errors import BusError, WrongRevision
from tradebus.bus.interface import Bus
from tradebus.journal.positions import JournalMark, publish_positions
from tradebus.journal.verify import AuditVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.paper_snapshot import PaperPlace, PaperSnapshot

SNAPSHOT_PERIOD_S: Final = 10.0


class NotOwned(Exception):
    """The account was ours when the snapshot was begun, and is no more."""


@final
class Snapshotting:
    """Writes each owned account's snapshot when something has happened since the last.

    A snapshot goes to a file, which is fsynced, and into the bucket; it is read back from there and proven by its hash
    before the positions say that the journals behind it are dispensable. ``verifier`` is that of the ticks folded.
    """

    def __init__(
        self,
        runtime: Runtime,
        bus: Bus,
        files: SnapshotFiles,
        owners: Sequence[AccountOwner],
        accounts: Sequence[PaperAccount],
        verifier: Callable[[], AuditVerifier],
    ) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._files: Final = files
        self._owners: Final = owners
        self._accounts: Final = {account.name: account for account in accounts}
        self._verifier: Final = verifier
        # By account: how far its newest snapshot reads the audit journal, and its own.
        self._written: Final[dict[str, tuple[int, int]]] = {}
        self._position: Final = Gauge(
            "tradebus_execution_snapshot_position",
            "Audit stream position of the newest snapshot of an account that was proven",
            ["account"],
            registry=runtime.metrics.registry,
        )

    async def run(self) -> None:
        """Write snapshots for ever."""
        while True:
            await asyncio.sleep(SNAPSHOT_PERIOD_S)
            await self.write_all()

    async def write_all(self) -> None:
        """Write a snapshot of each account that is ours and has moved; what goes wrong is told, and tried again."""
        for owner in self._owners:
            name = owner.account.name
            trouble = f"snapshot of {name}"
            if not owner.is_owned:
                self._runtime.health.clear(trouble)  # it is its next owner's to keep
                continue
            if self._written.get(name) == (self._verifier().position, owner.follower.position):
                continue
            try:
                self._written[name] = await self._write(owner)
            except (NotOwned, WrongRevision) as error:
                self._runtime.log.info("snapshot left to another owner", account=name, reason=str(error))
            except (OSError, BusError, SnapshotUnreadable) as error:
                self._runtime.health.trouble(trouble, f"the snapshot of {name} cannot be kept: {error}")
            else:
                self._runtime.health.clear(trouble)
                self._position.labels(name).set(self._written[name][0])

    async def _write(self, owner: AccountOwner) -> tuple[int, int]:
        snapshot = self.taken(owner)
        name, place = snapshot.account, snapshot.place
        kept = await asyncio.to_thread(stored, snapshot)
        await asyncio.to_thread(self._files.write, name, place.audit_position, kept)
        bucket, key = self._bus.bucket(subjects.SNAPSHOTS), subjects.paper_snapshot(name)
        before = await bucket.get(key)
        if not owner.is_owned:
            # Paused until another one owned the account: its snapshot is newer, and what it needs may be all there is.
            raise NotOwned(f"{name} has another owner")
        await bucket.update(key, kept, 0 if before is None else before.revision)
        entry = await bucket.get(key)
        if entry is None or entry.value is None:
            raise SnapshotUnreadable(f"{subjects.SNAPSHOTS}/{key}: expected what was just written, found nothing")
        # Another owner may have written a newer one meanwhile; then it is its to announce.
        found = await asyncio.to_thread(read_stored, entry.value, name)
        if found.place == place:
            await publish_positions(
                self._bus, subjects.owner_reader(name), self._runtime.instance, self._marks(name, place)
            )
        return place.audit_position, place.account_position

    def taken(self, owner: AccountOwner) -> PaperSnapshot:
        """Return a snapshot of an account as it is now."""
        follower, verifier = owner.follower, self._verifier()
        account = self._accounts[owner.account.name]
        place = PaperPlace(
            verifier.engine_id,
            verifier.engine_epoch,
            verifier.position,
            verifier.chain,
            verifier.sequence + 1,
            follower.position,
            follower.chain,
            follower.entry + 1,
            follower.owner_epoch,
        )
        return account.snapshot(self._runtime.instance, place)

    def _marks(self, account: str, place: PaperPlace) -> tuple[JournalMark, ...]:
        audit = subjects.audit_stream(self._runtime.settings.journal_id)
        return (
            _mark(audit, place.audit_position, place.audit_chain, place.next_tick),
            _mark(subjects.acct_stream(account), place.account_position, place.account_chain, place.next_entry),
        )


def _mark(stream: str, position: int, chain: str, following: int) -> JournalMark:
    return JournalMark(stream, position, chain if position else "", following)
