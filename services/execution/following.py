"""Follow an account's journal, whoever writes it: what is there is never told again, and what is unsound ends us."""

from collections.abc import Awaitable, Callable
from typing import Final, final

from services.execution.owned import OwnedAccount
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.journal.verify import AccountVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import UNBOUNDED
from tradebus.wire.codec.paper_snapshot import PaperPlace


@final
class AccountFollower:
    """Reads one account's journal, verified, and hands its events to the account.

    ``moved`` is called after each batch.
    """

    def __init__(self, bus: Bus, account: OwnedAccount, moved: Callable[[], None]) -> None:
        self._bus: Final = bus
        self._account: Final = account
        self._moved: Final = moved
        # An earlier run may have numbered its instruments otherwise.
        self.verifier = AccountVerifier(UNBOUNDED)
        self._reader: JournalReader | None = None

    @property
    def position(self) -> int:
        """Return the last message that the account has been told of."""
        return self.verifier.position

    @property
    def chain(self) -> str:
        """Return that message's chain hash."""
        return self.verifier.chain

    @property
    def entry(self) -> int:
        """Return the number of the last entry in it."""
        return self.verifier.entry

    @property
    def owner_epoch(self) -> int:
        """Return the epoch of the owner that wrote it."""
        return self.verifier.owner_epoch

    def begin_at(self, place: PaperPlace) -> None:
        """Begin behind what a snapshot of the account knows."""
        self.verifier = AccountVerifier(
            UNBOUNDED, position=place.account_position, chain=place.account_chain, entry=place.next_entry - 1
        )
        self.verifier.account = self._account.name
        self.verifier.owner_epoch = place.owner_epoch

    async def start(self) -> None:
        """Begin to read behind what the account knows. Raises as ``Bus.consume``."""
        stream = subjects.acct_stream(self._account.name)
        self._reader = await self._bus.consume(stream, self.verifier.position + 1, self._on_message)

    async def stop(self) -> None:
        """Read no more."""
        if self._reader is not None:
            await self._reader.stop()

    def _on_message(self, message: JournalMessage) -> Awaitable[None] | None:
        # A damaged journal of money raises and ends the reader: the service stops rather than guess.
        batch = self.verifier.accept(message)
        self._account.see(batch, message.sequence)
        self._moved()
        return self._account.journal_room.wait() if self._account.journal_room.is_full else None
