"""Notice a connection that is open and says nothing. Pure: the caller looks at it now and then.

TCP tells of a dead peer after minutes or never. So: after some silence we ask (a protocol ping, which every websocket
answers), and when nothing at all has come for longer still, the link is dead. A quiet market is not a dead link: pings
and pongs count as life. Where a market is known to be busy, missing *data* can be limited too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

NANOSECONDS_PER_MILLISECOND: Final = 1_000_000


class Verdict(Enum):
    """What to do about the silence."""

    FINE = "fine"
    PROBE = "probe"
    LINK_DEAD = "link dead"
    DATA_MISSING = "data missing"


@dataclass(frozen=True, slots=True)
class SilencePolicy:
    """How much silence is too much, in milliseconds."""

    probe_after_ms: int = 5_000
    silence_ms_max: int = 15_000
    """Nothing received at all, pings and pongs included."""
    data_silence_ms_max: int | None = None
    """No data frame; None allows any silence, as an illiquid instrument needs."""

    def __post_init__(self) -> None:
        if not 0 < self.probe_after_ms < self.silence_ms_max:
            raise ValueError(
                f"expected 0 < probe_after_ms < silence_ms_max, found {self.probe_after_ms} and {self.silence_ms_max}"
            )
        if self.data_silence_ms_max is not None and self.data_silence_ms_max <= 0:
            raise ValueError(f"expected data_silence_ms_max above zero, found {self.data_silence_ms_max}")

    @property
    def check_interval_s(self) -> float:
        """How often to look: fine enough to be at most half a probe late."""
        shortest_ms = min(self.probe_after_ms, self.data_silence_ms_max or self.probe_after_ms)
        return shortest_ms / 2 / 1_000


class SilenceWatch:
    """The silence of one connection, judged from two counters that only grow."""

    def __init__(self, policy: SilencePolicy, now_ns: int) -> None:
        self._policy = policy
        self._received = self._data = -1
        self._received_ns = self._data_ns = now_ns
        self._is_probed = False

    def look(self, received: int, data: int, now_ns: int) -> Verdict:
        """Judge the counts of everything received and of data frames, at a time of the monotonic clock."""
        if received != self._received:
            self._received, self._received_ns, self._is_probed = received, now_ns, False
        if data != self._data:
            self._data, self._data_ns = data, now_ns
        silent_ms = (now_ns - self._received_ns) // NANOSECONDS_PER_MILLISECOND
        data_silent_ms = (now_ns - self._data_ns) // NANOSECONDS_PER_MILLISECOND
        if silent_ms >= self._policy.silence_ms_max:
            return Verdict.LINK_DEAD
        if self._policy.data_silence_ms_max is not None and data_silent_ms >= self._policy.data_silence_ms_max:
            return Verdict.DATA_MISSING
        if silent_ms >= self._policy.probe_after_ms and not self._is_probed:
            self._is_probed = True
            return Verdict.PROBE
        return Verdict.FINE
