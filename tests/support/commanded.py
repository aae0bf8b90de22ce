"""The API of a run that goes on: what is sent to its engine can be given to it, and comes back through its journal."""

from typing import Any

import httpx2

from services.audit.api.access import Role
from services.audit.api.stream.limits import StreamLimits
from services.audit.config import Limits
from services.audit.travel.reads import PastReads
from tests.support.audit_api import LIMITS, NO_STREAMS, AuditApi, new_fold
from tests.support.audit_run import EngineRun, sealed_batch
from tradebus.core.engine.event_base import EngineEvent
from tradebus.wire.codec.command import CommandMessage, command_message_from_bytes, read_at


class Commanded(AuditApi):
    """Shows the key of an operator named alice unless a test gives ``operator`` another."""

    def __init__(
        self,
        run: EngineRun,
        streams: StreamLimits = NO_STREAMS,
        reads: PastReads | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        super().__init__(new_fold(limits), streams, reads=reads)
        self.run = run
        self.operator = self.key(Role.OPERATOR, "alice")
        self._given = 0

    async def post(self, what: str, body: Any, key: str = "k-1", query: str = "", **headers: str) -> httpx2.Response:
        shown = {"Idempotency-Key": key, **self.operator, **headers}
        return await self.client.post(f"/v1/commands/{what}{query}", json=body, headers=shown)

    async def sent(self) -> list[CommandMessage]:
        """Return what is on the engine's stream of commands, in order."""
        last = (await self.bus.journal_state("CMD_demo")).last_sequence
        found: list[CommandMessage] = []
        for number in range(1, last + 1):
            message = await self.bus.message("CMD_demo", number)
            assert message is not None
            found.append(command_message_from_bytes(message.payload))
        return found

    async def engine_takes(self, *events: EngineEvent, after_ns: int = 1) -> None:
        """Let the engine process events, each so much later, and the replica take in its ticks."""
        engine = self.run.engine
        ticks = [engine.process(event, engine.time_ns + after_ns) for event in events]
        await self.feed([sealed_batch(ticks, engine.started, self.fold.chain, engine.hash())])

    async def engine_reads(self) -> None:
        """Let the engine process what was sent since it read last, and the replica take in its ticks."""
        messages = await self.sent()
        events = [read_at(message, at) for at, message in enumerate(messages, 1)][self._given :]
        self._given = len(messages)
        await self.engine_takes(*events)
