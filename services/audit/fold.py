"""Follow the engine's journal: verify each batch, apply its ticks to our own state, compare hashes.

Plain and synchronous: the bytes of a message in, what became of it out. Nothing is ever skipped: what cannot be
verified, decoded or applied breaks the fold, and it stays at the last tick that it could vouch for.
"""

from bisect import bisect_right
from typing import Final

from services.audit.config import Limits
from services.audit.numbering import Numbering
from services.audit.projections import BatchIndex, Projections
from services.audit.projections.plain import to_plain
from services.audit.run_name import run_name
from services.audit.taken import Break, BreakKind, Counted, Taken, kind_of
from services.audit.verification import Check, Verification
from services.audit.watch import TickWatch
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.apply import is_duplicate
from tradebus.core.engine.audit.market_sum import sum_up
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.state_hash import RunDigest, StateHash
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent, EngineStarted
from tradebus.core.engine.resumed import CodeChanged, EngineResumed
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.user_setup import StrategyDataFactory, UserDataFactory
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import ZERO
from tradebus.journal.archive.checkpoints import CheckpointHead
from tradebus.journal.verify import AuditVerifier, JournalDamaged
from tradebus.strategies.loading import load_user_data
from tradebus.wire.codec.audit import AuditBatch
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.snapshot import EngineSnapshot


class _WrongMode(Exception):
    """A journal of another mode than ours."""


