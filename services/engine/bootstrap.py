"""Build the engine service: the only place that makes its concrete parts."""

import secrets
import time
from pathlib import Path
from typing import Final

from services.engine.account_inlet import AccountInlet
from services.engine.account_place import AccountPlace
from services.engine.awake import AwakeClock
from services.engine.command_inlet import CommandInlet
from services.engine.counts import EngineCounts
from services.engine.crash_latch import CrashLatch
from services.engine.durability import check_durability
from services.engine.ending import ending
from services.engine.guard import JournalGuard
from services.engine.inlets import JournalInlets
from services.engine.journal import HASH_EVERY_BATCH, NS_PER_S, AuditJournal, Cadence
from services.engine.journaled import JournaledEngine
from services.engine.leadership import Leadership
from services.engine.live import LiveEngine
from services.engine.market_inlet import MarketInlet
from services.engine.outbox import Outbox
from services.engine.owners import OwnerWatch
from services.engine.position import EMPTY_JOURNAL, journal_end
from services.engine.proof import Prover
from services.engine.prover import ProcessProver
from services.engine.reached import check_reached
from services.engine.recovery import CannotRecover, Recovered, check_not_behind, recover
from services.engine.replay import ReplayEngine
from services.engine.replay_resuming import BegunReplay, resume_replay
from services.engine.snapshot_store import SnapshotStore
from services.engine.snapshotting import Snapshotting
from services.engine.started import engine_started
from services.engine.stepper import Stepper
from services.engine.switched_off import SwitchedOff
from services.engine.trading_policy import TradingPolicy
from services.engine.trading_watch import TradingWatch
from services.runtime import Runtime, Service
from services.runtime.dead_letters import DeadLetterBox
from services.runtime.lease_locks import lease_locks
from services.runtime.streams import prepare_streams
from tradebus.bus.interface import Bus
from tradebus.config import Settings
from tradebus.config.risk import make_risk
from tradebus.config.sections.modes import Mode
from tradebus.config.strategies import make_strategies
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountSetup, EngineStarted
from tradebus.core.engine.resume import CannotResume, IndexChanged
from tradebus.core.engine.state.engine_state import AccountCursor
from tradebus.core.strategy.interface import Strategy
from tradebus.strategies.checks import load_risk
from tradebus.strategies.loading import load_strategy, make_user_data
from tradebus.wire import subjects

