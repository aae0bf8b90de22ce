"""Find the snapshot from which an account goes on: the newest that is sound and fits the journals there are."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar, final

from services.execution.snapshot_files import SnapshotFiles
from services.execution.stored import SnapshotUnreadable, read_stored
from services.runtime import Runtime
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.interface import Bus
from tradebus.bus.leases import ASK_PERIOD_S
from tradebus.wire import subjects
from tradebus.wire.codec.paper_snapshot import PaperSnapshot
from tradebus.wire.integrity import CHAIN_HEADER, CHAIN_START

T = TypeVar("T")


@final
class SnapshotLoading:
    """Looks in the bucket and in the files of this process's volume."""

    def __init__(self, runtime: Runtime, bus: Bus, files: SnapshotFiles) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._files: Final = files

    async def load(self, account: str) -> PaperSnapshot | None:
        """Return the snapshot to go on from, none where the journals must be folded from their beginning.

        What cannot be used is told with the reason, and the next one tried. Raises NoBucket, PermissionDenied.
        """
        found = [
            snapshot for snapshot in [await self._from_bucket(account), *await self._from_files(account)] if snapshot
        ]
        for snapshot in sorted(found, key=lambda each: each.place.audit_position, reverse=True):
            reason = await self._misfit(snapshot)
            if not reason:
                return snapshot
            self._refuse(account, f"position {snapshot.place.audit_position}", reason)
        return None

    async def _from_bucket(self, account: str) -> PaperSnapshot | None:
        key = subjects.paper_snapshot(account)
        entry = await _answered(lambda: self._bus.bucket(subjects.SNAPSHOTS).get(key))
        if entry is None or entry.value is None:
            return None
        return await self._read(account, entry.value, f"bucket {subjects.SNAPSHOTS}/{key}")

    async def _from_files(self, account: str) -> list[PaperSnapshot | None]:
        found: list[PaperSnapshot | None] = []
        for path in await asyncio.to_thread(self._files.paths, account):
            kept = await self._bytes_of(account, path)
            found.append(None if kept is None else await self._read(account, kept, str(path)))
        return found

    async def _bytes_of(self, account: str, path: Path) -> bytes | None:
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            return None  # another process that shares the volume has replaced it
        except OSError as error:
            self._refuse(account, str(path), str(error))
            return None

    async def _read(self, account: str, kept: bytes, where: str) -> PaperSnapshot | None:
        try:
            return await asyncio.to_thread(read_stored, kept, account)
        except SnapshotUnreadable as error:
            self._refuse(account, where, str(error))
            return None

    async def _misfit(self, snapshot: PaperSnapshot) -> str:
        """Return why a snapshot does not belong to the journals there are; empty if it does."""
        place, engine = snapshot.place, self._runtime.settings.journal_id
        if place.engine_id and place.engine_id != self._runtime.settings.engine_id:
            return f"expected the engine {self._runtime.settings.engine_id!r}, found {place.engine_id!r}"
        audit = await self._link(subjects.audit_stream(engine), place.audit_position, place.audit_chain)
        stream = subjects.acct_stream(snapshot.account)
        return audit or await self._link(stream, place.account_position, place.account_chain)

    async def _link(self, stream: str, position: int, chain: str) -> str:
        """Return why message ``position`` of a stream is not the one that a snapshot knows; empty if it may be."""
        state = await _answered(lambda: self._bus.journal_state(stream))
        message = await _answered(lambda: self._bus.message(stream, position)) if position else None
        if position > state.last_sequence:
            return f"{stream} ends at message {state.last_sequence}, before {position}"
        if message is None:
            if position + 1 < state.first_sequence:
                return f"{stream} begins at message {state.first_sequence}, behind {position + 1}"
            return ""  # pruned up to there; the next message names it
        found = (message.headers or {}).get(CHAIN_HEADER, CHAIN_START)
        return "" if found == chain else f"{stream}, message {position}: expected the chain {chain}, found {found}"

    def _refuse(self, account: str, where: str, reason: str) -> None:
        self._runtime.log.warning("snapshot not used", account=account, where=where, reason=reason)


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the broker answers, however long that takes."""
    while True:
        try:
            return await ask()
        except BusUnavailable as error:
            if not error.recoverable:
                raise
        await asyncio.sleep(ASK_PERIOD_S)
