"""Run the engine on live input: market data, account journals and commands in, the audit journal out.

Demo, paper and live are this, with other feeds and accounts.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, final

from services.engine.account_inlet import AccountInlet
from services.engine.command_inlet import CommandInlet
from services.engine.counts import EngineCounts
from services.engine.journal import AuditJournal
from services.engine.market_inlet import MarketInlet
from services.engine.owners import OwnerWatch
from services.engine.status import engine_status
from services.engine.stepper import Stepper
from services.runtime import Json, Position, Runtime, Service
from services.runtime.dead_letters import DeadLetterBox
from tradebus.bus.interface import Bus, Subscription
from tradebus.bus.message import Message
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import Shutdown
from tradebus.core.engine.event_base import EngineEvent
from tradebus.wire import subjects
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.heartbeat import heartbeat_from_bytes

IDLE_PERIOD_S: Final = 0.05
MARKET_PENDING_MAX: Final = 8_192


@final
class LiveEngine(Service):
    """The engine and everything that feeds it."""

    def __init__(
        self,
        runtime: Runtime,
        bus: Bus,
        engine: Engine,
        journal: AuditJournal,
        stepper: Stepper,
        counts: EngineCounts,
        market: MarketInlet,
        owners: OwnerWatch,
        accounts: Sequence[AccountInlet],
        commands: CommandInlet,
        letters: DeadLetterBox,
    ) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._engine: Final = engine
        self._journal: Final = journal
        self._stepper: Final = stepper
        self._counts: Final = counts
        self._market: Final = market
        self._owners: Final = owners
        self._accounts: Final = accounts
        self._commands: Final = commands
        self._letters: Final = letters
        self._subscriptions: list[Subscription] = []
        self._writing: asyncio.Task[None] | None = None
        self._is_stopping = False

    async def start(self) -> None:
        """Begin the journal, then read accounts and commands, then the market."""
        for account in self._accounts:
            await account.note_end()
        await self._commands.note_end()
        self._stepper.start()
        self._runtime.spawn(self._letters.run(), "dead letters")
        self._writing = self._runtime.spawn(self._journal.writer.run(), "audit journal")
        for account in self._accounts:
            await account.start()
        await self._commands.start()
        self._subscriptions = [
            await self._bus.subscribe(
                subjects.md_all(), self._market.on_message, pending_messages_max=MARKET_PENDING_MAX
            ),
            await self._bus.subscribe(subjects.hb_service("market"), self._on_market_heartbeat),
            await self._bus.subscribe(subjects.hb_service("execution"), self._on_execution_heartbeat),
        ]
        self._runtime.spawn(self._run_idle(), "idle")
        started = self._engine.started
        self._runtime.log.info(
            "engine started afresh",
            run=started.run,
            epoch=self._engine.epoch,
            first_sequence=self._engine.sequence - 1,
            instruments=len(started.index.instruments),
            strategies=[str(setup.id) for setup in started.strategies],
            trading=self._engine.state.trading.name.lower(),
        )

    async def stop(self) -> None:
        """Take nothing new, record the end, and wait until the journal holds it."""
        self._is_stopping = True
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        for account in self._accounts:
            await account.stop()
        await self._commands.stop()
        if self._writing is not None and not self._writing.done():
            if not self._stepper.is_ended:
                self._stepper.step(Shutdown())
            self._journal.writer.close()
            await self._writing
        await self._letters.drain(1.0)
        self._runtime.log.info(
            "engine stopped",
            sequence=self._engine.sequence - 1,
            durable_sequence=self._journal.durable_sequence,
            market_events=self._counts.market_events,
            orders=self._counts.orders,
            fills=self._counts.fills,
        )

    def status(self) -> Mapping[str, Json]:
        """Return where the engine stands."""
        self._publish_metrics()
        data = engine_status(self._engine, self._journal, self._counts, self._runtime.settings.journal_id)
        data["gaps"] = self._market.shards.gaps
        data["conflated"] = self._market.waiting.conflated
        data["refused"] = self._market.refused + self._commands.refused
        data["dead_letters"] = self._letters.taken
        return data

    def positions(self) -> Sequence[Position]:
        """Return how far the audit journal is on disk."""
        subject = subjects.audit(self._runtime.settings.journal_id)
        return [Position(subject, self._engine.epoch, max(self._journal.durable_sequence, 0))]

    def _on_market_heartbeat(self, message: Message) -> None:
        try:
            self._market.on_heartbeat(heartbeat_from_bytes(message.payload))
        except DecodeError as error:
            self._letters.put(message.subject, message.payload, str(error))

    def _on_execution_heartbeat(self, message: Message) -> None:
        try:
            events: list[EngineEvent] = self._owners.on_heartbeat(heartbeat_from_bytes(message.payload))
        except DecodeError as error:
            self._letters.put(message.subject, message.payload, str(error))
            return
        self._step_all(events)

    def _step_all(self, events: Sequence[EngineEvent]) -> None:
        for event in events:
            try:
                self._stepper.step(event)
            except InvalidEvent as error:
                self._runtime.log.warning("event refused", reason=str(error))

    async def _run_idle(self) -> None:
        """Let time pass where nothing else makes it, and tell of what fell silent."""
        while True:
            await asyncio.sleep(IDLE_PERIOD_S)
            if self._is_stopping:
                return
            self._market.idle()
            self._step_all(self._owners.silent())
            if not self._journal.is_behind:
                self._stepper.idle()
            self._publish_metrics()
            self._watch()

    def _publish_metrics(self) -> None:
        self._counts.publish(self._engine.sequence - 1, self._journal.durable_sequence, self._journal.pending)

    def _watch(self) -> None:
        waited_s = self._journal.writer.unacknowledged_s()
        if waited_s > 1.0:
            reason = self._journal.writer.trouble or "no acknowledgement"
            self._runtime.health.trouble("journal", f"the audit journal does not take ticks: {reason}")
        else:
            self._runtime.health.clear("journal")
        if self._stepper.is_ended:
            self._runtime.finish("the engine was shut down")
