"""Lead an engine, or stand by: one of several processes of the same id decides, the others fold its journal.

The lease chooses who tries; the fencing of the journal is what keeps two from succeeding. Who does not hold the lease
writes nothing: a leader that was paused finds out before it appends again. A lease that cannot be renewed because the
broker is away is asked for again; only another leader ends this one.
"""

import asyncio
from collections.abc import Callable
from typing import Final, final

from services.runtime import Runtime
from services.runtime.lease_locks import LeaseLocks, leased
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.interface import Bus
from tradebus.bus.leases import ASK_PERIOD_S
from tradebus.wire import subjects


@final
class Leadership:
    """The lease of one engine. ``gained`` is called when a lease that was lost is ours again.

    With ``locks`` the lease of a predecessor that is known to be dead is not waited for.
    """

    def __init__(self, runtime: Runtime, bus: Bus, engine_id: str, locks: LeaseLocks | None = None) -> None:
        self._runtime: Final = runtime
        self._lease: Final = leased(bus, subjects.lease_engine(engine_id), runtime.instance, self._lost, locks)
        self.gained: Callable[[], None] | None = None
        self._is_leaving = False

    @property
    def is_held(self) -> bool:
        """Tell whether this process leads at this moment; to be asked right before it appends."""
        return self._lease.is_held

    async def acquire(self) -> bool:
        """Ask once; tell whether this process leads now. Raises NoBucket, BusClosed, PermissionDenied."""
        try:
            return await self._lease.acquire()
        except BusUnavailable as error:
            if not error.recoverable:
                raise
            return False

    async def wait(self) -> None:
        """Return when this process leads. Raises NoBucket, BusClosed, PermissionDenied."""
        await self._lease.wait()

    async def leave(self) -> None:
        """Let another lead, after the last that we had to write is written."""
        self._is_leaving = True
        await self._lease.release()

    def _lost(self, reason: str) -> None:
        if self._is_leaving:
            return
        self._runtime.log.warning("the lead is lost, asking for it again", reason=reason)
        self._runtime.spawn(self._regain(), "lead")

    async def _regain(self) -> None:
        """Ask until it is ours again, or another's: then this process ends."""
        while not self._is_leaving:
            try:
                if await self._lease.acquire():
                    self._runtime.log.info("leading again")
                    if self.gained is not None:
                        self.gained()
                    return
            except BusUnavailable as error:
                if not error.recoverable:
                    raise
            else:
                self._runtime.fail("another process leads this engine now")
                return
            await asyncio.sleep(ASK_PERIOD_S)
