"""Signals: the first asks for an ordered stop, the second ends the process at once."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Final

from structlog.stdlib import BoundLogger

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def install(loop: asyncio.AbstractEventLoop, log: BoundLogger, on_stop: Callable[[str], None]) -> None:
    """Call `on_stop` with the first signal's name; a second ends the process with 128 + signal number."""
    seen: list[signal.Signals] = []

    def received(which: signal.Signals) -> None:
        seen.append(which)
        if len(seen) > 1:
            log.warning("second signal, ending at once", signal=which.name)
            os._exit(128 + which)
        on_stop(which.name)

    for which in STOP_SIGNALS:
        loop.add_signal_handler(which, received, which)
