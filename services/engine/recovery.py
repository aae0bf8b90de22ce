"""Bring back the state of an engine from its journal: every tick applied, nothing decided, every hash compared."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, final

from structlog.stdlib import BoundLogger

from services.engine.account_place import AccountPlace
from services.engine.position import JournalEnd
from services.engine.snapshot_store import SnapshotStore, StoredSnapshot
from services.engine.switched_off import SwitchedOff
from tradebus.bus.errors import HandlerRaised
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.canonical import HASH_VERSION
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.state_hash import StateHash, hash_state
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.resumed import CodeChanged
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.crash_points import crash_point
from tradebus.journal.archive.checkpoint_copy import CopyUnreadable
from tradebus.journal.verify import AuditVerifier
from tradebus.strategies.loading import load_data, load_user_data
from tradebus.wire import subjects
from tradebus.wire.codec.audit import AuditBatchHead
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.integrity import CHAIN_HEADER

PROGRESS_S: Final = 2.0
"""A replay that takes longer says so, and how far it is, as often."""


class Lead(Protocol):
    """Who of several processes decides."""

    async def acquire(self) -> bool:
        """Ask once; tell whether this process leads now."""

    async def wait(self) -> None:
        """Return when this process leads."""


class CannotRecover(Exception):
    """A journal that this engine cannot go on from; the message says where and why."""


class WentBackwards(CannotRecover):
    """A journal that ends before what was taken from it: the stream was lost, or is another one."""

    def __init__(self, stream: str, reason: str) -> None:
        super().__init__(
            f"{stream}: {reason}; nothing is traded on it. `tradebus audit repair` brings back what is missing"
        )


class StateDiffers(CannotRecover):
    """The journal gives another state than the same code had recorded of it: one of the two is wrong."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal gave: the state after its last tick, and where that is.

    ``first_tick`` is that of the last fresh start, before which nothing counts. ``code_change`` is none where the last
    run had the same code. ``switched_off_by`` is the origin of the update by which trading is off, empty where it is on
    or off for another reason. ``ticks`` is how many were replayed, in ``seconds``. ``places`` are those in the
    accounts' journals that the snapshot knew. ``proven`` is the snapshot, where a hash behind it was compared.
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
    places: tuple[AccountPlace, ...] = ()
    proven: StoredSnapshot | None = None


@final
class Recovery:
    """Takes a journal's messages in order. ``code`` names the code that runs here, ``follow`` is called with each tick.

    A state that differs from the recorded one is refused where the same code had recorded it. Where other code had, the
    state that this code gives holds, and the engine has to say so.
    """

    def __init__(
        self,
        stream: str,
        code: str,
        log: BoundLogger,
        begin: StoredSnapshot | None = None,
        clock: Callable[[], float] = time.monotonic,
        follow: Callable[[AuditTick], None] | None = None,
    ) -> None:
        self._follow: Final = follow
        self._stream: Final = stream
        self._code: Final = code
        self._log: Final = log
        self._clock: Final = clock
        self._verifier = AuditVerifier()
        self._replica: Final = Replica(load_data, load_user_data)
        self._first_tick = 0
        self._differs = False
        self._switched_off = SwitchedOff()
        self._begun_with: Final = begin
        if begin is not None:
            self._begin_with(begin)
        self._begun_s = clock()
        self._told_s = self._begun_s
        self.ticks = 0
        self.hashes = 0

    def _begin_with(self, stored: StoredSnapshot) -> None:
        head, snapshot, notes = stored.head, stored.snapshot, stored.notes
        self._verifier = AuditVerifier(
            position=head.position,
            chain=head.chain,
            sequence=head.sequence,
            bounds=bounds_of(snapshot.state.index),
            engine_id=head.engine_id,
            engine_epoch=head.engine_epoch,
        )
        self._replica.resume(snapshot.state, head.sequence, head.time_ns, snapshot.started)
        self._first_tick = notes.first_tick
        self._switched_off = SwitchedOff(notes.switched_off_by)

    @property
    def sequence(self) -> int:
        """Return the last tick in the state, -1 where there is none."""
        return self._verifier.sequence

    @property
    def position(self) -> int:
        """Return the stream sequence of the last message that is in the state."""
        return self._verifier.position

    def take(self, message: JournalMessage) -> None:
        """Take the next message. Raises JournalDamaged, StateDiffers, CannotRecover."""
        batch = self._verifier.accept(message)
        crash_point("engine.mid_replay")
        if self._follow is None:
            self._apply(message, batch.ticks, 0, len(batch.ticks))
        else:
            for place, tick in enumerate(batch.ticks):
                self._apply(message, batch.ticks, place, place + 1)
                self._follow(tick)
        for place in batch.others:
            tick = batch.ticks[place]
            self._switched_off.take(tick)
            if isinstance(tick.event, EngineStarted):
                self._first_tick = tick.sequence
                self._differs = False
            elif isinstance(tick.event, CodeChanged) and tick.event.state_differs:
                self._differs = False
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

    def _apply(self, message: JournalMessage, ticks: tuple[AuditTick, ...], begin: int, end: int) -> None:
        try:
            self._replica.apply_all(ticks, begin, end)
        except Exception as error:
            where = f"{self._stream}, message {message.sequence}: tick {self._replica.sequence + 1} cannot be applied"
            raise CannotRecover(f"{where}: {type(error).__name__}: {error}") from error

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
            self._switched_off.by,
            self.ticks,
            self._clock() - self._begun_s,
            () if self._begun_with is None else self._begun_with.notes.accounts,
            self._begun_with if self.hashes and not self._differs else None,
        )

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


