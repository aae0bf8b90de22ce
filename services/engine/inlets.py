"""Say how far all the journals are read that feed the engine, at the moment a snapshot is taken."""

from collections.abc import Sequence
from typing import Final, final

from services.engine.account_inlet import AccountInlet
from services.engine.account_place import AccountPlace
from services.engine.command_inlet import CommandInlet


@final
class JournalInlets:
    """The inlets that read journals."""

    def __init__(self, accounts: Sequence[AccountInlet], commands: CommandInlet) -> None:
        self._accounts: Final = accounts
        self._commands: Final = commands

    def accounts(self) -> tuple[AccountPlace, ...]:
        """Return how far the accounts' journals were handed to the engine; those of which nothing was are left out."""
        places = (inlet.place for inlet in self._accounts)
        return tuple(place for place in places if place is not None)

    def commands(self) -> int:
        """Return the last message of the stream of commands with which the engine is done."""
        return self._commands.position
