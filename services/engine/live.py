"""Run the engine on live input: market data, account journals and commands in, the audit journal out.

Demo, paper and live are this, with other feeds and accounts.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final, final

from services.engine.account_inlet import AccountInlet
from services.engine.awake import AwakeClock
from services.engine.command_inlet import CommandInlet
from services.engine.journaled import JournaledEngine
from services.engine.market_inlet import MarketInlet
from services.engine.owners import OwnerWatch
from services.engine.recovery import Recovered
from services.engine.snapshotting import Snapshotting
from services.engine.stepper import Stepper
from services.engine.trading_watch import TradingWatch
from services.runtime import Json, Position, Service
from tradebus.bus.interface import Bus, Subscription
from tradebus.bus.message import Message
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.event import Shutdown
from tradebus.core.engine.event_base import EngineEvent
from tradebus.wire import subjects
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.heartbeat import heartbeat_from_bytes

IDLE_PERIOD_S: Final = 0.05


@final
class LiveEngine(Service):
    """The engine and everything that feeds it. ``clock`` is the one by which the inlets measure silence."""

    def __init__(
        self,
        base: JournaledEngine,
        bus: Bus,
        stepper: Stepper,
        clock: AwakeClock,
        market: MarketInlet,
        owners: OwnerWatch,
        accounts: Sequence[AccountInlet],
        commands: CommandInlet,
        trading: TradingWatch,
        recovered: Recovered | None = None,
        snapshots: Snapshotting | None = None,
    ) -> None:
        self._base: Final = base
        self._bus: Final = bus
        self._stepper: Final = stepper
        self._clock: Final = clock
        self._market: Final = market
        self._owners: Final = owners
        self._accounts: Final = accounts
        self._commands: Final = commands
        self._trading: Final = trading
        bus.add_listener(trading.on_bus_event)
        self._recovered: Final = recovered
        self._snapshots: Final = snapshots
        self._beats_in: Subscription | None = None
        self._idle: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin the journal, then read accounts and commands, then the market."""
        base = self._base
        for account in self._accounts:
            await account.note_end()
        await self._commands.note_end()
        self._trading.begin(time.time_ns())
        self._stepper.start()
        base.start()
        if self._recovered is not None and self._recovered.code_change is not None:
            self._stepper.step(self._recovered.code_change)
        self._trading.started()
        for account in self._accounts:
            await account.start()
        await self._commands.start()
        await self._market.start()
        if self._snapshots is not None and self._recovered is not None and self._recovered.proven is not None:
            self._snapshots.was_proven(self._recovered.proven)
        self._beats_in = await self._bus.subscribe(subjects.hb_service("execution"), self._on_execution_heartbeat)
        base.runtime.spawn(self._market.run(), "market data")
        self._idle = base.runtime.spawn(self._run_idle(), "idle")
        engine = base.engine
        base.runtime.log.info(
            "engine started" if self._recovered is None else "engine resumed",
            run=engine.started.run,
            epoch=engine.epoch,
            sequence=engine.sequence - 1,
            **self._told(),
            instruments=len(engine.started.index.instruments),
            strategies=[str(setup.id) for setup in engine.started.strategies],
            trading=engine.state.trading.name.lower(),
        )

    async def stop(self) -> None:
        """Take nothing new, record the end, and wait until the journal holds it."""
        if self._idle is not None:
            self._idle.cancel()
        await self._market.stop()
        if self._beats_in is not None:
            await self._beats_in.unsubscribe()
        for account in self._accounts:
            await account.stop()
        await self._commands.stop()
        if self._base.may_write:
            self._stepper.step(Shutdown())
        await self._base.finish()
        self._trading.stopped()

    def status(self) -> Mapping[str, Json]:
        """Return where the engine stands."""
        data = self._base.status()
        data["gaps"] = self._market.gaps
        data["lost"] = self._market.lost
        data["conflated"] = self._market.conflated
        data["waiting"] = self._market.waiting
        data["refused"] = (
            self._market.refused + self._commands.refused + sum(account.refused for account in self._accounts)
        )
        return data

    def positions(self) -> Sequence[Position]:
        """Return how far the audit journal is on disk."""
        return self._base.positions()

    def _told(self) -> dict[str, Json]:
        """Return what there is to tell of the journal that this engine goes on in."""
        recovered = self._recovered
        if recovered is None:
            return {}
        change = recovered.code_change
        return {
            "earlier_run": recovered.started.run,
            "replayed_ticks": recovered.ticks,
            "replay_ms": round(recovered.seconds * 1000),
            "code_changed": change is not None,
            "state_differs": change is not None and change.state_differs,
        }

    def _on_execution_heartbeat(self, message: Message) -> None:
        try:
            heartbeat = heartbeat_from_bytes(message.payload)
        except DecodeError as error:
            self._base.letters.put(message.subject, message.payload, str(error))
            return
        self._step_all(self._owners.on_heartbeat(heartbeat))

    def _step_all(self, events: Sequence[EngineEvent]) -> None:
        for event in events:
            try:
                self._stepper.step(event)
            except InvalidEvent as error:
                self._base.runtime.log.warning("event refused", reason=str(error))

    async def _run_idle(self) -> None:
        """Let time pass where nothing else makes it, and tell of what fell silent."""
        while True:
            await asyncio.sleep(IDLE_PERIOD_S)
            self._clock.tick()
            self._trading.look(self._clock())
            self._market.idle()
            self._step_all(self._owners.silent())
            if not self._base.journal.is_behind:
                self._stepper.idle()
            self._base.publish_metrics()
