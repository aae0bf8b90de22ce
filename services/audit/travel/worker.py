"""The process that answers for the past: frames come in on standard input, answers go out, until the input ends.

It runs the API's own routes over a fold of the past, so an answer about then differs in nothing but its moment from one
that was given then. Nobody else may write to its standard output, so that is moved out of the way.
"""

import asyncio
import gc
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, final

from services.audit.api.past_app import PastApp
from services.audit.rpc.state import whole_state
from services.audit.travel.question import (
    PastAnswer,
    Question,
    TravelSetup,
    answer_frame,
    read_head,
)
from services.audit.travel.rebuild import BeforeTheArchive, Rebuilder
from tradebus.bus.errors import BusError
from tradebus.config.strategies import add_strategies_folder
from tradebus.core.model.number import enter_engine_context
from tradebus.journal.archive.damage import ArchiveDamaged, ArchiveError
from tradebus.journal.archive.past import NotArchived
from tradebus.journal.verify import JournalDamaged
from tradebus.wire.codec.error import DecodeError

NICENESS: Final = 5
"""Who trades and who follows the journal come first."""
COLLECT_AFTER: Final = 50_000
OOM_FIRST: Final = Path("/proc/self/oom_score_adj")
"""Where memory runs out, Linux is to end this process and not the one that follows the journal."""


@final
class Answerer:
    """Answers questions, one at a time."""

    def __init__(self, setup: TravelSetup) -> None:
        self._rebuilder: Final = Rebuilder(setup)
        self._app: Final = PastApp()

    async def answer(self, question: Question) -> PastAnswer:
        """Return the answer, whatever stands in its way."""
        begun_s = time.perf_counter()
        try:
            found = await self._answer(question)
        except NotArchived as error:
            found = PastAnswer(410, problem="not_archived", detail=str(error))
        except BeforeTheArchive as error:
            found = PastAnswer(410, problem="pruned", detail=f"the moment is not kept: {error}")
        except (ArchiveDamaged, ArchiveError, JournalDamaged, DecodeError, BusError, OSError) as error:
            found = PastAnswer(503, problem="archive_unreadable", detail=f"the archive cannot be read: {error}")
        took_ms = (time.perf_counter() - begun_s) * 1e3
        return PastAnswer(found.status, found.headers, found.body, found.problem, found.detail, took_ms)

    async def _answer(self, question: Question) -> PastAnswer:
        enter_engine_context()
        sequence = question.sequence
        if sequence is None:
            assert question.time_ns is not None, "a question names its moment"
            sequence = self._rebuilder.sequence_at(question.time_ns)
        if not question.path and not question.is_whole:
            return PastAnswer(200, {"sequence": str(sequence)})
        fold = self._rebuilder.fold_at(sequence)
        if question.is_whole:
            return PastAnswer(200, body=whole_state(fold).SerializeToString())
        if question.other is None:
            return await self._app.get(fold, question)
        before = self._app.seen(fold, question)  # now, as the same fold may move on to the other tick
        return self._app.diff(before, self._rebuilder.fold_at(question.other), question)


def main() -> None:
    """Serve until standard input ends."""
    os.nice(NICENESS)
    with suppress(OSError):  # where there is no such file, nobody chooses by it either
        OOM_FIRST.write_text("1000")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asyncio.run(_serve(sys.stdin.buffer, answers))


async def _serve(questions: BinaryIO, answers: BinaryIO) -> None:
    head = read_head(questions)
    if head is None:
        return
    setup = TravelSetup.from_plain(head)
    add_strategies_folder(setup.strategies_dir)
    answerer = Answerer(setup)
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)
    while (head := read_head(questions)) is not None:
        answers.write(answer_frame(await answerer.answer(Question(**head))))
        answers.flush()
