"""Slow down who tries keys: after some bad ones an address waits, longer each time."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

FREE: Final = 5
"""Bad keys that an address may show without waiting."""

WAIT_S_MAX: Final = 300.0
FORGOTTEN_AFTER_S: Final = 900.0
ADDRESSES_MAX: Final = 10_000


@dataclass(slots=True)
class _Record:
    count: int = 0
    last_s: float = 0.0
    until_s: float = 0.0


@final
class BadKeys:
    """Counts the bad keys of each address.

    Only bad keys have to wait: a good one is taken at any time, so that nobody behind the same proxy, or on the same
    machine, can keep an operator from the kill switch by showing bad ones. That 256 random bits are not guessed does
    not depend on waiting.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        self._records: Final[OrderedDict[str, _Record]] = OrderedDict()

    def note(self, address: str) -> int:
        """Count a bad key; return how many seconds the address still has to wait, 0 while it need not."""
        now_s = self._clock()
        record = self._records.get(address)
        if record is None or now_s - record.last_s > FORGOTTEN_AFTER_S:
            record = self._records[address] = _Record()
        self._records.move_to_end(address)
        if len(self._records) > ADDRESSES_MAX:
            self._records.popitem(last=False)
        record.last_s = now_s
        if now_s < record.until_s:
            return math.ceil(record.until_s - now_s)
        record.count += 1
        if record.count <= FREE:
            return 0
        wait_s = min(2.0 ** (record.count - FREE), WAIT_S_MAX)
        record.until_s = now_s + wait_s
        return math.ceil(wait_s)
