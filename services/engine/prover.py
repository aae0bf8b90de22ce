"""Prove snapshots in a process of their own, nice and fed from here, so that the engine does not stall."""

import asyncio
import contextlib
import json
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Final, final

from services.engine.proof import Proven, SnapshotRefuted, SnapshotUnproven
from services.engine.proving import ProofTask, arguments, framed
from tradebus.bus.errors import BusError
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.checkpoints import CheckpointHead

PROOF_TIMEOUT_S: Final = 120.0
"""A process that yields to everybody may have to wait; the next snapshot follows anyway."""


@final
class ProcessProver:
    """Starts one process per proof, and hands it what the stream holds behind the snapshot.

    It has no credentials and reads no stream itself. It ends when we do: then nothing more comes.
    """

    def __init__(self, bus: Bus, folder: Path, strategies_dir: str, code: str) -> None:
        self._bus: Final = bus
        self._folder: Final = folder
        self._strategies_dir: Final = strategies_dir
        self._code: Final = code

    async def prove(self, head: CheckpointHead) -> Proven:
        """Return when a snapshot is proven. Raises SnapshotRefuted, SnapshotUnproven."""
        task = ProofTask(
            str(self._folder), head.stream, head.engine_id, head.sequence, self._strategies_dir, self._code
        )
        try:
            process = await asyncio.create_subprocess_exec(*arguments(task), stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        except OSError as error:
            raise SnapshotUnproven(f"the process that proves it cannot be started: {error}") from error
        try:
            async with asyncio.timeout(PROOF_TIMEOUT_S):
                return _outcome(await self._fed(process, head), process)
        except TimeoutError as error:
            raise SnapshotUnproven(f"not proven within {PROOF_TIMEOUT_S:g} s") from error
        except BusError as error:
            raise SnapshotUnproven(f"the journal cannot be read: {error}") from error
        finally:
            await _end(process)

    async def _fed(self, process: Process, head: CheckpointHead) -> bytes:
        """Feed a process until it answers; return what it wrote."""
        source, answer = process.stdin, process.stdout
        assert source is not None, "it was asked for"
        assert answer is not None, "it was asked for"

        async def feed(message: JournalMessage) -> None:
            # It has answered: from then on uvloop raises RuntimeError. What is raised here would end the engine.
            if source.is_closing():
                return
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, RuntimeError):
                source.write(framed(message))
                await source.drain()

        reader = await self._bus.consume(head.stream, head.position + 1, feed)
        try:
            written = await answer.read()
            await process.wait()
        finally:
            # First the process: a message that it does not take holds up the reader.
            await _end(process)
            await reader.stop()
        if reader.failure is not None:
            raise reader.failure
        return written


async def _end(process: Process) -> None:
    """End a process that has not ended by itself."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # it ended just now
            process.kill()
        await process.wait()


def _outcome(written: bytes, process: Process) -> Proven:
    try:
        told = json.loads(written)
        if "proven" in told:
            return Proven(int(told["proven"]), int(told["ticks"]))
        reason = str(told.get("refuted", told.get("unproven")))
    except (ValueError, TypeError, AttributeError) as error:
        status = process.returncode
        raise SnapshotUnproven(f"the process that proves it ended with status {status} and without a word") from error
    if "refuted" in told:
        raise SnapshotRefuted(reason)
    raise SnapshotUnproven(reason)
