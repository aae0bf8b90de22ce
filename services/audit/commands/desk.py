"""Take commands and follow them: keep, send to the engine's stream, and look in the journal for what became of them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.audit.commands.asked import Asked, Sender, event_of
from services.audit.commands.bodies import EXPIRES_S_MAX
from services.audit.commands.errors import KeyConflict, NotTaken
from services.audit.commands.ledger import ENTRIES_MAX, Ledger, Taken
from services.audit.fold import Fold
from services.audit.projections import CommandOutcome, CommandStatus
from tradebus.bus.errors import BusError
from tradebus.bus.interface import Bus
from tradebus.wire import subjects
from tradebus.wire.codec.command import CommandMessage, command_message_to_bytes
from tradebus.wire.integrity import checked_headers

LOOK_PERIOD_S: Final = 0.005
SENT_AGAIN_NS: Final = EXPIRES_S_MAX * 1_000_000_000


class Standing(StrEnum):
    """Where a command stands. Only the engine's journal says that one was applied or rejected."""

    ACCEPTED = "accepted"
    APPLIED = "applied"
    REJECTED = "rejected"
    LOST = "lost"
    """It has expired, and what became of it, if anything has, will not be known here."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A command as it stands now: what was taken, if that was here, and what became of it, if anything has.

    ``lost`` says why nothing will be heard of it any more; empty while something may.
    """

    id: str
    taken: Taken | None
    outcome: CommandOutcome | None
    lost: str = ""

    @property
    def standing(self) -> Standing:
        """Return where it stands."""
        if self.outcome is None:
            return Standing.LOST if self.lost else Standing.ACCEPTED
        return Standing.APPLIED if self.outcome.status is CommandStatus.APPLIED else Standing.REJECTED


@final
class CommandDesk:
    """The one place through which commands reach ``engine``.

    A command is on disk before it is sent, and its id is the engine's key for it: the engine applies an id once.
    Sending again is safe: an engine knows the ids of the last hour, no command lives as long, and one that has expired
    is rejected by the engine, so that the journal says so. What was taken longer ago is not sent again: an engine that
    has forgotten that it applied it would call it expired. ``clock`` gives nanoseconds since the epoch.
    """

    def __init__(
        self,
        bus: Bus,
        engine: str,
        fold: Fold,
        ledger: Ledger,
        log: BoundLogger,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.fold: Final = fold
        self._bus: Final = bus
        self._subject: Final = subjects.cmd(engine)
        self._ledger: Final = ledger
        self._log: Final = log
        self._clock: Final = clock
        self._sent: set[str] = set()
        self._taking: Final = asyncio.Lock()

    async def take(self, sender: Sender, idempotency_key: str, asked: Asked) -> Progress:
        """Take a command, or find it again under its key; send it unless that was done. Raises CommandError."""
        command_id = sender.command_id(idempotency_key)
        async with self._taking:
            taken = self._ledger.get(command_id)
            if taken is None:
                taken = await self._keep(sender, command_id, asked)
        if taken.digest != asked.digest:
            raise KeyConflict(f"the key {idempotency_key!r} was used for another command, {taken.kind}: {command_id}")
        progress = self.progress(command_id)
        assert progress is not None, "what was taken is known"
        is_due = progress.outcome is None and command_id not in self._sent
        if is_due and self._clock() - taken.time_ns < SENT_AGAIN_NS:
            await self._send(taken, asked)
        return progress

    def progress(self, command_id: str) -> Progress | None:
        """Return where a command stands, none for one that nobody knows (any more)."""
        taken = self._ledger.get(command_id)
        outcome = self.fold.projections.commands.get(command_id)
        if taken is None and outcome is None:
            return None
        return Progress(command_id, taken, outcome, "" if taken is None or outcome is not None else self._lost(taken))

    def _lost(self, taken: Taken) -> str:
        """Return why nothing will be heard of a command that the journal says nothing of, empty while something may.

        Until it expires whatever engine reads it may apply it, also one whose journal was begun anew.
        """
        if self._clock() <= taken.expiry_ns:
            return ""
        if taken.run and taken.run != self.fold.run_name:
            return "the engine began a new run, or its journal was begun anew, after it was taken; nothing tells of it"
        oldest = next(self.fold.projections.commands.rows.oldest_first(), None)
        if self.fold.projections.commands.rows.dropped and oldest is not None and oldest[1].time_ns > taken.expiry_ns:
            return "what became of it is no longer kept here; `/v1/audit` has its tick"
        return ""

    async def wait(self, command_id: str, limit_s: float) -> Progress:
        """Return where a command stands once something has become of it, or after ``limit_s`` at the latest.

        The journal's projections may be begun anew at any tick, so this looks instead of being told.
        """
        ends_s = time.monotonic() + limit_s
        while True:
            progress = self.progress(command_id)
            assert progress is not None, "what was taken is known"
            left_s = ends_s - time.monotonic()
            if progress.standing is not Standing.ACCEPTED or left_s <= 0:
                return progress
            await asyncio.sleep(min(LOOK_PERIOD_S, left_s))

    async def _keep(self, sender: Sender, command_id: str, asked: Asked) -> Taken:
        now_ns = self._clock()
        expiry_ns = now_ns + asked.expires_ns
        taken = Taken(
            command_id, asked.kind, asked.digest, sender.origin(now_ns), now_ns, expiry_ns, self.fold.run_name
        )
        try:
            await asyncio.to_thread(self._ledger.add, taken)
        except OSError as error:
            self._log.error("a command could not be kept, so it was not taken", id=command_id, exc_info=error)
            raise NotTaken(f"the command could not be written down: {error.strerror}") from error
        self._log.info("command taken", id=command_id, kind=asked.kind, origin=taken.origin)
        return taken

    async def _send(self, taken: Taken, asked: Asked) -> None:
        """Append what is asked to the engine's stream, the last of it under the command's own id."""
        for number, ask in enumerate(asked.asks, 1):
            part_id = taken.id if number == len(asked.asks) else f"{taken.id}-{number}"
            event = event_of(ask, part_id, taken.origin)
            message = CommandMessage(part_id, taken.origin, taken.time_ns, taken.expiry_ns, event)
            payload = command_message_to_bytes(message)
            try:
                position = await self._bus.append(self._subject, payload, headers=checked_headers(payload))
            except BusError as error:
                self._log.warning("a command could not be sent", id=part_id, reason=str(error))
                raise NotTaken(f"the command could not be sent: {error}; repeat it with the same key") from error
            self._log.info("command sent", id=part_id, kind=taken.kind, stream_sequence=position)
        self._remember(taken.id)

    def _remember(self, command_id: str) -> None:
        if len(self._sent) >= 2 * ENTRIES_MAX:
            # What the ledger has forgotten is not asked for any more.
            self._sent -= {each for each in self._sent if self._ledger.get(each) is None}
        self._sent.add(command_id)
