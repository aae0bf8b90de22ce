"""One simulated system: engine, execution and audit on a bus where everything goes wrong, decided by one seed.

What runs is the services' own code (`processes.py`); what is simulated is time, the bus and its disk, the market and
who starts what died. A run goes through three parts: faults, time to heal, an ordered end with every oracle.
"""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import structlog
from prometheus_client import Counter as Counter_

from services.audit import bootstrap as audit_bootstrap
from services.audit.archivist import Archivist
from services.audit.config import AuditConfig
from services.audit.follower import Follower
from services.audit.metrics import AuditMetrics
from services.audit.past import Past
from services.audit.pruner import Pruner, PrunerConfig
from services.audit.service import AuditService, Keeping
from services.engine import bootstrap as engine_bootstrap
from services.engine import snapshotting as engine_snapshotting
from services.engine.leadership import Leadership
from services.engine.live import LiveEngine
from services.engine.started import engine_started
from services.execution import snapshotting as execution_snapshotting
from services.execution.paper import PaperExecution
from services.runtime import Runtime, Service
from services.runtime.dead_letters import DeadLetterBox
from services.runtime.lease_locks import LeaseLocks
from services.runtime.runtime import ServiceName
from tests.simulation.disk import Disk
from tests.simulation.network import Network, Odds, ProcessDied, SimulatedBus
from tests.simulation.processes import Boot, Process, current, spare_the_collector, task_factory
from tests.simulation.virtual_time import VirtualLoop, virtual_time
from tests.support.engine_service import ALPHA, BETA, TestMarket, engine_settings, memory_broker
from tests.support.oracles import Oracles
from tests.support.proving import LocalProver
from tradebus import crash_points
from tradebus.bus.errors import AppendUncertain, NotSent, Refused
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.bus.purging import StreamPurger
from tradebus.config import Settings
from tradebus.config.strategies import make_strategies
from tradebus.core.engine.event import EngineStarted, TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.strategy.interface import Strategy
from tradebus.crash_points import CrashPlan
from tradebus.wire import subjects
from tradebus.wire.codec.command import CommandMessage, command_message_to_bytes
from tradebus.wire.integrity import CHAIN_HEADER, checked_headers

ENGINE: Final = "demo"
FAULTS_S: Final = 6.0
TRADING_S: Final = 1.5
"""Of trading in peace behind the faults."""

HEALING_S_MAX: Final = 60.0
QUIET_S: Final = 1.5
POLL_S: Final = 0.05
CHECKPOINT_TICKS: Final = 100
SEGMENT_BYTES: Final = 20_000
SNAPSHOTS_S: Final = 1.0
PRUNED_EVERY_S: Final = 0.3
DISK_S: Final = (0.0005, 0.01)
"""How long something takes that a service does in a thread."""
COMMAND_LIVES_NS: Final = 1_500_000_000
PROGRAMS: Final[dict[str, ServiceName]] = {
    "engine": "engine",
    "execution": "execution",
    "standby": "execution",
    "audit": "audit",
}
"""Two replicas of the execution service share the accounts, and follow each other."""


@dataclass
class Menu:
    """What goes wrong in one run; drawn by the seed, with nothing at all in some."""

    odds: Odds = field(default_factory=Odds)
    crash_point: float = 0.0
    """Of all visits of a named place."""
    kills: int = 0
    power_losses: int = 0
    outages: int = 0
    cut_links: int = 0
    full_disks: int = 0
    clock_steps: int = 0
    usurpers: int = 0
    commands: int = 0

    @classmethod
    def drawn(cls, draw: random.Random) -> "Menu":
        """Return a mix of its own for each seed."""
        if draw.random() < 0.05:
            return cls()

        def some(most: float) -> float:
            return draw.uniform(0, most) if draw.random() < 0.5 else 0.0

        def few(most: int) -> int:
            return draw.randint(1, most) if draw.random() < 0.4 else 0

        odds = Odds(
            lose_message=some(0.05),
            double_message=some(0.05),
            delay_message=some(0.03),
            lose_append=some(0.02),
            late_append=some(0.02),
            lose_ack=some(0.03),
            refuse_append=some(0.03),
            slow_reader=some(0.05),
            lose_request=some(0.2),
            delay_request=some(0.2),
        )
        return cls(odds, some(0.01), few(3), few(1), few(2), few(2), few(2), few(2), few(1), few(3))


