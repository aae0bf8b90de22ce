"""Build the engine service: the only place that makes its concrete parts."""

import secrets
import sys
import time
from pathlib import Path
from typing import Final

from services.engine.account_inlet import AccountInlet
from services.engine.command_inlet import CommandInlet
from services.engine.counts import EngineCounts
from services.engine.journal import HASH_EVERY_BATCH, NS_PER_S, AuditJournal, Cadence
from services.engine.live import LiveEngine
from services.engine.market_inlet import MarketInlet
from services.engine.owners import OwnerWatch
from services.engine.position import JournalEnd, journal_end
from services.engine.replay import ReplayEngine
from services.engine.started import engine_started
from services.engine.stepper import Stepper
from services.runtime import Runtime, Service
from services.runtime.dead_letters import DeadLetterBox
from services.runtime.nats import connector, provision_streams
from tradebus.bus.interface import Bus
from tradebus.config import ConfigError, Settings
from tradebus.config.problem import Problem
from tradebus.config.sections.modes import Mode
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import EngineStarted
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy
from tradebus.strategies.loading import StrategyNotFound, load_strategy

SILENCE_NS: Final = 3 * NS_PER_S
QUIET_NS: Final = {Mode.DEMO: NS_PER_S // 10, Mode.PAPER: NS_PER_S // 10, Mode.LIVE: NS_PER_S}


async def bootstrap(runtime: Runtime) -> Service:
    """Return the engine service for the configured mode; raises ConfigError for strategies that cannot be made."""
    settings = runtime.settings
    add_strategies_folder(Path(settings.engine.strategies_dir))
    run = settings.runtime.run or f"{time.time_ns() // 1_000_000}-{secrets.token_hex(3)}"
    started = engine_started(settings, run)
    strategies = make_strategies(settings, started)
    bus = await runtime.connect(connector(settings, "engine", runtime.instance))
    await provision_streams(settings)
    end = await journal_end(bus, settings.journal_id)
    if end.position:
        runtime.log.warning(
            "the journal holds an earlier run; this engine begins afresh behind it",
            last_sequence=end.sequence,
            journal=settings.journal_id,
        )
    # In replay and backtest both epochs are 1, so that the same recording gives the same ids.
    epoch = 1 if settings.mode is Mode.REPLAY else end.position + 1
    engine = Engine(started, strategies, RiskManager(), sequence=end.sequence + 1, epoch=epoch)
    letters = DeadLetterBox("engine", bus, runtime.metrics.registry, runtime.log)
    counts = EngineCounts(runtime.metrics.registry)
    journal = make_journal(settings, bus, engine, end)
    if settings.mode is Mode.REPLAY:
        return ReplayEngine(runtime, bus, engine, journal, counts, letters)
    return make_live(runtime, bus, engine, journal, counts, letters)


def make_live(
    runtime: Runtime, bus: Bus, engine: Engine, journal: AuditJournal, counts: EngineCounts, letters: DeadLetterBox
) -> LiveEngine:
    """Return the engine on live input."""
    settings = runtime.settings
    index = engine.started.index
    stepper = Stepper(engine, _Recorder(journal, counts), QUIET_NS.get(settings.mode, NS_PER_S))
    market = MarketInlet(index, stepper, journal, letters.put, SILENCE_NS)
    owners = OwnerWatch(engine.started.accounts, SILENCE_NS)
    accounts = [
        AccountInlet(bus, account, stepper, engine.sequence, letters.put) for account in engine.started.accounts
    ]
    commands = CommandInlet(bus, settings.journal_id, index, stepper, letters.put, runtime.log)
    return LiveEngine(runtime, bus, engine, journal, stepper, counts, market, owners, accounts, commands, letters)


def make_journal(settings: Settings, bus: Bus, engine: Engine, end: JournalEnd) -> AuditJournal:
    """Return the audit journal, going on where the stream ends."""
    every = settings.engine.hash_every
    cadence = Cadence(HASH_EVERY_BATCH, 0) if every == "batch" else Cadence(every.ticks, every.seconds * NS_PER_S)
    return AuditJournal(bus, engine, settings.journal_id, cadence, end)


def make_strategies(settings: Settings, started: EngineStarted) -> list[Strategy]:
    """Return the configured strategies; raises ConfigError with every one that cannot be made."""
    made: list[Strategy] = []
    problems: list[Problem] = []
    for i, setup in enumerate(started.strategies):
        try:
            made.append(load_strategy(setup, started.index))
        except (StrategyNotFound, ValueError) as error:
            problems.append(settings.problem(("engine", "strategies", i), "a strategy that can be made", str(error)))
    if problems:
        raise ConfigError(problems)
    return made


def add_strategies_folder(folder: Path) -> None:
    """Put the folder of users' strategies on the import path, where it exists."""
    path = str(folder.resolve())
    if folder.is_dir() and path not in sys.path:
        sys.path.append(path)


class _Recorder:
    """Counts a tick and puts it into the journal."""

    def __init__(self, journal: AuditJournal, counts: EngineCounts) -> None:
        self._journal: Final = journal
        self._counts: Final = counts

    def record(self, tick: AuditTick, event_bytes: bytes | None = None) -> None:
        """Take the next tick."""
        self._counts.add(tick)
        self._journal.record(tick, event_bytes)