class Fold:
    """Our own state as of the journal, with everything that grows beside it."""

    def __init__(
        self,
        make_data: StrategyDataFactory,
        limits: Limits,
        mode: str,
        *,
        with_digest: bool = False,
        make_user_data: UserDataFactory = load_user_data,
    ) -> None:
        self.mode: Final = mode
        self.replica: Final = Replica(make_data, make_user_data)
        self.projections = Projections(limits)
        """Of the engine's present run: a fresh start begins them anew, as it does the state."""
        self.verification: Final = Verification()
        self.batches: Final = BatchIndex()
        self.numberings: Final[list[Numbering]] = []
        """Each numbering that the journal has used, in order."""
        self.broken: Break | None = None
        self.run_first = 0
        """The tick that the engine's present run began with; what grows is of this run."""
        self.run_name = ""
        """Names the engine's present run: no other has it, also none in a journal that was begun anew. Empty before."""
        self.risk_free_return = ZERO
        """A fraction per year of 365 days, for statistics."""
        self.epoch = 0
        self.counted = Counted()
        self.skipped = 0
        """Messages that came after a break and were left unread."""
        self.watch: TickWatch | None = None
        """Told of each tick, while there is one."""
        self.begun_anew_at: int | None = None
        """The tick before which nothing but the state is known here, because the journal before it is lost."""
        self.stored_ns = 0
        """When the last applied message was stored, by the server's clock."""
        self._verifier = AuditVerifier()
        self._limits: Final = limits
        self._with_digest: Final = with_digest
        self._digest: RunDigest | None = None

    @property
    def ticks(self) -> int:
        """Return how many ticks are in the state."""
        return self.counted.ticks

    @property
    def engine_id(self) -> str:
        """Return the id of the engine whose journal this is, empty before its first batch."""
        return self._verifier.engine_id

    @property
    def is_started(self) -> bool:
        """Tell whether there is a state to read."""
        return self.replica.is_started

    @property
    def state(self) -> EngineState:
        """Return our own state after the last applied tick; raises NotStarted before the first."""
        return self.replica.state

    @property
    def sequence(self) -> int:
        """Return the last applied tick, -1 before the first."""
        return self.replica.sequence

    @property
    def time_ns(self) -> int:
        """Return the engine time of the last applied tick."""
        return self.replica.time_ns

    @property
    def position(self) -> int:
        """Return the stream sequence of the last verified message, 0 before the first."""
        return self._verifier.position

    @property
    def chain(self) -> str:
        """Return the chain hash of the last verified message: it names the whole history up to there."""
        return self._verifier.chain

    @property
    def is_exact(self) -> bool:
        """Tell whether nothing speaks against our state being the engine's at this sequence."""
        return self.broken is None and self.verification.first_unequal is None

    def resume(
        self,
        head: CheckpointHead,
        snapshot: EngineSnapshot,
        projections: Projections,
        numberings: list[Numbering],
        counted: Counted,
    ) -> None:
        """Go on from a checkpoint and what was kept beside it, as if everything before had been taken."""
        state = snapshot.state
        self.replica.resume(state, head.sequence, head.time_ns, snapshot.started)
        self._verifier = AuditVerifier(
            position=head.position,
            chain=head.chain,
            sequence=head.sequence,
            bounds=bounds_of(state.index),
            engine_id=head.engine_id,
            engine_epoch=head.engine_epoch,
        )
        self.projections = projections
        self.numberings[:] = numberings
        self.epoch = head.engine_epoch
        self.stored_ns = head.stored_ns
        self.counted = counted

    def begin_anew(self, head: CheckpointHead, snapshot: EngineSnapshot) -> None:
        """Go on from a snapshot without anything that was before it: fills, orders and counts begin here."""
        self.begun_anew_at = head.sequence
        index = snapshot.state.index
        projections = Projections(self._limits)
        projections.links.begin(len(index.exchanges))
        projections.risk.begin(head.sequence, snapshot.state)
        projections.statistics.begin(snapshot.started, snapshot.state, head.time_ns)
        self.run_first = head.sequence
        self.run_name = run_name(head.engine_id, head.chain, head.sequence, head.time_ns)
        self.resume(head, snapshot, projections, [Numbering(0, index, to_plain(index))], Counted())

    def hash(self) -> StateHash:
        """Return the hash of our own state."""
        return self.replica.hash()

    def digest(self) -> str:
        """Return the digest of all ticks of the present run; empty where none is kept."""
        return "" if self._digest is None else self._digest.hexdigest()

    def numbering_at(self, sequence: int) -> IndexedInstruments:
        """Return the numbering that a tick of the past uses; raises NotStarted before the first start record."""
        for numbering in reversed(self.numberings):
            if numbering.first_sequence <= sequence:
                return numbering.index
        return self.state.index

    def take(self, message: JournalMessage) -> Taken:
        """Take the next message of the stream. Never raises for what is in it."""
        if self.broken is not None:
            self.skipped += 1
            return Taken()
        before = self.counted.ticks
        try:
            batch = self._verifier.accept(message)
        except JournalDamaged as error:
            return self._break(kind_of(error), error.reason, message, before)
        try:
            self._apply_all(batch.ticks, batch.others, len(batch.ticks))
        except _WrongMode as error:
            return self._break(BreakKind.WRONG_MODE, str(error), message, before)
        except Exception as error:  # noqa: BLE001 - whatever it is, from here on our state would not be the engine's
            reason = f"tick {self.sequence + 1} cannot be applied: {type(error).__name__}: {error}"
            return self._break(BreakKind.NOT_APPLICABLE, reason, message, before)
        self._end(batch, message)
        return Taken(self.counted.ticks - before, self._compare(batch))

    def take_until(self, message: JournalMessage, sequence: int) -> list[AuditTick]:
        """Take the next message up to a tick, and return the ticks behind it, for ``take_rest``.

        For a fold of the past, which nobody follows the journal with. Raises JournalDamaged, or what applying raises.
        """
        batch = self._verifier.accept(message)
        self._end(batch, message)
        ticks = batch.ticks
        count = max(0, min(len(ticks), sequence - self.sequence))
        self._apply_all(ticks, batch.others, count)
        if count == len(ticks):
            self._compare(batch)
        return list(ticks[count:])

    def take_rest(self, ticks: list[AuditTick], sequence: int) -> list[AuditTick]:
        """Take verified ticks up to one, and return those behind it."""
        count = max(0, min(len(ticks), sequence - self.sequence))
        for tick in ticks[:count]:
            self._apply(tick)
        return ticks[count:]

    def _end(self, batch: AuditBatch, message: JournalMessage) -> None:
        head = batch.head
        self.epoch = head.engine_epoch
        self.counted.batches += 1
        self.counted.bytes += len(message.payload)
        self.stored_ns = message.time_ns
        self.batches.append(head.first_sequence, head.last_sequence, message.sequence)

    def miss(self, stream_sequence: int, reason: str) -> Break:
        """Stop here, because the message that comes next is nowhere to be had; return what is told of it."""
        self.broken = Break(BreakKind.GAP, reason, stream_sequence, self.sequence)
        return self.broken

    def _apply_all(self, ticks: tuple[AuditTick, ...], others: tuple[int, ...], end: int) -> None:
        """Apply the ticks of a batch up to a place: plain ones, which nearly all are, on end, the others one by one."""
        begin = 0
        for place in others:
            if place >= end:
                break
            self._apply_run(ticks, begin, place)
            self._apply(ticks[place])
            begin = place + 1
        self._apply_run(ticks, begin, end)

    def _apply_run(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> None:
        """Apply plain ticks on end, but for those before which, or by which, something else happens."""
        while begin < end:
            until = end
            sample_ns = self.projections.statistics.next_sample_ns
            if ticks[end - 1].time_ns > sample_ns:  # engine time never runs backwards
                until = bisect_right(ticks, sample_ns, begin, end, key=_time_of)
            if self.watch is not None:
                until = self.watch.market_end(ticks, begin, until)
            self._apply_plain(ticks, begin, until)
            if until < end:
                self._apply(ticks[until])
                until += 1
            begin = until

    def _apply_plain(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> None:
        if begin == end:
            return
        replica, following = self.replica, ticks[begin].sequence
        try:
            replica.apply_all(ticks, begin, end)
        finally:
            # All of them, or those before one that cannot be applied.
            behind = max(begin, begin + replica.sequence + 1 - following)
            self.projections.take_plain(sum_up(ticks, begin, behind))
            if self._digest is not None:
                for tick in ticks[begin:behind]:
                    self._digest.add(tick)
            self.counted.ticks += behind - begin
            if self.watch is not None:
                self.watch.took_market(ticks, begin, behind)

    def _apply(self, tick: AuditTick) -> None:
        replica = self.replica
        event = tick.event
        duplicate = False
        if isinstance(event, MarketEvent):
            pass  # nearly every tick: there is nothing to look at before
        elif isinstance(event, EngineStarted):
            if event.mode != self.mode:
                raise _WrongMode(f"expected a journal of mode {self.mode!r}, found one of {event.mode!r}")
            self._begin(tick, event)
        elif isinstance(event, EngineResumed):
            self._number(tick.sequence, event.started.index)
        elif isinstance(event, CodeChanged) and event.state_differs:
            self.verification.begin_anew()
        elif isinstance(event, AccountEvent) and replica.is_started:
            duplicate = is_duplicate(replica.state, event)
        if tick.time_ns > self.projections.statistics.next_sample_ns:
            self.projections.statistics.sample_before(tick.time_ns, replica.state)
        if not replica.apply(tick):
            raise ValueError(f"expected tick {replica.sequence + 1}, found {tick.sequence} again")
        self.projections.take(tick, replica.state, is_duplicate=duplicate)
        if self._digest is not None:
            self._digest.add(tick)
        self.counted.ticks += 1
        if self.watch is not None:
            self.watch.took(tick, replica.state, is_duplicate=duplicate)

    def _begin(self, tick: AuditTick, started: EngineStarted) -> None:
        """Begin a run: the engine has started afresh."""
        self._number(tick.sequence, started.index)
        self.run_first = tick.sequence
        self.run_name = run_name(started.engine_id, started.run, tick.sequence, tick.time_ns)
        self.projections = Projections(self._limits)
        self._digest = RunDigest() if self._with_digest else None

    def _number(self, sequence: int, index: IndexedInstruments) -> None:
        if not self.numberings or self.numberings[-1].index.fingerprint() != index.fingerprint():
            self.numberings.append(Numbering(sequence, index, to_plain(index)))

    def _compare(self, batch: AuditBatch) -> Check | None:
        head = batch.head
        if not head.core_hash and not head.user_hash:
            return None
        recorded = StateHash(head.hash_version, head.core_hash, head.user_hash)
        return self.verification.compare(head.last_sequence, recorded, self.hash())

    def _break(self, kind: BreakKind, reason: str, message: JournalMessage, before: int) -> Taken:
        self.broken = Break(kind, reason, message.sequence, self.sequence)
        return Taken(self.counted.ticks - before, broke=self.broken)


def _time_of(tick: AuditTick) -> int:
    return tick.time_ns
