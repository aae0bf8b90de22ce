"""Check a replay: fold the same ticks and tell whether the account events in them are the ones the fold gives."""

from collections.abc import Mapping
from typing import Final, final

from services.execution.fold import ReplayFold
from services.runtime import Json, Runtime, Service
from services.runtime.streams import wait_for_stream
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.event import EngineStarted, FeedEnded
from tradebus.journal.verify import AuditVerifier
from tradebus.wire import subjects


@final
class ReplayExecution(Service):
    """Follows the audit journal of a replay; it appends nothing."""

    def __init__(self, runtime: Runtime, bus: Bus) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._verifier: Final = AuditVerifier()
        self._folds: list[ReplayFold] = []
        self._reader: JournalReader | None = None
        self._is_finished = False

    async def start(self) -> None:
        """Follow the journal from its beginning."""
        stream = subjects.audit_stream(self._runtime.settings.journal_id)
        await wait_for_stream(self._runtime, self._bus, stream)
        self._reader = await self._bus.consume(stream, 1, self._on_message)
        await self._reader.wait_caught_up()

    async def stop(self) -> None:
        """Stop following."""
        if self._reader is not None:
            await self._reader.stop()

    def status(self) -> Mapping[str, Json]:
        """Return how far the fold is, and whether it was equal so far."""
        return {
            "sequence": self._verifier.sequence,
            "is_finished": self._is_finished,
            "fold_equal": all(fold.is_equal for fold in self._folds),
            "accounts": {
                fold.exchange.setup.account: {"compared": fold.compared, "difference": fold.difference}
                for fold in self._folds
            },
        }

    def _on_message(self, message: JournalMessage) -> None:
        for tick in self._verifier.accept(message).ticks:
            event = tick.event
            if isinstance(event, EngineStarted):
                self._folds = [
                    ReplayFold(event.index, account) for account in event.accounts if account.simulation is not None
                ]
            for fold in self._folds:
                fold.fold(tick)
            if isinstance(event, FeedEnded):
                self._is_finished = True
                for fold in self._folds:
                    fold.finish()
