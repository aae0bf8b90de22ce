"""When to start a crashed program again, and when to give up."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Wait `wait_initial_s`, twice as long after each further crash, at most `wait_max_s`.

    More than `crashes_max` crashes within `window_s` are a crash loop. All times in seconds.
    """

    wait_initial_s: float = 0.5
    wait_max_s: float = 10.0
    crashes_max: int = 5
    window_s: float = 60.0


@dataclass(slots=True)
class Crashes:
    """The recent crashes of one program."""

    policy: RestartPolicy
    _times: deque[float] = field(default_factory=deque)

    def add(self, now_s: float) -> float | None:
        """Note a crash; return how long to wait before the next start, or None to give up."""
        while self._times and self._times[0] <= now_s - self.policy.window_s:
            self._times.popleft()
        self._times.append(now_s)
        if len(self._times) > self.policy.crashes_max:
            return None
        wait_s: float = self.policy.wait_initial_s * 2 ** (len(self._times) - 1)
        return min(wait_s, self.policy.wait_max_s)
