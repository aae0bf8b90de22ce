"""What an account is to whoever owns it, be it simulated or a venue's."""

from abc import ABC, abstractmethod

from services.execution.account_journal import AccountJournal
from services.runtime.pressure import Pressure
from tradebus.wire.codec.account_journal import AccountBatch


class OwnedAccount(ABC):
    """One account, followed by every replica and written by its owner."""

    name: str
    fingerprint: str
    """Names the numbering that its records use; empty while none is known."""
    journal_room: Pressure
    """Who reads the journal waits for it."""

    @abstractmethod
    def see(self, batch: AccountBatch, position: int) -> None:
        """Take note of the journal's next message, which stands at ``position``."""

    @abstractmethod
    def hold_until(self, position: int) -> bool:
        """Tell whether messages up to a position hold something that is not explained yet."""

    @abstractmethod
    def check_explained(self, position: int) -> None:
        """Raise what stands against owning the account, when everything is known that explains its journal."""

    @abstractmethod
    def open(self, journal: AccountJournal) -> None:
        """Write to the journal from now on: the record that takes the account is in it."""

    @abstractmethod
    def close(self) -> None:
        """Write nothing more."""
