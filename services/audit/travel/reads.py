"""The past as the API reads it."""

from typing import Final, Protocol, final

from services.audit.archivist import Archivist
from services.audit.travel.machine import TimeMachine
from services.audit.travel.question import PastAnswer, Question

ARCHIVED_WITHIN_S: Final = 5.0
"""So long may it take until a tick that is in the replica is in the archive, when somebody waits for it."""


class PastReads(Protocol):
    """Answers about the past."""

    @property
    def archived(self) -> int | None:
        """Return the last tick that is archived and on disk, none before the first."""
        ...

    async def bring(self, sequence: int) -> bool:
        """Have a tick that is in the replica in the archive; tell whether it is there."""
        ...

    async def ask(self, question: Question) -> PastAnswer:
        """Return the answer to a question. Raises TooManyWaiting, TookTooLong."""
        ...


@final
class ArchivedPast:
    """The past from the archive that this service writes, rebuilt in a process of its own."""

    def __init__(self, machine: TimeMachine, archivist: Archivist) -> None:
        self._machine: Final = machine
        self._archivist: Final = archivist

    @property
    def archived(self) -> int | None:
        """Return the last tick that is archived and on disk, none before the first."""
        end = self._archivist.end
        return None if end is None else end.sequence

    async def bring(self, sequence: int) -> bool:
        """Have a tick that is in the replica in the archive, on disk; tell whether it is there."""
        return await self._archivist.bring(sequence, ARCHIVED_WITHIN_S)

    async def ask(self, question: Question) -> PastAnswer:
        """Return the answer to a question. Raises TooManyWaiting, TookTooLong."""
        return await self._machine.ask(question)
