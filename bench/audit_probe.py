"""Run the audit service with a stop-watch: from an event's receipt in the market service to its place in the replica.

Every lag goes to the file named by ``TRADEBUS_BENCH_LAGS`` as a signed 64-bit number of nanoseconds, in order.
"""

import os
import time
from array import array
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from services.audit.bootstrap import bootstrap
from services.audit.config import AuditConfig
from services.audit.fold import Fold
from services.audit.service import AuditService
from services.audit.taken import Taken
from services.runtime import Runtime, main
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.market.event import MarketEvent
from tradebus.strategies.loading import load_data

LAGS_VARIABLE: Final = "TRADEBUS_BENCH_LAGS"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


def lags_folder() -> TemporaryDirectory[str]:
    """Return a folder for the file of lags: in memory where that can be, as a busy disk would hold up the replica."""
    return TemporaryDirectory(prefix="tradebus-bench-lags-", dir=_MEMORY if _MEMORY.is_dir() else None)


class TimedFold(Fold):
    """A fold that notes how old each market event is when the replica has it."""

    def __init__(self, config: AuditConfig, file: BinaryIO) -> None:
        super().__init__(load_data, config.limits, config.mode)
        self._lags: Final = array("q")
        self._file: Final = file

    def take(self, message: JournalMessage) -> Taken:
        """Take a message, then write what was noted."""
        taken = super().take(message)
        if self._lags:
            self._lags.tofile(self._file)
            self._file.flush()
            del self._lags[:]
        return taken

    def _apply_plain(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> None:
        super()._apply_plain(ticks, begin, end)
        now_ns = time.time_ns()
        for tick in ticks[begin:end]:
            event = tick.event
            if isinstance(event, MarketEvent):
                self._lags.append(now_ns - event.time_received_ns)

    def _apply(self, tick: AuditTick) -> None:
        super()._apply(tick)
        event = tick.event
        if isinstance(event, MarketEvent):
            self._lags.append(time.time_ns() - event.time_received_ns)


async def probing(runtime: Runtime) -> AuditService:
    """Return the audit service with the timed fold."""
    file = Path(os.environ[LAGS_VARIABLE]).open("ab")  # noqa: SIM115, ASYNC230 - kept open as long as the process
    return await bootstrap(runtime, lambda config: TimedFold(config, file))


if __name__ == "__main__":
    raise SystemExit(main("audit", probing))
