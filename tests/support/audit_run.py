"""A run of the real engine on generated markets, and its journal: what the audit service follows in tests.

``EngineRun`` trades with both shipped strategies against simulated exchanges in virtual time; the same seed gives the
same ticks. ``batches_of`` seals ticks as the engine service does.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tests.support.builders import (
    ALPHA,
    ASSET_BETA_BTC,
    ASSET_BETA_USDT,
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    BETA,
    BTC,
    ETH,
    engine_started,
    level,
    setup_of,
    simulated_account,
    steps,
    usual_index,
)
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.market.event import BookL1, MarketData, MarketEvent, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex, StrategyId
from tradebus.core.model.side import Side
from tradebus.journal.sealed import SealedBatch, sealed
from tradebus.strategies.checks import load_risk
from tradebus.strategies.loading import load_strategy
from tradebus.wire import subjects
from tradebus.wire.codec.audit import AuditBatch, AuditBatchHead, audit_batch_to_bytes
from tradebus.wire.integrity import CHAIN_START

START_NS = 1_790_000_000_000_000_000
STEP_NS = 50_000_000
PRICES = ((BTC, ALPHA, 60_000), (ETH, ALPHA, 2_600), (InstrumentIndex(2), BETA, 60_010))


def started_demo(risk: Sequence[RiskCheckSetup] = (), run: str = "run") -> EngineStarted:
    """Return the start record of the run: two strategies, three instruments, two simulated accounts, no risk check."""
    strategies = (
        setup_of(
            StrategyId("ema"),
            "tradebus.strategies.ema_cross:EmaCross",
            fast="3",
            slow="8",
            instruments="sim_alpha-btc_usdt",
        ),
        setup_of(
            StrategyId("quoter"),
            "tradebus.strategies.quoter:Quoter",
            instruments="sim_alpha-eth_usdt,sim_beta-btc_usdt",
        ),
    )
    accounts = (
        simulated_account(
            ALPHA,
            ((ASSET_BTC, 5), (ASSET_ETH, 50), (ASSET_USDT, 100_000)),
            latency_ns=20_000_000,
            fee_maker="0.0002",
            fee_taker="0.0005",
        ),
        simulated_account(
            BETA, ((ASSET_BETA_BTC, 5), (ASSET_BETA_USDT, 100_000)), latency_ns=50_000_000, fee_taker="0.001"
        ),
    )
    index = usual_index(steps("0.01", "0.0001", quantity_min="0.0001", notional_min=5))
    return engine_started(strategies, index=index, accounts=accounts, engine_id="demo", risk=risk, run=run)


def market_events(count: int, seed: int) -> Iterator[MarketEvent]:
    """Yield a random walk on each instrument: books, and trades at them."""
    rng = random.Random(seed)
    prices = [Decimal(price) for _, _, price in PRICES]
    sequences = [0 for _ in PRICES]
    for number in range(count):
        which = rng.randrange(len(PRICES))
        instrument, exchange, _ = PRICES[which]
        move = Decimal(rng.randint(-20, 20)) / 10_000
        prices[which] = (prices[which] * (1 + move)).quantize(Decimal("0.01"))
        sequences[which] += 1
        time_ns = START_NS + number * STEP_NS
        data = _trade(rng, prices[which], number) if rng.random() < 0.4 else _book(rng, prices[which])
        yield MarketEvent(
            time_ns - 3_000_000, time_ns, ExchangeIndex(exchange), InstrumentIndex(instrument), sequences[which], data
        )


def _trade(rng: random.Random, price: Decimal, number: int) -> MarketData:
    side = rng.choice((Side.BUY, Side.SELL))
    return PublicTrade(str(number), price, Decimal(rng.randint(1, 900)) / 1000, side)


def _book(rng: random.Random, price: Decimal) -> MarketData:
    half = (price / 20_000).quantize(Decimal("0.01"))
    return BookL1(
        level(price - half, Decimal(rng.randint(1, 3000)) / 1000),
        level(price + half, Decimal(rng.randint(1, 3000)) / 1000),
    )


@dataclass(frozen=True, slots=True)
class Hashed:
    """A tick, and the engine's state hash after it where it was taken."""

    tick: AuditTick
    hash: StateHash | None


