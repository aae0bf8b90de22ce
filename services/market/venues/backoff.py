"""Decide how long to wait before connecting again. Pure: the caller sleeps.

The base is the reference's: 125 ms, doubled on every failure, at most 60 s, and none before the first attempt after a
loss. Two corrections: jitter, so that many clients do not come back at the same moment; and a connection that drops
before it was stable counts as a failure, so that a venue which accepts and hangs up is not hammered.

Source: barter 0.12.5, barter-data ``streams/reconnect``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """How to come back. Times in milliseconds; ``jitter_fraction`` is the most that is added to a wait (0.25: 25 %)."""

    backoff_ms_initial: int = 125
    backoff_multiplier: int = 2
    backoff_ms_max: int = 60_000
    jitter_fraction: float = 0.25
    stable_after_ms: int = 10_000
    """A connection that delivered for this long is worth an immediate attempt when it drops."""

    def __post_init__(self) -> None:
        if self.backoff_ms_initial <= 0 or self.backoff_ms_max < self.backoff_ms_initial:
            raise ValueError(
                "expected 0 < backoff_ms_initial <= backoff_ms_max, "
                f"found {self.backoff_ms_initial} and {self.backoff_ms_max}"
            )
        if self.backoff_multiplier < 1 or not 0 <= self.jitter_fraction <= 1 or self.stable_after_ms < 0:
            raise ValueError(
                "expected backoff_multiplier >= 1, 0 <= jitter_fraction <= 1 and stable_after_ms >= 0, "
                f"found {self.backoff_multiplier}, {self.jitter_fraction} and {self.stable_after_ms}"
            )


class Backoff:
    """The waits of one connection: grows with each failure, starts over once a connection was stable."""

    def __init__(self, policy: ReconnectPolicy, random: Callable[[], float]) -> None:
        """Take the policy and a source of numbers in [0, 1) for the jitter."""
        self._policy = policy
        self._random = random
        self._next_ms = policy.backoff_ms_initial

    def after_failure(self) -> int:
        """Return the milliseconds to wait after an attempt that failed."""
        base_ms = self._next_ms
        self._next_ms = min(base_ms * self._policy.backoff_multiplier, self._policy.backoff_ms_max)
        return base_ms + int(base_ms * self._policy.jitter_fraction * self._random())

    def after_drop(self, lived_ms: int) -> int:
        """Return the milliseconds to wait after a connection ended that had delivered for ``lived_ms``: 0 if stable."""
        if lived_ms >= self._policy.stable_after_ms:
            self._next_ms = self._policy.backoff_ms_initial
            return 0
        return self.after_failure()
