"""Give a long answer again for some milliseconds, so that many readers do not build it many times."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

CACHE_FACTOR: Final = 4
CACHE_S_MAX: Final = 0.1
ANSWERS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Built:
    """An answer as it was built: its tag, its body, and until when it may be given again (monotonic seconds)."""

    etag: str
    body: str
    until_s: float


@final
class AnswerCache:
    """Keeps the last answer of each path for four times as long as it took to build.

    So building takes a fifth of the process at most. What is given again is of one sequence like any other, only of one
    some milliseconds ago. Times are monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        self._built: dict[str, Built] = {}

    def get(self, path: str, etag: str, build: Callable[[], str]) -> Built:
        """Return the answer at a path: the kept one while it is fresh or still the newest, else a new one."""
        begun_s = self._clock()
        kept = self._built.get(path)
        if kept is not None and (kept.etag == etag or begun_s < kept.until_s):
            return kept
        body = build()
        ended_s = self._clock()
        built = Built(etag, body, ended_s + min(CACHE_FACTOR * (ended_s - begun_s), CACHE_S_MAX))
        self._built.pop(path, None)
        self._built[path] = built
        if len(self._built) > ANSWERS_MAX:
            del self._built[next(iter(self._built))]
        return built
