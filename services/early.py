"""Answer a stop that comes while a program still loads: the first process of a container has no default answer.

Signals that process 1 has no handler for are dropped, so a container told to stop in its first second would be killed
when its grace is over.
"""

import os
import signal
from types import FrameType


def end_on_stop() -> None:
    """End at once with 0 on SIGTERM, because nothing is begun yet; the service's own handler takes this one's place."""

    def end(_number: int, _frame: FrameType | None) -> None:
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