async def recover(
    bus: Bus,
    stream: str,
    code: str,
    log: BoundLogger,
    store: SnapshotStore | None = None,
    lead: Lead | None = None,
    follow: Callable[[AuditTick], None] | None = None,
) -> Recovered | None:
    """Return the state at the end of a journal: newest snapshot that fits, and what is behind it; none if it is empty.

    Where another process leads the engine, its journal is folded until this one leads. ``follow`` is called with each
    tick once it is applied, which without a store are all of them. Raises JournalDamaged,
    StateDiffers, CannotRecover, and what the bus raises.
    """
    begin = None if store is None else await _snapshot_to_begin_with(bus, stream, code, log, store)
    recovery = Recovery(stream, code, log, begin, follow=follow)
    if begin is not None:
        log.info("beginning with a snapshot", sequence=begin.head.sequence, code=begin.snapshot.head.code)
    if lead is not None and not await lead.acquire():
        await _stand_by(bus, stream, recovery, lead, log)
    await _read_on(bus, stream, recovery)
    return recovery.finish() if recovery.position else None


async def _stand_by(bus: Bus, stream: str, recovery: Recovery, lead: Lead, log: BoundLogger) -> None:
    """Fold what another leader writes until this process leads. What ends the reader ends the process."""
    reader = await bus.consume(stream, recovery.position + 1, recovery.take)
    try:
        await _caught_up(reader)
        log.info("standing by", sequence=recovery.sequence)
        await lead.wait()
    finally:
        await reader.stop()
    log.info("taking over", sequence=recovery.sequence)


async def _read_on(bus: Bus, stream: str, recovery: Recovery) -> None:
    """Take everything that the stream holds now."""
    reader = await bus.consume(stream, recovery.position + 1, recovery.take)
    try:
        await _caught_up(reader)
    finally:
        await reader.stop()


async def _caught_up(reader: JournalReader) -> None:
    try:
        await reader.wait_caught_up()
    except HandlerRaised as failed:
        raise failed.error from failed


async def check_not_behind(bus: Bus, stream: str, store: SnapshotStore) -> None:
    """Refuse a journal that ends before the newest snapshot; raises WentBackwards."""
    newest = store.newest()
    if newest is None:
        return
    last = (await bus.journal_state(stream)).last_sequence
    path = store.path(newest.sequence)
    if last < newest.position:
        raise WentBackwards(stream, f"it ends at message {last}, the snapshot {path} was taken at {newest.position}")
    message = await bus.message(stream, newest.position)
    found = None if message is None else (message.headers or {}).get(CHAIN_HEADER)
    if found is not None and found != newest.chain:
        reason = f"message {newest.position} has the chain hash {found}, in the snapshot {path} it is {newest.chain}"
        raise WentBackwards(stream, reason)


async def _fetch(bus: Bus, stream: str, log: BoundLogger, store: SnapshotStore) -> None:
    """Keep the copy of the snapshot that this engine handed out last, from whichever host."""
    key = subjects.engine_snapshot(subjects.audit_engine(stream))
    entry = await bus.bucket(subjects.SNAPSHOTS).get(key)
    if entry is None or entry.value is None:
        return
    try:
        sequence = await asyncio.to_thread(store.restore, entry.value)
    except (CopyUnreadable, OSError) as error:
        log.warning("the copy of a snapshot cannot be used", key=key, reason=str(error))
        return
    log.info("snapshot fetched that was handed out", sequence=sequence)
    await check_not_behind(bus, stream, store)


async def _snapshot_to_begin_with(
    bus: Bus, stream: str, code: str, log: BoundLogger, store: SnapshotStore
) -> StoredSnapshot | None:
    """Return the newest snapshot of this code, none if the journal is to be replayed from its beginning.

    Other code may see the journal otherwise, so its snapshots are taken only where the beginning is there no more.
    """
    first = (await bus.journal_state(stream)).first_sequence
    if first > 1 and not store.has_one_behind(first):
        await _fetch(bus, stream, log, store)
    of_other_code: StoredSnapshot | None = None
    for stored in store.readable(lambda reason: log.warning("snapshot refused, trying an older one", reason=reason)):
        if stored.head.position + 1 < first:
            break
        if stored.snapshot.head.code == code:
            return stored
        of_other_code = of_other_code or stored
    if first > 1 and of_other_code is None:
        raise CannotRecover(f"{stream}: it begins with message {first}, and there is no snapshot to begin with")
    return of_other_code if first > 1 else None
