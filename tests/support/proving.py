"""Prove snapshots in the process of a test: the same proof, on any bus, without a process of its own."""

import asyncio
from typing import Final, final

from structlog.stdlib import get_logger

from services.engine.proof import Proven, SnapshotProof
from services.engine.snapshot_store import SnapshotStore
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.checkpoints import CheckpointHead


@final
class LocalProver:
    """A prover that folds what the stream holds itself."""

    def __init__(self, bus: Bus, store: SnapshotStore, code: str) -> None:
        self._bus: Final = bus
        self._store: Final = store
        self._code: Final = code

    async def prove(self, head: CheckpointHead) -> Proven:
        """Return when a snapshot is proven. Raises SnapshotRefuted, SnapshotUnproven."""
        proof = SnapshotProof(self._store, head.stream, head.sequence, self._code, get_logger("proof"))
        proven: asyncio.Future[Proven] = asyncio.get_running_loop().create_future()

        def take(message: JournalMessage) -> None:
            if proven.done():
                return
            try:
                found = proof.take(message)
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits is told
                proven.set_exception(error)
                return
            if found is not None:
                proven.set_result(found)

        reader = await self._bus.consume(head.stream, head.position + 1, take)
        try:
            return await proven
        finally:
            await reader.stop()
