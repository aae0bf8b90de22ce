"""Shorten the streams by what everybody has safe, and tell when one fills up all the same.

A full stream refuses what the engine appends, and trading stops. Only the beginning of a stream is dropped, in small
steps, never behind a reader's mark; what keeps a stream from being shortened is told with the alarm.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Self, final

from prometheus_client import CollectorRegistry, Counter, Gauge
from structlog.stdlib import BoundLogger

from services.runtime import Json
from services.runtime.health import Health
from tradebus.bus.errors import BusError, ConnectFailed, NoJournal
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalState
from tradebus.bus.purging import StreamPurger
from tradebus.config import Settings
from tradebus.config.sections.modes import Mode
from tradebus.journal.pruning import PrunedStream, Verdict, judge
from tradebus.wire import subjects

ALARM_SHARE: Final = 0.7
PRESSED_SHARE: Final = 0.6
"""Above this share of a stream's size its young messages go too; they are safe as much as the old ones."""
STEP_MESSAGES: Final = 10_000
STEP_WAIT_S: Final = 0.05
PERIOD_S: Final = 5.0

ConnectPurger = Callable[[], Awaitable[StreamPurger]]


@dataclass(frozen=True, slots=True)
class PrunerConfig:
    """Which streams are looked after. ``prunes`` False: they are only watched."""

    streams: tuple[PrunedStream, ...]
    prunes: bool
    retention_s: float
    period_s: float = PERIOD_S

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take what is needed from the configuration."""
        engine = subjects.engine_reader(settings.journal_id)
        accounts = {settings.account(exchange): settings.execution[exchange] for exchange in settings.exchanges}
        paper = (subjects.owner_reader(name) for name, each in accounts.items() if each.connector == "simulated")
        audit = (engine, subjects.archive_reader(settings.journal_id), *paper)
        streams = [
            PrunedStream(subjects.audit_stream(settings.journal_id), audit),
            PrunedStream(subjects.cmd_stream(settings.journal_id), (engine,)),
        ]
        streams += [
            PrunedStream(subjects.acct_stream(name), (engine, subjects.owner_reader(name))) for name in accounts
        ]
        return cls(
            tuple(streams),
            settings.audit.prune and settings.mode is not Mode.REPLAY,
            settings.audit.retention_hours * 3_600.0,
        )


@final
class Pruner:
    """Looks after some streams; ``run`` is the task that does."""

    def __init__(
        self,
        bus: Bus,
        connect: ConnectPurger,
        config: PrunerConfig,
        registry: CollectorRegistry,
        health: Health,
        log: BoundLogger,
    ) -> None:
        self._bus: Final = bus
        self._connect: Final = connect
        self._config: Final = config
        self._health: Final = health
        self._log: Final = log
        self._purger: StreamPurger | None = None
        self._states: dict[str, JournalState] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._alarmed: set[str] = set()
        self._used: Final = Gauge(
            "tradebus_stream_used_ratio", "How full a stream is, 1 is full", ["stream"], registry=registry
        )
        self._pruned: Final = Counter(
            "tradebus_stream_pruned_messages", "Messages dropped from a stream's front", ["stream"], registry=registry
        )

    async def run(self) -> None:
        """Look after the streams regularly, until cancelled."""
        while True:
            for stream in self._config.streams:
                try:
                    await self.look(stream)
                except NoJournal:
                    continue  # nobody has made it yet
                except (BusError, ConnectFailed) as error:
                    self._log.debug("a stream cannot be looked after", stream=stream.stream, reason=str(error))
            await asyncio.sleep(self._config.period_s)

    async def close(self) -> None:
        """Close the connection."""
        if self._purger is not None:
            await self._purger.close()

    async def look(self, stream: PrunedStream) -> None:
        """Drop what may go of one stream, and tell how full it is. Raises what the bus raises."""
        state = await self._bus.journal_state(stream.stream)
        if self._config.prunes and state.messages:
            pressed = _share(state) > PRESSED_SHARE
            verdict = await judge(self._bus, stream, state, 0.0 if pressed else self._config.retention_s)
            self._verdicts[stream.stream] = verdict
            if verdict.first_kept > state.first_sequence:
                await self._purge(state, verdict)
                state = await self._bus.journal_state(stream.stream)
        self._states[stream.stream] = state
        self._tell(state)

    def status(self) -> dict[str, Json]:
        """Return how each stream stands."""
        shown: dict[str, Json] = {}
        for name, state in self._states.items():
            verdict = self._verdicts.get(name)
            shown[name] = {
                "first": state.first_sequence,
                "last": state.last_sequence,
                "bytes": state.bytes_used,
                "bytes_max": state.bytes_max,
                "held_by": "" if verdict is None else verdict.held_by,
            }
        return shown

    async def _purge(self, state: JournalState, verdict: Verdict) -> None:
        if self._purger is None:
            self._purger = await self._connect()
        first, total = state.first_sequence, 0
        last_kept = min(verdict.first_kept, state.last_sequence)
        while first < last_kept:
            first = min(first + STEP_MESSAGES, last_kept)
            total += await self._purger.purge(state.stream, first)
            await asyncio.sleep(STEP_WAIT_S)
        self._pruned.labels(state.stream).inc(total)
        self._log.info("stream pruned", stream=state.stream, messages=total, first=last_kept, held_by=verdict.held_by)

    def _tell(self, state: JournalState) -> None:
        name = f"stream {state.stream}"
        share = _share(state)
        self._used.labels(state.stream).set(share)
        if share < ALARM_SHARE:
            self._alarmed.discard(name)
            self._health.clear(name)
            return
        verdict = self._verdicts.get(state.stream)
        held = f"; held by: {verdict.held_by}" if verdict is not None else "; pruning is off"
        reason = f"the stream {state.stream} is {share:.0%} full, and refuses everything when it is full{held}"
        if name not in self._alarmed:
            self._alarmed.add(name)
            self._log.error("a stream fills up", stream=state.stream, share=round(share, 3), held=held)
        self._health.trouble(name, reason)


def _share(state: JournalState) -> float:
    return state.bytes_used / state.bytes_max if state.bytes_max else 0.0
