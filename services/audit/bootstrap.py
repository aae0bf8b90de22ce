"""Build the audit service: the only place that makes its concrete parts."""

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from services.audit.api.access import AccessLog, Doorkeeper, Keyring
from services.audit.api.access.bad_keys import BadKeys
from services.audit.api.app import build_application
from services.audit.api.context import ApiContext, NamesCache
from services.audit.api.server import ApiServer
from services.audit.api.stream.hub import StreamHub
from services.audit.api.stream.past import PastEvents
from services.audit.archivist import Archivist
from services.audit.commands import CommandDesk, Ledger
from services.audit.commands.ledger import LedgerDamaged
from services.audit.config import AuditConfig
from services.audit.fold import Fold
from services.audit.follower import Follower
from services.audit.history import History
from services.audit.holders import Holders
from services.audit.metrics import AuditMetrics
from services.audit.past import Past
from services.audit.pruner import Pruner, PrunerConfig
from services.audit.rpc.server import RpcServer
from services.audit.service import AuditService, Keeping
from services.audit.travel.machine import TimeMachine
from services.audit.travel.question import TravelSetup
from services.audit.travel.reads import ArchivedPast, PastReads
from services.runtime import Runtime
from services.runtime.dead_letters import DeadLetterBox
from services.runtime.nats import options_of
from tradebus.access import KeyFile
from tradebus.bus.interface import Bus
from tradebus.bus.permissions import User
from tradebus.bus.purging import NatsPurger, StreamPurger
from tradebus.config.sections.modes import Mode
from tradebus.config.strategies import add_strategies_folder
from tradebus.strategies.loading import load_data

COLLECT_AFTER: Final = 50_000
"""Objects made and not yet freed, before Python looks for garbage among them."""

SWITCH_AFTER_S: Final = 0.0005
"""So long a thread may keep the interpreter that somebody else waits for.

The event loop would lose Python's own 5 ms at every turn while a checkpoint is written.
"""

FoldFactory: TypeAlias = Callable[[AuditConfig], Fold]


def make_fold(config: AuditConfig) -> Fold:
    """Return the fold of an engine's journal; in a replay it keeps the digest of the run."""
    fold = Fold(load_data, config.limits, config.mode, with_digest=config.mode == Mode.REPLAY.value)
    fold.risk_free_return = config.risk_free_return
    return fold


async def bootstrap(runtime: Runtime, fold_factory: FoldFactory = make_fold) -> AuditService:
    """Return the audit service over the configured NATS server. Raises CannotListen when the API's port is taken."""
    collect_less_often()
    sys.setswitchinterval(SWITCH_AFTER_S)
    settings = runtime.settings
    # Users' strategies are needed here too: what they remember is part of the state.
    add_strategies_folder(Path(settings.engine.strategies_dir))
    config = AuditConfig.of(settings)
    bus = await runtime.connect_nats()
    service = await build(runtime, config, bus, fold_factory)
    service.look_after(_pruner(runtime, bus))
    return service


def _doorkeeper(runtime: Runtime, config: AuditConfig) -> Doorkeeper:
    """Return who decides about callers; the service is not ready while its keys cannot be read."""

    def trouble(reason: str) -> None:
        if reason:
            runtime.health.trouble("API keys", reason)
        else:
            runtime.health.clear("API keys")

    keyring = Keyring(KeyFile(config.keys_file), trouble)

    async def close() -> None:
        keyring.close()

    runtime.on_exit(close)
    log = AccessLog(config.keys_file.with_name("access.jsonl"), runtime.log)
    return Doorkeeper(keyring, BadKeys(), log, reading_without_key=config.reading_without_key)