@dataclass
class RunResult:
    """What a run came to: the digest of everything that was journaled, and what happened on the way."""

    digest: str
    ticks: int
    fills: int
    hashes: int
    fired: Counter[str]
    ends: Counter[str]
    """How processes ended by themselves with an error, and how often."""


class BrokenPromise(AssertionError):
    """An oracle that does not hold; the text says how to repeat it."""


class KeepingPurger(StreamPurger):
    """Prunes the streams of a world, which keeps what was pruned for its oracles."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def purge(self, stream: str, first_kept: int) -> int:
        """Drop every message before ``first_kept``."""
        world = self._world
        await asyncio.sleep(world.network.latency_s())
        kept = world.broker.stream(stream)
        gone = [kept.message(sequence) for sequence in range(kept.first_sequence, first_kept)]
        world.pruned.setdefault(stream, []).extend(message for message in gone if message is not None)
        world.broker.prune(stream, first_kept)
        world.network.fired[f"pruned_{stream.partition('_')[0].lower()}"] += 1
        return len(gone)

    async def close(self) -> None:
        """Have nothing to close."""


class _Crashes(CrashPlan):
    """Kills the process that comes to a named place, now and then."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def visit(self, name: str) -> None:
        """Throw the dice."""
        world, process = self._world, current()
        if process is None or not world.is_faulty or world.draw.random() >= world.menu.crash_point:
            return
        world.network.fired[name] += 1
        process.kill()
        raise ProcessDied


