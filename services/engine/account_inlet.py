"""Take what happened on an account out of its journal and into the engine, each entry once and in order."""

from collections.abc import Callable
from typing import Final, final

from services.engine.account_place import AccountPlace
from services.engine.intake import Loop, Reject
from services.engine.pruned_front import first_to_read, verifier_before
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.event import AccountEvent, AccountReconnecting, AccountSetup, OwnerChanged
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import AccountCursor
from tradebus.journal.verify import AccountVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import AccountEntry, AccountRecord, Ownership
from tradebus.wire.codec.bounds import UNBOUNDED


@final
class AccountInlet:
    """Reads one account's journal, verified, and steps what is new to this engine.

    What ticks before ``first_tick`` caused is left out: they belong to an engine that ran before on the same journal.
    An engine that begins takes what is written from then on. One that goes on (``cursor``: the key of the last event in
    its state) takes what stands behind that event; it reads from ``place``, which its snapshot knew, or from the
    beginning, as far as that is there. ``note`` is called with every record that is read, also with those left out.
    """

    def __init__(
        self,
        bus: Bus,
        setup: AccountSetup,
        loop: Loop,
        first_tick: int,
        reject: Reject,
        cursor: AccountCursor | None = None,
        note: Callable[[AccountRecord], None] | None = None,
        *,
        journal_id: str = "",
        place: AccountPlace | None = None,
    ) -> None:
        self._bus: Final = bus
        self._setup: Final = setup
        self._loop: Final = loop
        self._first_tick: Final = first_tick
        self._reject: Final = reject
        self._note: Final = note
        # An earlier run may have numbered its instruments otherwise; what is stepped is checked by the engine.
        self._verifier = AccountVerifier(UNBOUNDED)
        self._journal_id: Final = journal_id
        self._start_after = 0
        self._is_resumed: Final = cursor is not None
        self._applied: Final = (0, 0) if cursor is None else (cursor.cause, cursor.ordinal)
        self._is_applied = self._applied != (0, 0)
        self._seen = (0, 0)
        self._handed: AccountPlace | None = None
        if place is not None:
            self._begin_at(place)
        self._reader: JournalReader | None = None
        self.events = 0
        self.refused = 0

    async def note_end(self) -> None:
        """Remember where the journal ends before the engine begins; one that goes on knows it by its state."""
        if self._is_resumed:
            return
        state = await self._bus.journal_state(subjects.acct_stream(self._setup.account))
        self._start_after = state.last_sequence

    @property
    def place(self) -> AccountPlace | None:
        """Return how far the journal was handed to the engine, whole messages; none while nothing was."""
        return self._handed

    async def start(self) -> None:
        """Begin to read. Raises PrunedTooFar, JournalDamaged, and as ``Bus.consume``."""
        stream = subjects.acct_stream(self._setup.account)
        first = await self._first(stream)
        if first > self._verifier.position + 1:
            self._verifier = await verifier_before(self._bus, stream, first)
            self._is_applied = self._applied != (0, 0)
        self._reader = await self._bus.consume(stream, first, self._on_message)

    async def stop(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.stop()

    async def _first(self, stream: str) -> int:
        """Return the message to begin with. The last one of a stream is never pruned."""
        if self._is_resumed:
            return await first_to_read(self._bus, self._journal_id, stream, self._verifier.position)
        return (await self._bus.journal_state(stream)).first_sequence

    def _begin_at(self, place: AccountPlace) -> None:
        self._verifier = AccountVerifier(
            UNBOUNDED, position=place.position, chain=place.chain, entry=place.next_entry - 1
        )
        self._verifier.account = self._setup.account
        self._verifier.owner_epoch = place.owner_epoch
        self._seen = (place.cause, place.ordinal)
        # Where the last event in the state lies before the place, nothing behind the place is in it.
        self._is_applied = self._applied > self._seen
        self._handed = place

    def _on_message(self, message: JournalMessage) -> None:
        # A damaged journal of money raises and ends the reader: the service stops rather than guess.
        batch = self._verifier.accept(message)
        if self._note is not None:
            for entry in batch.entries:
                self._note(entry.record)
        for entry in batch.entries:
            record = entry.record
            if isinstance(record, AccountEvent) and (record.cause, record.ordinal) != (0, 0):
                self._seen = (record.cause, record.ordinal)
            if message.sequence > self._start_after and not (self._is_applied and self._was_applied(entry)):
                self._step(entry, message)
        # Only now: a snapshot that is taken while one of its entries is stepped does not hold the others.
        verifier = self._verifier
        self._handed = AccountPlace(
            self._setup.account,
            verifier.position,
            verifier.chain,
            verifier.entry + 1,
            verifier.owner_epoch,
            *self._seen,
        )

    def _step(self, entry: AccountEntry, message: JournalMessage) -> None:
        try:
            event = self._event(entry)
            if event is not None:
                self._loop.step(event)
                self.events += 1
        except InvalidEvent as error:
            self.refused += 1
            self._reject(message.subject, message.payload, str(error))

    def _was_applied(self, entry: AccountEntry) -> bool:
        """Tell whether the state holds an entry; all that stands before its last keyed event is in it, too."""
        record = entry.record
        if not isinstance(record, AccountEvent) or (record.cause, record.ordinal) == (0, 0):
            return True
        key = (record.cause, record.ordinal)
        self._is_applied = key < self._applied
        return key <= self._applied

    def _event(self, entry: AccountEntry) -> EngineEvent | None:
        record = entry.record
        if isinstance(record, Ownership):
            return AccountEvent(self._setup.exchange, 0, 0, OwnerChanged(record.owner, record.owner_epoch))
        if isinstance(record, AccountEvent):
            # What happens on a venue's account is numbered by its journal, not by the ticks that caused it.
            is_earlier = self._setup.simulation is not None and record.cause < self._first_tick
            return None if is_earlier else self._ours(record)
        if isinstance(record, AccountReconnecting):
            return self._ours(record)
        # Intents and results concern venue accounts; the engine learns of them by the events they lead to.
        return None

    def _ours(self, event: AccountEvent | AccountReconnecting) -> EngineEvent:
        if event.exchange != self._setup.exchange:
            where = f"account {self._setup.account} is on exchange {self._setup.exchange}"
            raise InvalidEvent(f"{where}, its journal holds an event of exchange {event.exchange}")
        return event