def _desk(runtime: Runtime, config: AuditConfig, bus: Bus, fold: Fold) -> CommandDesk | None:
    """Return what takes commands, none in a replay. A ledger that cannot be read is put aside, and said so."""
    if config.commands_file is None:
        return None
    ledger = Ledger(config.commands_file)
    try:
        ledger.open()
    except LedgerDamaged:
        aside = config.commands_file.with_suffix(f".damaged-{time.time_ns()}")
        config.commands_file.rename(aside)
        runtime.log.exception("the ledger of commands is damaged and put aside", aside=str(aside))
        ledger = Ledger(config.commands_file)
        ledger.open()
    return CommandDesk(bus, runtime.settings.journal_id, fold, ledger, runtime.log)


def _time_machine(runtime: Runtime, config: AuditConfig, folder: Path) -> TimeMachine:
    """Return what answers about the past; its process is started when somebody asks, and ended with us."""
    strategies_dir = Path(runtime.settings.engine.strategies_dir)
    setup = TravelSetup(folder, config.stream, config.mode, strategies_dir, config.limits, config.risk_free_return)
    machine = TimeMachine(setup, runtime.log)
    runtime.on_exit(machine.stop)
    return machine


def _holders(runtime: Runtime, bus: Bus) -> Holders:
    """Return what watches who acts at this moment."""
    settings = runtime.settings
    accounts = [settings.account(exchange) for exchange in settings.exchanges if exchange in settings.execution]
    holders = Holders(bus, settings.journal_id, accounts, runtime.log)
    runtime.spawn(holders.run(), "holders")
    runtime.on_exit(holders.stop)
    return holders


def _pruner(runtime: Runtime, bus: Bus) -> Pruner:
    """Return what shortens the streams, over a connection of its own that is made when there is something to drop."""
    options = options_of(runtime.settings, User.PRUNER, runtime.instance)

    async def connect() -> StreamPurger:
        return await NatsPurger.connect(options)

    config = PrunerConfig.of(runtime.settings)
    pruner = Pruner(bus, connect, config, runtime.metrics.registry, runtime.health, runtime.log)
    runtime.on_exit(pruner.close)
    return pruner


def collect_less_often() -> None:
    """Let Python look for garbage less often: what a tick makes is freed by counting references.

    With the usual thresholds a third of the time of following a journal goes into looking through objects that live on.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)


async def build(runtime: Runtime, config: AuditConfig, bus: Bus, fold_factory: FoldFactory = make_fold) -> AuditService:
    """Return the audit service on a bus, its API listening already."""
    metrics = AuditMetrics(runtime.metrics.registry)
    fold = fold_factory(config)
    letters = DeadLetterBox("audit", bus, runtime.metrics.registry, runtime.log)
    follower = Follower(bus, config.stream, fold, config.lag, metrics, runtime.health, runtime.log, letters)
    service = AuditService(runtime, config, bus, fold, follower, letters)
    told: PastEvents | None = None
    reads: PastReads | None = None
    if config.archive is not None:
        archivist = Archivist(bus, config.archive, runtime.instance, metrics, runtime.health, runtime.log)
        past = Past(config.archive, fold, config.limits, archivist, metrics, runtime.log)
        service.keep(Keeping(archivist, past))
        told = PastEvents(config.archive.folder, config.stream, config.mode, config.limits, archivist.wait_for)
        reads = ArchivedPast(_time_machine(runtime, config, config.archive.folder), archivist)
    hub = StreamHub(fold, NamesCache(), metrics, runtime.log, past=told)
    service.stream(hub)
    context = ApiContext(
        fold=fold,
        history=History(bus, config.stream, fold, None if config.archive is None else config.archive.folder),
        lag=lambda: follower.watch.lag,
        is_caught_up=lambda: follower.is_caught_up,
        limits=config.lag,
        health=runtime.health.report,
        metrics=runtime.metrics.exposition,
        status=lambda: runtime.status(service),
        doorkeeper=_doorkeeper(runtime, config),
        commands=_desk(runtime, config, bus, fold),
        past=reads,
        holders=_holders(runtime, bus),
    )
    await service.serve(ApiServer(build_application(context, hub, metrics, runtime.log, config.requests), config.api))
    if config.grpc is not None:
        await service.serve_rpc(RpcServer(context, config.grpc, config.requests.requests_per_s))
    return service