SILENCE_NS: Final = 3 * NS_PER_S
QUIET_NS: Final = {Mode.DEMO: NS_PER_S // 10, Mode.PAPER: NS_PER_S // 10, Mode.LIVE: NS_PER_S}


async def bootstrap(runtime: Runtime) -> Service:
    """Return the engine service for the configured mode; raises ConfigError for user code that cannot be made."""
    settings = runtime.settings
    run = settings.runtime.run or f"{time.time_ns() // 1_000_000}-{secrets.token_hex(3)}"
    started = engine_started(settings, run)
    strategies = make_strategies(settings)
    make_risk(settings)
    await check_durability(settings, runtime.log)
    bus = await runtime.connect_nats()
    await prepare_streams(runtime, bus)
    lead = None
    if settings.mode is not Mode.REPLAY:
        lead = Leadership(runtime, bus, settings.journal_id, lease_locks(runtime))
    store = snapshot_store(settings)
    prover = ProcessProver(bus, snapshot_folder(settings), settings.engine.strategies_dir, started.code)
    return await build(runtime, bus, started, strategies, crash_latch(settings), store, lead, prover)


def crash_latch(settings: Settings) -> CrashLatch:
    """Return the record of this engine's starts, in the service's data folder."""
    health = settings.engine.health
    path = settings.runtime.data_dir / "engine" / f"{settings.engine_id}.starts.json"
    return CrashLatch(path, health.crashes_max, health.crash_window_s)


def snapshot_store(settings: Settings) -> SnapshotStore:
    """Return the engine's snapshots, in the service's data folder."""
    folder = snapshot_folder(settings)
    stream = subjects.audit_stream(settings.journal_id)
    return SnapshotStore(folder, stream, settings.engine_id, settings.engine.snapshot.kept)


def snapshot_folder(settings: Settings) -> Path:
    """Return where the engine's snapshots lie."""
    return settings.runtime.data_dir / "engine" / settings.journal_id


async def build(
    runtime: Runtime,
    bus: Bus,
    started: EngineStarted,
    strategies: list[Strategy],
    latch: CrashLatch | None = None,
    store: SnapshotStore | None = None,
    lead: Leadership | None = None,
    prover: Prover | None = None,
) -> Service:
    """Return the engine service on a bus that has the streams; without a store it keeps no snapshots.

    Without a prover no snapshot but the one that recovery began with lets the streams be pruned.

    Where another process leads this engine it returns when this one does.

    Raises ForeignJournal, JournalDamaged, CannotRecover.
    """
    settings = runtime.settings
    is_replay = settings.mode is Mode.REPLAY
    end = await journal_end(bus, settings.journal_id, started)
    stream = subjects.audit_stream(settings.journal_id)
    recovered: Recovered | None = None
    begun: BegunReplay | None = None
    counts = EngineCounts(runtime.metrics.registry)
    if store is not None and not is_replay:
        await check_not_behind(bus, stream, store)
        owners = [subjects.owner_reader(each.account) for each in started.accounts if each.simulation is not None]
        await check_reached(bus, stream, [subjects.archive_reader(settings.journal_id), *owners], runtime.log)
    if end.position or lead is not None:
        runtime.log.info("recovering", journal=settings.journal_id, last_sequence=end.sequence, messages=end.position)
        if is_replay:
            begun = await resume_replay(bus, stream, started, counts, runtime.log)
            end = begun.recovered.end
        else:
            recovered = await recover(bus, stream, started.code, runtime.log, store, lead)
            end = EMPTY_JOURNAL if recovered is None else recovered.end
    engine = make_engine(started, strategies, recovered) if begun is None else resume_engine(begun, strategies)
    snapshots: Snapshotting | None = None
    if store is not None and not is_replay:
        first_tick = engine.sequence if recovered is None else recovered.first_tick
        switched_off = SwitchedOff("" if recovered is None else recovered.switched_off_by)
        snapshots = Snapshotting(
            runtime, bus, engine, store, settings.engine.snapshot, first_tick, switched_off, prover=prover
        )
    guard = JournalGuard(snapshots, lead)
    base = JournaledEngine(
        runtime,
        engine,
        AuditJournal(
            bus,
            engine,
            settings.journal_id,
            hash_cadence(settings),
            end,
            snapshots=snapshots,
            may_write=guard.may_write,
        ),
        counts,
        DeadLetterBox("engine", bus, runtime.metrics.registry, runtime.log),
        guard,
    )
    if is_replay:
        return ReplayEngine(base, bus, ending(runtime), begun)
    return make_live(base, bus, recovered, latch, snapshots)


def make_engine(started: EngineStarted, strategies: list[Strategy], recovered: Recovered | None) -> Engine:
    """Return an engine that begins, or goes on from what its journal gave; raises CannotRecover."""
    risk = load_risk(started.risk, started.index)
    if recovered is None:
        # Also in replay and backtest, so that the same recording gives the same ids.
        return Engine(
            started,
            strategies,
            risk,
            epoch=1,
            make_strategy=load_strategy,
            make_risk=load_risk,
            make_user_data=make_user_data,
        )
    try:
        return Engine.restart(
            started,
            strategies,
            risk,
            recovered.state,
            sequence=recovered.end.sequence,
            time_ns=recovered.time_ns,
            epoch=recovered.end.position + 1,
            make_strategy=load_strategy,
            make_risk=load_risk,
            make_user_data=make_user_data,
        )
    except IndexChanged as error:
        hint = "instruments may only be added behind those of the journal; or begin afresh, on an empty one"
        raise CannotRecover(f"{error}; {hint}") from error
    except CannotResume as error:
        raise CannotRecover(str(error)) from error


def resume_engine(begun: BegunReplay, strategies: list[Strategy]) -> Engine:
    """Return the engine of a replay as it would have gone on: no new run begins, ids and ticks are those to come."""
    recovered = begun.recovered
    return Engine.resume(
        recovered.started,
        strategies,
        load_risk(recovered.started.risk, recovered.started.index),
        recovered.state,
        sequence=recovered.end.sequence,
        time_ns=recovered.time_ns,
        make_strategy=load_strategy,
        make_risk=load_risk,
    )


def make_live(
    base: JournaledEngine,
    bus: Bus,
    recovered: Recovered | None,
    latch: CrashLatch | None,
    snapshots: Snapshotting | None = None,
) -> LiveEngine:
    """Return the engine on live input."""
    runtime, engine, reject = base.runtime, base.engine, base.letters.put
    settings, started = runtime.settings, engine.started
    clock = AwakeClock()
    stepper = Stepper(engine, base, QUIET_NS.get(settings.mode, NS_PER_S), ending(runtime))
    market = MarketInlet(bus, started.index, stepper, base.journal, reject, SILENCE_NS, clock, runtime.log)
    owners = OwnerWatch(started.accounts, SILENCE_NS, clock)
    outbox = make_outbox(bus, started, recovered)
    if outbox is not None:
        base.use(outbox)
    accounts = [
        AccountInlet(
            bus,
            account,
            stepper,
            engine.sequence if recovered is None else recovered.first_tick,
            reject,
            None if recovered is None else _cursor(recovered, account),
            None if outbox is None or account.simulation is not None else outbox.note,
            journal_id=settings.journal_id,
            place=None if recovered is None else _place(recovered, account),
        )
        for account in started.accounts
    ]
    commands = CommandInlet(
        bus,
        settings.journal_id,
        started.index,
        engine.state.commands,
        stepper,
        reject,
        runtime.log,
        is_resumed=recovered is not None,
    )
    if snapshots is not None:
        snapshots.inputs = JournalInlets(accounts, commands)
    policy = TradingPolicy(settings.engine.health)
    if recovered is not None:
        policy.take_over(recovered.switched_off_by)
    trading = TradingWatch(base, stepper, policy, latch)
    return LiveEngine(base, bus, stepper, clock, market, owners, accounts, commands, trading, recovered, snapshots)


def make_outbox(bus: Bus, started: EngineStarted, recovered: Recovered | None) -> Outbox | None:
    """Return what hands requests to venue accounts over, none where every account is simulated."""
    venues = {each.exchange: each.account for each in started.accounts if each.simulation is None}
    if not venues:
        return None
    outbox = Outbox(bus, started.engine_id, venues)
    if recovered is not None:
        outbox.resume(recovered.state, recovered.end.position + 1, recovered.end.sequence + 1)
    return outbox


def _cursor(recovered: Recovered, account: AccountSetup) -> AccountCursor:
    """Return how far an account's events are applied, of its own: the state's goes on."""
    cursors = recovered.state.cursors
    if account.exchange >= len(cursors):
        return AccountCursor(0, 0)
    return AccountCursor(cursors[account.exchange].cause, cursors[account.exchange].ordinal)


def _place(recovered: Recovered, account: AccountSetup) -> AccountPlace | None:
    """Return how far the snapshot that recovery began with knew an account's journal."""
    return next((place for place in recovered.places if place.account == account.account), None)


def hash_cadence(settings: Settings) -> Cadence:
    """Return how often the state is hashed."""
    every = settings.engine.hash_every
    return Cadence(HASH_EVERY_BATCH, 0) if every == "batch" else Cadence(every.ticks, every.seconds * NS_PER_S)