class EngineRun:
    """A finished run: its ticks, and the engine as it stands after the last."""

    def __init__(
        self,
        events: int = 400,
        seed: int = 7,
        *,
        hash_every: int = 16,
        is_ended: bool = True,
        risk: Sequence[RiskCheckSetup] = (),
        run: str = "run",
    ) -> None:
        started = started_demo(risk, run)
        strategies = [load_strategy(setup, started.index) for setup in started.strategies]
        self.engine = Engine(
            started, strategies, load_risk(risk, started.index), make_strategy=load_strategy, make_risk=load_risk
        )
        self.hashed: list[Hashed] = []
        self._hash_every = hash_every
        self._batches: list[SealedBatch] = []
        loop = VirtualTimeLoop(self.engine, simulated_exchanges(started), self._keep)
        for event in market_events(events, seed):
            loop.feed(event)
        if is_ended:
            loop.finish()
        self.market_events = loop.events

    @property
    def ticks(self) -> list[AuditTick]:
        return [each.tick for each in self.hashed]

    def _keep(self, tick: AuditTick) -> None:
        is_due = tick.sequence % self._hash_every == self._hash_every - 1
        self.hashed.append(Hashed(tick, self.engine.hash() if is_due else None))

    def batches(self) -> list[SealedBatch]:
        """Return the journal of the run; the last batch carries the hash of the final state."""
        if not self._batches:
            hashed = [*self.hashed[:-1], Hashed(self.hashed[-1].tick, self.engine.hash())]
            self._batches = batches_of(hashed, self.engine.started)
        return self._batches


def batches_of(
    hashed: Sequence[Hashed], started: EngineStarted, ticks_max: int = 8, *, chain: str = CHAIN_START
) -> list[SealedBatch]:
    """Seal ticks onto a chain of batches; a batch ends where a hash was taken."""
    batches: list[SealedBatch] = []
    taken: list[AuditTick] = []
    for each in hashed:
        taken.append(each.tick)
        if each.hash is None and len(taken) < ticks_max and each is not hashed[-1]:
            continue
        batches.append(sealed_batch(taken, started, chain, each.hash))
        chain = batches[-1].chain
        taken = []
    return batches


def sealed_batch(
    ticks: Sequence[AuditTick], started: EngineStarted, chain: str, state_hash: StateHash | None
) -> SealedBatch:
    """Seal some ticks as one batch onto a chain."""
    head = AuditBatchHead(
        started.engine_id,
        1,
        ticks[0].sequence,
        ticks[-1].sequence,
        bytes.fromhex(chain),
        started.index.fingerprint(),
        0 if state_hash is None else state_hash.version,
        "" if state_hash is None else state_hash.core,
        "" if state_hash is None else state_hash.user,
    )
    payload = audit_batch_to_bytes(AuditBatch(head, tuple(ticks)))
    return sealed(payload, ticks[0].sequence, ticks[-1].sequence)


def messages_of(batches: Sequence[SealedBatch], stream: str = "AUDIT_demo") -> list[JournalMessage]:
    """Return the batches as a stream would deliver them."""
    return [
        JournalMessage(
            stream,
            "audit.demo",
            number,
            batch.payload,
            batch.headers,
            START_NS + number * 1_000_000,
            len(batches) - number,
        )
        for number, batch in enumerate(batches, start=1)
    ]


async def append_all(bus: Bus, engine: str, batches: Sequence[SealedBatch], after: int = 0) -> int:
    """Append batches to an engine's journal and return the last message's sequence."""
    last = after
    for batch in batches:
        last = await bus.append(
            subjects.audit(engine), batch.payload, expected_last_sequence=last, headers=batch.headers
        )
    return last
