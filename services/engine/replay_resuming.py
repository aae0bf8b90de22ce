"""Let a replay go on in the journal that an earlier process of its run began: the ticks that would have come.

Its journal is read from the beginning and never shortened: the digest is over all ticks, the counts too, and what was
on its way between engine and exchanges follows from them. The feed is asked from the last journaled event on.
"""

from dataclasses import dataclass
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.engine.counts import EngineCounts
from services.engine.recovery import CannotRecover, Recovered, recover
from tradebus.bus.interface import Bus
from tradebus.core.backtest.journaled import JournaledRun
from tradebus.core.backtest.loop import simulated_exchanges
from tradebus.core.engine.audit.state_hash import RunDigest
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import EngineStarted


@dataclass(frozen=True, slots=True)
class BegunReplay:
    """A replay that was begun: its state and place, and what its ticks say besides."""

    recovered: Recovered
    run: JournaledRun
    digest: RunDigest


@final
class ReplayResuming:
    """Takes the ticks of a begun replay, in order; ``started`` is what would begin it now."""

    def __init__(self, stream: str, started: EngineStarted, counts: EngineCounts) -> None:
        self._stream: Final = stream
        self._started: Final = started
        self._counts: Final = counts
        self.run: Final = JournaledRun(simulated_exchanges(started))
        self.digest: Final = RunDigest()

    def take(self, tick: AuditTick) -> None:
        """Take the next tick. Raises CannotRecover for a replay of something else, OtherAccountEvents."""
        if isinstance(tick.event, EngineStarted):
            self._check(tick.event)
        self.run.take(tick)
        self.digest.add(tick)
        self._counts.add(tick)

    def _check(self, begun: EngineStarted) -> None:
        """Refuse a run that was begun otherwise: what it would go on to do is not what it would have done."""
        wanted = self._started
        others = [
            name for name in EngineStarted.FIELDS if name != "run" and getattr(wanted, name) != getattr(begun, name)
        ]
        if others:
            code = f" (code: expected {begun.code}, found {wanted.code})" if "code" in others else ""
            raise CannotRecover(
                f"{self._stream}: this replay was begun with other {', '.join(others)}{code}; "
                "it goes on only as it began, or afresh under another run"
            )


async def resume_replay(
    bus: Bus, stream: str, started: EngineStarted, counts: EngineCounts, log: BoundLogger
) -> BegunReplay:
    """Return what the journal of a begun replay gave. Raises JournalDamaged, CannotRecover and what the bus raises."""
    resuming = ReplayResuming(stream, started, counts)
    recovered = await recover(bus, stream, started.code, log, follow=resuming.take)
    assert recovered is not None, "a journal that has begun has ticks"
    return BegunReplay(recovered, resuming.run, resuming.digest)
