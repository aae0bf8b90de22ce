"""Ask about the past: one process, started when it is first needed, bounded in time, in memory and in who may wait.

Rebuilding takes the interpreter for up to a second. In a process of its own the replica does not feel that.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.audit.travel.question import (
    SIZES_BYTES,
    PastAnswer,
    Question,
    TravelSetup,
    answer_of,
    question_frame,
    sizes,
)

WAITING_MAX: Final = 32
LIMIT_S: Final = 10.0
START_LIMIT_S: Final = 30.0
IDLE_S: Final = 300.0
"""So long without a question and the process ends: its memory is as much as the service's own."""
KEPT_BYTES_MAX: Final = 8 * 1024 * 1024
_OK: Final = 200


class TooManyWaiting(Exception):
    """More questions wait than are worth waiting for."""


class TookTooLong(Exception):
    """An answer that did not come within the limit, or a process that ended over it."""


@final
class TimeMachine:
    """The past as the API asks for it."""

    def __init__(self, setup: TravelSetup, log: BoundLogger, *, limit_s: float = LIMIT_S) -> None:
        self._setup: Final = setup
        self._log: Final = log
        self._limit_s: Final = limit_s
        self._process: Process | None = None
        self._one: Final = asyncio.Lock()
        self._waiting = 0
        self._kept: Final[OrderedDict[Question, PastAnswer]] = OrderedDict()
        self._kept_bytes = 0
        self._idle: asyncio.TimerHandle | None = None
        self._ending: Final[set[asyncio.Task[None]]] = set()

    async def ask(self, question: Question) -> PastAnswer:
        """Return an answer; the past does not change, so what was answered is given again. See the exceptions here."""
        kept = self._kept.get(question)
        if kept is not None:
            self._kept.move_to_end(question)
            return kept
        if self._waiting >= WAITING_MAX:
            raise TooManyWaiting(f"{self._waiting} questions about the past wait already")
        self._waiting += 1
        try:
            async with self._one:
                answer = await self._ask(question)
        finally:
            self._waiting -= 1
        if answer.status == _OK and question.sequence is not None:
            self._keep(question, answer)
        return answer

    async def stop(self) -> None:
        """End the process."""
        if self._idle is not None:
            self._idle.cancel()
        async with self._one:
            await self._end()

    async def _ask(self, question: Question) -> PastAnswer:
        if self._idle is not None:
            self._idle.cancel()
        process = self._process
        limit_s = self._limit_s
        if process is None or process.returncode is not None:
            process = await self._start()
            limit_s += START_LIMIT_S
        try:
            async with asyncio.timeout(limit_s):
                return await _exchange(process, question)
        except TimeoutError as error:
            await self._end()
            raise TookTooLong(f"rebuilding it took more than {self._limit_s:g} s") from error
        except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError) as error:
            code = await process.wait()
            await self._end()
            self._log.error("the process that rebuilds the past ended", exit_code=code, path=question.path)
            raise TookTooLong(f"the process that rebuilds the past ended with {code}") from error
        except asyncio.CancelledError:
            await self._end()  # its answer would be taken for that of the next question
            raise
        finally:
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._end_idle)

    async def _start(self) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.audit.travel", stdin=PIPE, stdout=PIPE
        )
        assert self._process.stdin is not None
        self._process.stdin.write(self._setup.to_frame())
        self._log.info("the process that rebuilds the past was started", pid=self._process.pid)
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()  # it only reads
            await process.wait()

    def _end_idle(self) -> None:
        task = asyncio.get_running_loop().create_task(self.stop(), name="end of the past")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _keep(self, question: Question, answer: PastAnswer) -> None:
        if len(answer.body) > KEPT_BYTES_MAX // 4 or question in self._kept:
            return
        self._kept[question] = answer
        self._kept_bytes += len(answer.body)
        while self._kept_bytes > KEPT_BYTES_MAX:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= len(dropped.body)


async def _exchange(process: Process, question: Question) -> PastAnswer:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(question_frame(question))
    await process.stdin.drain()
    head_bytes, body_bytes = sizes(await process.stdout.readexactly(SIZES_BYTES))
    head = await process.stdout.readexactly(head_bytes)
    return answer_of(head, await process.stdout.readexactly(body_bytes))
