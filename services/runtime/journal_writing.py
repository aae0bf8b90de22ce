"""Run the writer of a journal as part of a service: its health while it runs, a bounded end when it stops."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, final

from services.runtime.pressure import Pressure
from services.runtime.runtime import Runtime
from tradebus.journal.writer import Fenced, JournalWriter

STALLED_S: Final = 1.0
"""Health tells of a journal that has taken nothing for so long although something waits."""

LOOK_PERIOD_S: Final = 0.1
STOP_SHARE: Final = 0.75
"""Of the time that a service has for its stop; the rest is for everything else that is to be closed."""


@final
class JournalWriting:
    """The writer of one journal within a service. ``name`` says which in health and log: ``journal of kraken``.

    ``waiting`` tells how many records are not in a batch yet. ``pressure``, if any,
    is released when the writer has ended.
    """

    def __init__(
        self,
        runtime: Runtime,
        name: str,
        writer: JournalWriter,
        waiting: Callable[[], int],
        pressure: Pressure | None = None,
    ) -> None:
        self.name: Final = name
        self._runtime: Final = runtime
        self._writer: Final = writer
        self._waiting: Final = waiting
        self._pressure: Final = pressure
        self._task: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._batches = -1
        self._moved_s = 0.0

    @property
    def is_running(self) -> bool:
        """Tell whether what is put into the journal is still written."""
        return self._task is not None and not self._task.done()

    def start(self, fenced: Callable[[Fenced], None] | None = None) -> None:
        """Begin to write; the service ends when the writer cannot go on.

        Where ``fenced`` is given it is told of another writer instead, and the service goes on.
        """
        self._task = self._runtime.spawn(self._write(fenced), self.name)
        if self._pressure is not None:
            pressure = self._pressure
            self._task.add_done_callback(lambda _: pressure.release())
        self._watching = self._runtime.spawn(self._watch(), f"watch over the {self.name}")

    async def finish(self) -> None:
        """Write what waits, then end; what cannot be written in time is told and left. Does not raise."""
        if self._task is None:
            return
        self._writer.close()
        limit_s = self._runtime.settings.runtime.stop_timeout_ms / 1000 * STOP_SHARE
        await asyncio.wait({self._task}, timeout=limit_s)
        if not self._task.done():
            self._lose(f"the {self.name} could not be written within {limit_s:g} s: {self._reason()}")
        elif self._is_unfinished():
            self._lose(f"the {self.name} ended before everything was written")

    async def abandon(self) -> None:
        """Write nothing more, and say no more of it: the journal is somebody else's, or written to the end."""
        tasks = [task for task in (self._task, self._watching) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runtime.health.clear(self.name)

    async def _write(self, fenced: Callable[[Fenced], None] | None) -> None:
        try:
            await self._writer.run()
        except Fenced as error:
            if fenced is None:
                raise
            fenced(error)

    async def _watch(self) -> None:
        while True:
            self._look(time.monotonic())
            await asyncio.sleep(LOOK_PERIOD_S)

    def _look(self, now_s: float) -> None:
        if self._writer.batches != self._batches or not self._is_unfinished():
            self._batches = self._writer.batches
            self._moved_s = now_s
        if now_s - self._moved_s > STALLED_S:
            self._runtime.health.trouble(self.name, f"the {self.name} takes nothing: {self._reason()}")
        else:
            self._runtime.health.clear(self.name)

    def _is_unfinished(self) -> bool:
        return self._waiting() > 0 or self._writer.in_flight_since_s is not None

    def _reason(self) -> str:
        return self._writer.trouble or "no acknowledgement"

    def _lose(self, reason: str) -> None:
        self._runtime.log.error(
            "records lost", reason=reason, not_batched=self._waiting(), batches=self._writer.batches
        )
        if self._runtime.failure is None:
            self._runtime.failure = reason
