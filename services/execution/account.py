"""One simulated account: what the fold of the ticks gives, held against what stands in the account's journal."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from services.execution.account_journal import AccountJournal
from services.execution.fold import PaperFold
from services.execution.owned import OwnedAccount
from services.runtime.pressure import Pressure
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent
from tradebus.core.engine.resumed import start_record
from tradebus.core.simulation.exchange import SimulatedExchange
from tradebus.crash_points import crash_point
from tradebus.wire.codec.account_journal import AccountBatch
from tradebus.wire.codec.paper_snapshot import HeldEvent, PaperPlace, PaperSnapshot, UnseenEvent
from tradebus.wire.codec.simulation import SimulatedAccount

HELD_MAX: Final = 4_096
"""So many events of the journal may wait for the ticks that explain them; who reads the journal waits meanwhile."""
UNSEEN_MAX: Final = 4_096
"""So many events that the fold gave may wait to be seen in the journal; who reads the ticks waits meanwhile."""


class FoldDiffers(ValueError):
    """The fold gives another event than the journal holds: one of them was made by other code or other ticks."""


@dataclass(frozen=True, slots=True)
class Given:
    """An event that the fold gave: with it and those before, everything from ticks before ``audit_sequence`` is told.

    ``time_ns`` is the engine time at which it fell due, ``fingerprint`` names the numbering it uses.
    """

    event: AccountEvent
    time_ns: int
    audit_sequence: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Held:
    """An event that the journal holds in message ``position`` and that the fold has not given yet."""

    event: AccountEvent
    position: int


@final
class PaperAccount(OwnedAccount):
    """One simulated account, whoever owns it.

    The same ticks always give the same events in the same order, so the journal is a beginning of what the fold gives,
    or the fold has not come as far yet. Every replica follows both and compares them event by event; what is left over
    is either ``held`` (the journal is ahead) or ``unseen`` (the fold is). The owner is who puts what is unseen into the
    journal; whoever becomes the owner has it at hand.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.fold: Final = PaperFold(name)
        self.fingerprint = ""
        self.unseen: Final[deque[Given]] = deque()
        self.held: Final[deque[Held]] = deque()
        self.ticks_room: Final = Pressure(lambda: len(self.unseen) >= UNSEEN_MAX)
        self.journal_room = Pressure(lambda: len(self.held) >= HELD_MAX)
        self.appended = 0
        self.recognised = 0
        self.next_tick = 0
        self._journal: AccountJournal | None = None
        self.on_told: Callable[[AccountEvent], None] | None = None
        """Called with each event that is put into the journal."""

    def take(self, tick: AuditTick) -> int:
        """Fold the next tick, unless a snapshot holds it; return how many events it gave. Raises FoldDiffers."""
        if tick.sequence < self.next_tick:
            return 0
        self.next_tick = tick.sequence + 1
        started = start_record(tick.event)
        if started is not None:
            self.fingerprint = started.index.fingerprint()
        return self._tell(tick, self.fold.fold(tick))

    def take_all(self, ticks: tuple[AuditTick, ...]) -> int:
        """Fold the ticks of a batch as ``take`` does, most of them on end; return how many events they gave."""
        given = 0
        place = max(0, self.next_tick - ticks[0].sequence)
        while place < len(ticks):
            behind, events = self.fold.fold_quiet(ticks, place)
            if behind == place:
                given += self.take(ticks[place])
                place += 1
                continue
            last = ticks[behind - 1]
            self.next_tick = last.sequence + 1
            given += self._tell(last, events)
            place = behind
        return given

    def _tell(self, tick: AuditTick, events: list[AccountEvent]) -> int:
        """Compare what fell due at a tick with the journal, or put it there; return how many events it is."""
        if events:
            crash_point("execution.mid_fold")
        last = len(events) - 1
        for number, event in enumerate(events):
            if self.held:
                self._compare(self.held.popleft().event, event)
                self.recognised += 1
                self.journal_room.eased()
                continue
            # Only with its last event is everything of this tick in the journal.
            told = tick.sequence + 1 if number == last else tick.sequence
            given = Given(event, tick.time_ns, told, self.fingerprint)
            self.unseen.append(given)
            self._append(given)
        return len(events)

    def see(self, batch: AccountBatch, position: int) -> None:
        """Take note of the events in the journal's next message. Raises FoldDiffers."""
        is_ours = self._journal is not None and batch.head.owner_epoch == self._journal.owner_epoch
        for entry in batch.entries:
            event = entry.record
            if not isinstance(event, AccountEvent):
                continue
            if not self.unseen:
                self.held.append(Held(event, position))
                continue
            self._compare(event, self.unseen.popleft().event)
            if not is_ours:
                self.recognised += 1
        self.ticks_room.eased()

    def hold_until(self, position: int) -> bool:
        """Tell whether messages up to a position hold something that no tick has explained yet."""
        return bool(self.held) and self.held[0].position <= position

    def check_explained(self, position: int) -> None:
        """Check, when all ticks are folded that there were, that they explain the journal up to a position.

        Raises FoldDiffers: the audit journal has lost ticks, and what comes now would contradict what was told.
        """
        if self.hold_until(position):
            found = self.held[0]
            where = f"message {found.position}"
            raise FoldDiffers(
                f"account {self.name}: the journal holds {found.event} in {where}, which no tick explains"
            )

    def open(self, journal: AccountJournal) -> None:
        """Put everything unseen into the journal, and from now on what the fold gives."""
        self._journal = journal
        for given in self.unseen:
            self._append(given)

    def close(self) -> None:
        """Put nothing more into a journal; what was put there and is not seen stays unseen."""
        self._journal = None

    def snapshot(self, instance: str, place: PaperPlace) -> PaperSnapshot:
        """Return everything that is known of the account, as it is at a place in both journals."""
        exchange = self.fold.exchange
        return PaperSnapshot(
            self.name,
            instance,
            place,
            self.fingerprint,
            tuple(UnseenEvent(each.event, each.time_ns, each.audit_sequence, each.fingerprint) for each in self.unseen),
            tuple(HeldEvent(each.event, each.position) for each in self.held),
            None if exchange is None else SimulatedAccount(exchange.setup, exchange.index, exchange.state()),
        )

    def restore(self, snapshot: PaperSnapshot) -> None:
        """Go on from a snapshot of this account, before anything was folded or seen."""
        self.next_tick = snapshot.place.next_tick
        self.fingerprint = snapshot.index_fingerprint
        for unseen in snapshot.unseen:
            self.unseen.append(Given(unseen.event, unseen.time_ns, unseen.audit_sequence, unseen.index_fingerprint))
        for held in snapshot.held:
            self.held.append(Held(held.event, held.position))
        kept = snapshot.exchange
        if kept is not None:
            self.fold.exchange = SimulatedExchange(kept.index, kept.setup)
            self.fold.exchange.restore(kept.state)

    def release(self) -> None:
        """Hold up nobody from now on."""
        self.ticks_room.release()
        self.journal_room.release()

    def _append(self, given: Given) -> None:
        if self._journal is None:
            return
        self._journal.use_index(given.fingerprint)
        self._journal.add(given.event, given.time_ns, given.audit_sequence)
        self.appended += 1
        if self.on_told is not None:
            self.on_told(given.event)

    def _compare(self, held: AccountEvent, given: AccountEvent) -> None:
        if held != given:
            raise FoldDiffers(f"account {self.name}: the journal holds {held}, the fold gives {given}")
