"""Bring back the state of an engine from its journal: every tick applied, nothing decided, every hash compared."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.engine.position import JournalEnd
from tradebus.bus.errors import HandlerRaised
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.canonical import HASH_VERSION
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.state_hash import StateHash, hash_state
from tradebus.core.engine.audit.tick import AuditTick, Halted
from tradebus.core.engine.event import EngineStarted, TradingStateUpdate
from tradebus.core.engine.resumed import CodeChanged
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent
from tradebus.crash_points import crash_point
from tradebus.journal.verify import AuditVerifier
from tradebus.strategies.loading import load_data, load_user_data
from tradebus.wire.codec.audit import AuditBatchHead

PROGRESS_S: Final = 2.0
"""A replay that takes longer says so, and how far it is, as often."""


class CannotRecover(Exception):
    """A journal that this engine cannot go on from; the message says where and why."""


class StateDiffers(CannotRecover):
    """The journal gives another state than the same code had recorded of it: one of the two is wrong."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal gave: the state after its last tick, and where that is.

    ``first_tick`` is that of the last fresh start, before which nothing counts. ``code_change`` is none where the last
    run had the same code. ``switched_off_by`` is the origin of the update by which trading is off, empty where it is on
    or off for another reason. ``ticks`` is how many were replayed, in ``seconds``.
    """

    state: EngineState
    started: EngineStarted
    time_ns: int
    end: JournalEnd
    first_tick: int
    code_change: CodeChanged | None
    switched_off_by: str
    ticks: int
    seconds: float


@final
class Recovery:
    """Takes a journal's messages in order. ``code`` names the code that runs here.

    A state that differs from the recorded one is refused where the same code had recorded it. Where other code had, the
    state that this code gives holds, and the engine has to say so.
    """

    def __init__(self, stream: str, code: str, log: BoundLogger, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream: Final = stream
        self._code: Final = code
        self._log: Final = log
        self._clock: Final = clock
        self._verifier: Final = AuditVerifier()
        self._replica: Final = Replica(load_data, load_user_data)
        self._first_tick = 0
        self._differs = False
        self._switched_off_by = ""
        self._begun_s = clock()
        self._told_s = self._begun_s
        self.ticks = 0
        self.hashes = 0

    def take(self, message: JournalMessage) -> None:
        """Take the next message. Raises JournalDamaged, StateDiffers, CannotRecover."""
        batch = self._verifier.accept(message)
        crash_point("engine.mid_replay")
        for tick in batch.ticks:
            try:
                self._replica.apply(tick)
            except Exception as error:
                where = f"{self._stream}, message {message.sequence}: tick {tick.sequence} cannot be applied"
                raise CannotRecover(f"{where}: {type(error).__name__}: {error}") from error
            if not isinstance(tick.event, MarketEvent):
                self._note(tick)
            if any(isinstance(output, Halted) for output in tick.outputs):
                self._switched_off_by = ""
        self.ticks += len(batch.ticks)
        self._compare(batch.head, message)
        now_s = self._clock()
        if now_s - self._told_s >= PROGRESS_S:
            self._told_s = now_s
            self._log.info(
                "replaying the journal",
                sequence=self._verifier.sequence,
                messages_left=message.pending,
                ticks_per_s=round(self.ticks / (now_s - self._begun_s)),
            )

    def finish(self) -> Recovered:
        """Return what the journal gave."""
        replica, verifier = self._replica, self._verifier
        started = replica.started
        assert started is not None, "a journal begins with a start record, or its first tick could not be applied"
        change = None if started.code == self._code else CodeChanged(started.code, self._code, self._differs)
        return Recovered(
            replica.state,
            started,
            replica.time_ns,
            JournalEnd(verifier.position, verifier.chain, verifier.sequence),
            self._first_tick,
            change,
            self._switched_off_by,
            self.ticks,
            self._clock() - self._begun_s,
        )

    def _note(self, tick: AuditTick) -> None:
        event = tick.event
        if isinstance(event, EngineStarted):
            self._first_tick = tick.sequence
            self._differs = False
            self._switched_off_by = ""
        elif isinstance(event, CodeChanged) and event.state_differs:
            self._differs = False
            self._switched_off_by = ""
        elif isinstance(event, TradingStateUpdate):
            self._switched_off_by = event.origin if event.state is TradingState.DISABLED else ""

    def _compare(self, head: AuditBatchHead, message: JournalMessage) -> None:
        if not head.core_hash:
            return
        self.hashes += 1
        found = (
            self._replica.hash()
            if head.hash_version == HASH_VERSION
            else hash_state(self._replica.state, head.hash_version)
        )
        if _agrees(head, found):
            return
        started = self._replica.started
        if started is not None and started.code == self._code:
            raise StateDiffers(
                f"{self._stream}, message {message.sequence}: expected the state {head.core_hash}/{head.user_hash} "
                f"after tick {head.last_sequence}, as this code recorded it, found {found.core}/{found.user}; "
                "check the journal with `tradebus audit verify`"
            )
        if not self._differs:
            self._log.warning(
                "the journal gives another state with this code than was recorded",
                sequence=head.last_sequence,
                recorded_with="" if started is None else started.code,
                code=self._code,
            )
        self._differs = True


def _agrees(head: AuditBatchHead, found: StateHash) -> bool:
    """Tell whether a state is the recorded one; what users keep is compared where both know it."""
    if head.core_hash != found.core:
        return False
    return not head.user_hash or not found.user or head.user_hash == found.user


async def recover(bus: Bus, stream: str, code: str, log: BoundLogger) -> Recovered:
    """Return the state at the end of a journal that is not empty.

    Raises JournalDamaged, StateDiffers, CannotRecover, and what the bus raises.
    """
    recovery = Recovery(stream, code, log)
    reader = await bus.consume(stream, 1, recovery.take)
    try:
        await reader.wait_caught_up()
    except HandlerRaised as failed:
        raise failed.error from failed
    finally:
        await reader.stop()
    return recovery.finish()
