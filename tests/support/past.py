"""The past without a process of its own: an archive written by hand, and what answers from it in this process."""

from collections.abc import Sequence
from pathlib import Path

from services.audit.config import Limits
from services.audit.fold import Fold
from services.audit.stored_fold import freeze
from services.audit.travel.question import PastAnswer, Question, TravelSetup
from services.audit.travel.worker import Answerer
from tests.support.archives import write
from tests.support.audit_api import STREAM, new_fold
from tradebus.bus.message import JournalMessage
from tradebus.core.model.number import enter_engine_context
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.checkpoints import Checkpoints


def travel_setup(folder: Path) -> TravelSetup:
    """Return how a process finds the archive in a folder."""
    return TravelSetup(folder, STREAM, "demo", Path("strategies"), Limits())


def archive_run(folder: Path, messages: Sequence[JournalMessage], checkpoint_every: int) -> None:
    """Write an archive with a checkpoint after every so many messages."""
    write(folder, messages, flush_every=20)
    fold = new_fold()
    checkpoints = Checkpoints(folder)
    for number, message in enumerate(messages, start=1):
        assert fold.take(message).broke is None
        if number % checkpoint_every == 0:
            enter_engine_context()
            ice = freeze(fold, STREAM, with_rows=False)
            checkpoints.write(ice.head, ice.snapshot, ice.extras())


def fold_until(messages: Sequence[JournalMessage], sequence: int) -> Fold:
    """Return a fold that took in every tick from the journal's beginning up to one."""
    fold = new_fold()
    for message in messages:
        fold.take_until(message, sequence)
        if fold.sequence == sequence:
            return fold
    raise AssertionError(f"expected a journal with tick {sequence}, found one that ends with {fold.sequence}")


class LocalPast:
    """Answers about the past in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[Question] = []
        self._answerer: Answerer | None = None

    @property
    def archived(self) -> int | None:
        """Return the last tick in the archive."""
        last = Archive(self.folder, STREAM).last_place()
        return None if last is None else last.place.head.last_sequence

    async def bring(self, sequence: int) -> bool:
        """Tell whether a tick is in the archive."""
        last = Archive(self.folder, STREAM).last_place()
        return last is not None and sequence <= last.place.head.last_sequence

    async def ask(self, question: Question) -> PastAnswer:
        """Return the answer."""
        self.asked.append(question)
        if self._answerer is None:
            self._answerer = Answerer(travel_setup(self.folder))
        return await self._answerer.answer(question)
