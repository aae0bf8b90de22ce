"""Own one simulated account: what the fold gives stands in its journal, once."""

from typing import Final, final

from services.execution.account_journal import AccountJournal
from services.execution.fold import PaperFold
from services.execution.held import HeldEvents
from services.runtime import Json
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent, EngineStarted
from tradebus.crash_points import crash_point


class FoldDiffers(ValueError):
    """The fold gives another event than the journal holds: one of them was made by other code or other ticks."""


@final
class PaperAccount:
    """One simulated account: its fold, its journal, and what the journal held before we took it.

    The same ticks always give the same events in the same order, so what the journal holds is a beginning of what the
    fold gives: that is recognised, event by event, and all that follows is appended.
    """

    def __init__(self, name: str, journal: AccountJournal, held: HeldEvents) -> None:
        self.name: Final = name
        self.journal: Final = journal
        self.held: Final = held
        self.fold: Final = PaperFold(name)
        self.appended = 0
        self.recognised = 0

    def take(self, tick: AuditTick) -> int:
        """Fold the next tick when everything that was held is recognised; return how many events it gave."""
        events = self._fold(tick)
        if events:
            crash_point("execution.mid_fold")
        self._append(events, tick)
        return len(events)

    async def take_catching_up(self, tick: AuditTick) -> int:
        """Fold the next tick and recognise what it gives; return how many events are new.

        Raises FoldDiffers.
        """
        events = self._fold(tick)
        for number, event in enumerate(events):
            held = await self.held.next()
            if held is None:
                if not self.held.is_done:
                    return 0  # stopped: whether this event is in the journal is for the next owner to find out
                self._append(events[number:], tick)
                return len(events) - number
            if held != event:
                raise FoldDiffers(f"account {self.name}: the journal holds {held}, the fold gives {event}")
            self.recognised += 1
        return 0

    async def caught_up(self) -> None:
        """Check, once all ticks are folded that there were, that the journal holds nothing more than they give.

        Raises FoldDiffers: the audit journal has lost ticks, and what comes now would contradict what was told.
        """
        left = await self.held.next()
        if left is not None:
            raise FoldDiffers(f"account {self.name}: the journal holds {left}, which no tick explains")

    def status(self) -> dict[str, Json]:
        """Return where the account stands."""
        exchange = self.fold.exchange
        return {
            "owner_epoch": self.journal.owner_epoch,
            "entries": self.journal.durable_entries,
            "appended": self.appended,
            "recognised": self.recognised,
            "is_catching_up": not self.held.is_done,
            "open_orders": 0 if exchange is None else len(exchange.open_orders()),
        }

    def _fold(self, tick: AuditTick) -> list[AccountEvent]:
        if isinstance(tick.event, EngineStarted):
            self.journal.use_index(tick.event.index.fingerprint())
        return self.fold.fold(tick)

    def _append(self, events: list[AccountEvent], tick: AuditTick) -> None:
        last = len(events) - 1
        for number, event in enumerate(events):
            # Only with its last event is everything of this tick in the journal.
            self.journal.add(event, tick.time_ns, tick.sequence + 1 if number == last else tick.sequence)
        self.appended += len(events)