class World:
    """One run of a system whose accounts are simulated by the execution service."""

    are_at_venues = False

    def __init__(self, seed: int, loop: VirtualLoop, folder: Path, menu: Menu | None = None) -> None:
        self.seed: Final = seed
        self.loop: Final = loop
        self.draw: Final = random.Random(seed)
        self.menu: Final = menu or Menu.drawn(self.draw)
        self.settings: Final = simulated_settings(folder)
        self.broker: Final = memory_broker(self.settings)
        self.network: Final = Network(self.broker, self.draw)
        self.disk: Final = Disk(folder)
        self.damages: Final[list[Callable[[], float]]] = []
        """Of each life of the audit service: how much it found damaged on its disk."""
        self.violations: Final[list[str]] = []
        """What was seen on the way that must not be."""
        self.lives: Final[Counter[str]] = Counter()
        self.ends: Final[Counter[str]] = Counter()
        self.running: Final[dict[str, Process]] = {}
        self.commands: Final[dict[str, int]] = {}
        """What operators said, with the time at which it expires."""
        self.has_leases: Final = self.draw.random() < 0.5
        """Whether a second engine stands by, or is fenced alone."""
        self.prunes: Final = random.Random(seed + 2).random() < 0.5
        """Whether the streams are pruned of whatever all have behind them, while everything else goes wrong."""
        self.pruned: Final[dict[str, list[JournalMessage]]] = {}
        self.is_faulty = False
        self._is_ending = False
        self._keeping: list[asyncio.Task[None]] = []
        self.accounts: Final = [self.settings.account(exchange) for exchange in self.settings.exchanges]
        self._boots: Final[dict[str, Boot]] = {
            "engine": self._boot_engine,
            "execution": self.boot_execution,
            "audit": self._boot_audit,
        }

    # ------------------------------------------------------------------------------ programs

    async def _boot_engine(self, runtime: Runtime, bus: Bus) -> Service:
        started = self.started(f"run-{self.lives['engine']}")
        latch, store = engine_bootstrap.crash_latch(self.settings), engine_bootstrap.snapshot_store(self.settings)
        lead = Leadership(runtime, bus, self.settings.journal_id, self._locks(runtime)) if self.has_leases else None
        prover = LocalProver(bus, store, started.code)
        return await engine_bootstrap.build(runtime, bus, started, self.strategies(), latch, store, lead, prover)

    def strategies(self) -> list[Strategy]:
        """Return what the engine runs."""
        return list(make_strategies(self.settings))

    def started(self, run: str) -> EngineStarted:
        """Return the start record of an engine."""
        return engine_started(self.settings, run)

    async def boot_execution(self, runtime: Runtime, bus: Bus) -> Service:
        return PaperExecution(runtime, bus, self.accounts, self._locks(runtime))

    def _locks(self, runtime: Runtime) -> LeaseLocks:
        """Return what tells the dead from the living on the volume that all processes of a service share."""
        token = "".join(each for each in runtime.instance if each.isalnum())
        locks = LeaseLocks(self.settings.runtime.data_dir / runtime.service / "leases", token)

        async def close() -> None:
            locks.close()

        runtime.on_exit(close)
        return locks

    async def _boot_audit(self, runtime: Runtime, bus: Bus) -> Service:
        """Build what the service builds, but for its API."""
        config = AuditConfig.of(self.settings)
        assert config.archive is not None
        archive = replace(config.archive, checkpoint_ticks=CHECKPOINT_TICKS, segment_bytes=SEGMENT_BYTES)
        metrics = AuditMetrics(runtime.metrics.registry)
        fold = audit_bootstrap.make_fold(config)
        letters = DeadLetterBox("audit", bus, runtime.metrics.registry, runtime.log)
        follower = Follower(bus, config.stream, fold, config.lag, metrics, runtime.health, runtime.log, letters)
        service = AuditService(runtime, config, bus, fold, follower, letters)
        archivist = Archivist(bus, archive, runtime.instance, metrics, runtime.health, runtime.log)
        self.damages.append(lambda: _count(metrics.archive_troubles.labels("damage")))
        service.keep(Keeping(archivist, Past(archive, fold, config.limits, archivist, metrics, runtime.log)))
        if self.prunes:
            service.look_after(self._pruner(runtime, bus))
        return service

    def _pruner(self, runtime: Runtime, bus: Bus) -> Pruner:
        """Return what shortens the streams, in haste."""

        async def connect() -> StreamPurger:
            return KeepingPurger(self)

        config = replace(PrunerConfig.of(self.settings), retention_s=0.0, period_s=PRUNED_EVERY_S)
        return Pruner(bus, connect, config, runtime.metrics.registry, runtime.health, runtime.log)

    def _new(self, program: str) -> Process:
        self.lives[program] += 1
        instance = f"{program}-{self.lives[program]}"
        service = PROGRAMS[program]
        process = Process(
            service, instance, self.settings, self.network, self._boots[service], on_kill=self.disk.close_of
        )
        process.start()
        return process

    async def _keep(self, program: str) -> None:
        """Start a program again whenever it has ended."""
        while not self._is_ending:
            process = self._new(program)
            self.running[program] = process
            await process.ended.wait()
            self._note_end(program, process)
            await asyncio.sleep(self.draw.uniform(0.05, 0.8))

    async def in_no_thread(self, work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Do in the one thread that there is what a service does in another, after a while."""
        await asyncio.sleep(self.draw.uniform(*DISK_S))
        return work(*arguments, **options)

    def _note_end(self, program: str, process: Process) -> None:
        if process.error is not None:
            raise process.error
        if process.failure is not None:
            self.ends[f"{program}: {process.failure.split(':')[0]}"] += 1

    # ------------------------------------------------------------------------------ what goes wrong

    async def _faults(self) -> None:
        """Let everything on the menu happen, at instants drawn by the seed."""
        menu, draw = self.menu, self.draw
        self.network.odds = menu.odds
        self.is_faulty = True
        wanted: list[Callable[[], Awaitable[None]]] = [
            *[self._kill] * menu.kills,
            *[self._power_loss] * menu.power_losses,
            *[self._outage] * menu.outages,
            *[self._cut_link] * menu.cut_links,
            *[self._full_disk] * menu.full_disks,
            *[self._clock_step] * menu.clock_steps,
            *[self._usurper] * menu.usurpers,
            *[self._command] * menu.commands,
        ]
        end = self.loop.time() + FAULTS_S
        striking = [
            self.loop.create_task(self._strike_at(self.loop.time() + draw.uniform(0.3, FAULTS_S * 0.8), strike))
            for strike in wanted
        ]
        await asyncio.sleep(end - self.loop.time())
        if striking:
            await asyncio.gather(*striking)
        self.is_faulty = False
        self.network.odds = Odds()
        self.network.full.clear()

    async def _strike_at(self, time_s: float, strike: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(time_s - self.loop.time())
        self.network.fired[strike.__name__.lstrip("_")] += 1
        await strike()

    async def _kill(self) -> None:
        self.running[self.draw.choice(list(PROGRAMS))].kill()

    async def _power_loss(self) -> None:
        """Everything on the machine stops at once; what was not synced is gone."""
        self.broker.start_outage()
        for process in self.running.values():
            process.kill()
        self.network.fired["file_changed_by_power_loss"] += self.disk.lose_power(self.draw)
        self.lose_unsynced()
        await asyncio.sleep(self.draw.uniform(0.1, 2.0))
        self.broker.end_outage()

    def lose_unsynced(self) -> None:
        """Lose what the broker has stored and not synced: nothing, with ``sync_interval: always``."""

    async def _outage(self) -> None:
        self.broker.start_outage()
        await asyncio.sleep(self.draw.uniform(0.05, 4.0))
        self.broker.end_outage()

    async def _cut_link(self) -> None:
        bus = self.running[self.draw.choice(list(PROGRAMS))].bus
        if bus is None:
            return
        bus.lose_connection()
        await asyncio.sleep(self.draw.uniform(0.05, 4.0))
        bus.regain_connection()

    async def _full_disk(self) -> None:
        subject = self.draw.choice([subjects.audit(ENGINE), *(subjects.acct(name) for name in self.accounts)])
        self.network.full.add(subject)
        await asyncio.sleep(self.draw.uniform(0.2, 3.0))
        self.network.full.discard(subject)

    async def _clock_step(self) -> None:
        self.loop.step_clock(self.draw.choice((-1, 1)) * self.draw.randint(1, 5_000_000_000))

    async def _usurper(self) -> None:
        """A second engine on the same journal: one of the two must be fenced."""
        second = self._new("engine")
        await asyncio.sleep(self.draw.uniform(0.5, 3.0))
        second.kill()
        self._note_end("engine", second)

    async def _command(self) -> None:
        """An operator switches trading, and repeats the command when it is not sure to have arrived."""
        state = self.draw.choice((TradingState.DISABLED, TradingState.ENABLED))
        name = f"operator {self.draw.randrange(1 << 32)}"
        # Some were long on their way to the bus and are too late already.
        expiry_ns = self.loop.wall_ns() + self.draw.randint(-COMMAND_LIVES_NS, COMMAND_LIVES_NS)
        self.commands[name] = expiry_ns
        message = CommandMessage(name, name, 1, expiry_ns, TradingStateUpdate(state, name))
        payload = command_message_to_bytes(message)
        bus = SimulatedBus(self.network, lambda event: None)
        for _ in range(4):
            try:
                await bus.append(subjects.cmd(ENGINE), payload, headers=checked_headers(payload), timeout_s=0.5)
            except (AppendUncertain, NotSent, Refused):
                await asyncio.sleep(0.5)
            else:
                # Now and then it is repeated although it arrived.
                if self.draw.random() < 0.5:
                    break
        await bus.close()

    # ------------------------------------------------------------------------------ the market

    async def market(self, markets: list[TestMarket]) -> None:
        """Trades and books about a price that wanders, and a heartbeat a second."""
        draw = random.Random(self.seed + 1)
        prices = {(market.exchange, number): 100.0 for market in markets for number in range(2)}
        turn = 0
        while True:
            for market in markets:
                base = 2 * markets.index(market)
                for number in range(2):
                    price = prices[market.exchange, number] * draw.uniform(0.997, 1.003)
                    prices[market.exchange, number] = price
                    trade = market.trade(base + number, _text(price), _text(draw.uniform(0.1, 2)))
                    book = market.book(base + number, _text(price * 0.9995), _text(price * 1.0005))
                    market.publish(trade, book)
                if turn % 10 == 0:
                    market.beat()
            turn += 1
            await asyncio.sleep(0.1)

    # ------------------------------------------------------------------------------ a run

    async def run(self) -> RunResult:
        """Go through the whole run. Raises BrokenPromise."""
        index = self.settings.indexed_instruments()
        market_bus = SimulatedBus(self.network, lambda event: None)
        markets = [TestMarket(market_bus, index, exchange) for exchange in (ALPHA, BETA)]
        self._keeping = keeping = [self.loop.create_task(self._keep(program)) for program in PROGRAMS]
        market = self.loop.create_task(self.market(markets))
        await self.until(self._is_well, "well at the beginning")
        await self._faults()
        await self.until(self._is_well, "well again after the faults")
        await asyncio.sleep(TRADING_S)
        market.cancel()
        await self._rest()
        await self.settle()
        self._is_ending = True
        engine = self.running["engine"]
        service = engine.built
        assert isinstance(service, LiveEngine)
        await engine.stop()
        self.promise(engine.failure is None, f"the engine did not stop in order: {engine.failure}")
        core = service._base.engine
        last = core.sequence - 1
        await self.until(lambda: self._audit().fold.sequence == last, f"the replica has tick {last}")
        oracles = self._check(core.hash())
        fills = sum(len(trades) for trades in oracles.fills().values())
        for each in keeping:
            each.cancel()
        for process in self.running.values():
            process.kill()
        await asyncio.gather(*keeping, return_exceptions=True)
        await market_bus.close()
        return RunResult(self._digest(), last + 1, fills, oracles.audit.hashes, self.network.fired, self.ends)

    def _is_well(self) -> bool:
        if len(self.running) < len(PROGRAMS) or not all(process.is_ready for process in self.running.values()):
            return False
        service = self.running["engine"].built
        if not isinstance(service, LiveEngine):
            return False
        status = service.status()
        return status["health"] == "healthy" and self._audit().follower.is_caught_up

    async def settle(self) -> None:
        """Wait for what else there is to wait for."""

    async def _rest(self) -> None:
        """Return when nothing has happened on any account for a while."""
        streams = [self.broker.stream(subjects.acct_stream(name)) for name in self.accounts]
        last, since = [0], self.loop.time()
        while self.loop.time() - since < QUIET_S:
            now = [stream.last_sequence for stream in streams]
            if now != last:
                last, since = now, self.loop.time()
            await asyncio.sleep(POLL_S)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = self.loop.time() + HEALING_S_MAX
        while not condition():
            if self.loop.time() >= deadline:
                said = {
                    name: (process.failure, process.runtime and process.runtime.health.report().reasons)
                    for name, process in self.running.items()
                }
                raise self._broken(f"not within {HEALING_S_MAX:g} s: {what}; {said}; {dict(self.ends)}")
            for keeping in self._keeping:
                if keeping.done():
                    keeping.result()
            await asyncio.sleep(POLL_S)

    def _audit(self) -> AuditService:
        service = self.running["audit"].built
        assert isinstance(service, AuditService)
        return service

    # ------------------------------------------------------------------------------ oracles

    def _check(self, engine_hash: object) -> Oracles:
        index = self.settings.indexed_instruments()
        exchanges = {self.settings.account(each): index.find_exchange_index(each) for each in self.settings.exchanges}
        oracles = Oracles(exchanges, are_at_venues=self.are_at_venues)
        try:
            for message in self._messages(subjects.audit_stream(ENGINE)):
                oracles.take_audit(message)
            for name in self.accounts:
                for message in self._messages(subjects.acct_stream(name)):
                    oracles.take_account(name, message)
            oracles.check(at_rest=not self.are_at_venues)
        except Exception as error:
            raise self._broken(f"{type(error).__name__}: {error}") from error
        own = oracles.audit.replica.hash()
        fold = self._audit().fold
        self.promise(own == engine_hash, f"the engine's hash {engine_hash}, our own fold's {own}")
        self.promise(fold.hash() == engine_hash, f"the engine's hash {engine_hash}, the replica's {fold.hash()}")
        self.promise(fold.is_exact, f"the replica is not exact: {fold.broken}")
        self.promise(not self.violations, "; ".join(self.violations[:3]))
        damaged = sum(damages() for damages in self.damages)
        self.promise(not damaged, f"{damaged:g} damages of the archive or its checkpoints after a crash")
        starts = oracles.audit.starts
        self.promise(len(starts) == 1, f"expected an engine that always goes on, found fresh starts at {starts}")
        self._check_switches(oracles)
        for (subject, sequence), chain in self.network.promised.items():
            stream = next((each for each in self._streams() if self.broker.stream(each).keeps(subject)), None)
            if stream is None:
                continue  # dead letters: their stream drops its oldest
            gone = self.pruned.get(stream, [])
            kept = gone[sequence - 1] if sequence <= len(gone) else self.broker.stream(stream).message(sequence)
            found = None if kept is None else (kept.headers or {}).get(CHAIN_HEADER, "")
            self.promise(found == chain, f"{stream}: message {sequence} was acknowledged, and is {found}")
        return oracles

    def _check_switches(self, oracles: Oracles) -> None:
        """An operator's word is applied once, while it lives, and never taken back by the policy."""
        said: Counter[str] = Counter()
        by_policy = False
        is_on = True
        for tick, update in oracles.audit.switches:
            wants_on = update.state is TradingState.ENABLED
            if update.origin in self.commands:
                said[update.origin] += 1
                is_late = tick.time_ns > self.commands[update.origin]
                # Engine time stands still while the clock that was set back catches up.
                self.promise(not is_late or bool(self.menu.clock_steps), f"{update} came when it had expired")
                by_policy = False
            elif wants_on:
                self.promise(by_policy or is_on, f"tick {tick.sequence}: {update} takes back what an operator said")
                by_policy = False
            else:
                by_policy = is_on
            is_on = wants_on
        for name, count in said.items():
            self.promise(count == 1, f"the command of {name} was applied {count} times")

    def _streams(self) -> list[str]:
        return [
            subjects.audit_stream(ENGINE),
            *(subjects.acct_stream(name) for name in self.accounts),
            subjects.cmd_stream(ENGINE),
        ]

    def _messages(self, name: str) -> Iterator[JournalMessage]:
        """Return everything that a stream ever held, what was pruned included."""
        yield from self.pruned.get(name, [])
        stream = self.broker.stream(name)
        for sequence in range(stream.first_sequence, stream.last_sequence + 1):
            message = stream.message(sequence)
            assert message is not None
            yield message

    def _digest(self) -> str:
        digest = blake2b(digest_size=16)
        for name in self._streams():
            for message in self._messages(name):
                digest.update(message.payload)
        return digest.hexdigest()

    def promise(self, kept: bool, what: str) -> None:
        if not kept:
            raise self._broken(what)

    def _broken(self, what: str) -> BrokenPromise:
        return BrokenPromise(f"{what}\n    repeat: python -m tests.simulation --seed {self.seed}")


def simulated_settings(folder: Path) -> Settings:
    """Return a small system that trades often: two exchanges, two instruments each, both shipped strategies."""
    strategies = [
        {
            "id": "ema",
            "class": "tradebus.strategies.ema_cross:EmaCross",
            "instruments": ["sim_alpha-btc_usdt", "sim_beta-eth_usdt"],
            "params": {"fast": 2, "slow": 5, "notional": "20"},
        },
        {
            "id": "quoter",
            "class": "tradebus.strategies.quoter:Quoter",
            "instruments": ["sim_alpha-eth_usdt", "sim_beta-btc_usdt"],
            "params": {"notional": "20", "notional_max": "60"},
        },
    ]
    return engine_settings(
        ENGINE,
        engine={
            "strategies": strategies,
            "hash_every": {"ticks": 20, "seconds": 1},
            "health": {"crashes_max": 1_000_000},
            "snapshot": {"seconds": 1, "ticks": 100},
        },
        runtime={"data_dir": folder},
    )


def _count(counter: Counter_) -> float:
    """Return what a metric counts."""
    return float(counter._value.get())


def _text(number: float) -> str:
    return str(Decimal(repr(number)).quantize(Decimal("0.01")))


@contextmanager
def simulation(seed: int, menu: Menu | None = None, kind: type[World] = World) -> Iterator[World]:
    """Give a world, ready to run on its own loop; everything that was patched is put back afterwards."""
    loop = VirtualLoop()
    loop.set_task_factory(task_factory)
    kept_plan, kept_log = crash_points._plan, structlog.get_config()
    structlog.configure(processors=[_drop])
    spare_the_collector()
    asyncio.set_event_loop(loop)
    try:
        with tempfile.TemporaryDirectory(prefix="tradebus-sim-") as folder, virtual_time(loop):
            world = kind(seed, loop, Path(folder), menu)
            setattr(crash_points, "_plan", _Crashes(world))  # noqa: B010 - it is Final for everybody else
            with (
                world.disk.watching(),
                patch.object(asyncio, "to_thread", world.in_no_thread),
                patch.object(execution_snapshotting, "SNAPSHOT_PERIOD_S", SNAPSHOTS_S),
                patch.object(engine_snapshotting, "PROOF_PERIOD_S", 0.0),
            ):
                yield world
    finally:
        setattr(crash_points, "_plan", kept_plan)  # noqa: B010
        structlog.configure(**kept_log)
        _end_tasks(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _end_tasks(loop: VirtualLoop) -> None:
    """Let nothing of a run that failed go on."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def _drop(*_: object) -> str:
    raise structlog.DropEvent


def run_seed(seed: int, menu: Menu | None = None, kind: type[World] = World) -> RunResult:
    """Run one seed and return what it came to. Raises BrokenPromise."""
    with simulation(seed, menu, kind) as world:
        return world.loop.run_until_complete(world.run())
