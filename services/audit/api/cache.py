"""Give a long answer again for some milliseconds, so that many readers do not build it many times."""

import time
from collections.abc import Callable
from typing import Final, final

from services.audit.api.packing import pack

CACHE_FACTOR: Final = 6
CACHE_S_MAX: Final = 0.1
ANSWERS_MAX: Final = 16


@final
class Built:
    """An answer as it was built: its tag, its body, until when it may be given again (monotonic seconds).

    ``commands`` is how many had been decided by then. ``route`` is what it was an answer of, as the request that it was
    built for says.
    """

    def __init__(self, etag: str, body: bytes, until_s: float, commands: int, route: object = None) -> None:
        self.etag: Final = etag
        self.body: Final = body
        self.until_s: Final = until_s
        self.commands: Final = commands
        self.route: Final = route
        self._packed: bytes | None = None

    @property
    def packed(self) -> bytes:
        """Return the body compressed, which is done when it is first asked for."""
        if self._packed is None:
            self._packed = pack(self.body)
        return self._packed


def key_of(path: str, part: str = "") -> str:
    """Return what an answer is kept under: its path, and what of it was asked for where that is not all."""
    return f"{path}?{part}"


@final
class AnswerCache:
    """Keeps the last answer of each path for six times as long as it took to build.

    So building takes a seventh of the process at most. What is given again is of one sequence like any other, only of
    one some milliseconds ago; but whoever has heard that a command was applied sees in every answer what it did. Times
    are monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        self._built: dict[str, Built] = {}

    def fresh(self, key: str, etag: str, commands: int) -> Built | None:
        """Return the kept answer while it is fresh or still the newest, which ``etag`` is the tag of.

        None when a command was decided since; ``commands`` is how many have been.
        """
        kept = self._built.get(key)
        if kept is None or (kept.etag != etag and (kept.commands != commands or self._clock() >= kept.until_s)):
            return None
        return kept

    def get(self, key: str, etag: str, commands: int, build: Callable[[], str], route: object = None) -> Built:
        """Return the answer that is kept under a key, a new one where that is not fresh."""
        kept = self.fresh(key, etag, commands)
        if kept is not None:
            return kept
        begun_s = self._clock()
        body = build()
        ended_s = self._clock()
        until_s = ended_s + min(CACHE_FACTOR * (ended_s - begun_s), CACHE_S_MAX)
        built = Built(etag, body.encode(), until_s, commands, route)
        self._built.pop(key, None)
        self._built[key] = built
        if len(self._built) > ANSWERS_MAX:
            del self._built[next(iter(self._built))]
        return built
