"""Make market events from a seed, the same on every machine and Python, and the record of an engine to run on them."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.support.builders import (
    ALPHA,
    ASSET_BETA_BTC,
    ASSET_BETA_USDT,
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    BETA,
    BETA_BTC,
    BTC,
    ETH,
    book,
    engine_started,
    public_trade,
    setup_of,
    simulated_account,
)
from tradebus.core.engine.event import EngineStarted
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.side import Side

MS = 1_000_000


class Dice:
    """A linear congruential generator (Knuth's MMIX): no library decides what it gives."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, count: int) -> int:
        """Return a number of 0 to ``count - 1``."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 33) % count


def market_flow(count: int, seed: int = 1, start_ns: int = 1_000 * MS) -> Iterator[MarketEvent]:
    """Yield trades and books of the usual index: prices wander by cents, receive times by up to 30 ms."""
    dice = Dice(seed)
    mids = {BTC: 10_000, ETH: 5_000, BETA_BTC: 10_050}
    now = start_ns
    for i in range(count):
        instrument = (BTC, BTC, ETH, BETA_BTC)[dice.below(4)]
        mids[instrument] += dice.below(21) - 10
        now += dice.below(30) * MS
        mid = Decimal(mids[instrument]) / 100
        spread = Decimal(1 + dice.below(5)) / 100
        amount = Decimal(1 + dice.below(40)) / 10
        told = now - dice.below(20) * MS
        if dice.below(2):
            side = (Side.BUY, Side.SELL)[dice.below(2)]
            price = mid + spread if side is Side.BUY else mid - spread
            yield public_trade(price, amount, side, instrument=instrument, time_ns=told, received_ns=now, sequence=i)
        else:
            other = Decimal(1 + dice.below(40)) / 10
            yield book(
                (mid - spread, amount),
                (mid + spread, other),
                instrument=instrument,
                time_ns=told,
                received_ns=now,
                sequence=i,
            )


def ready_made(run: str = "a") -> EngineStarted:
    """Return the start record of a backtest with the ready-made strategies on both exchanges."""
    fees: dict[str, Any] = {"fee_maker": "0.0002", "fee_taker": "0.0005"}
    alpha = ((ASSET_BTC, 100), (ASSET_ETH, 100), (ASSET_USDT, 100_000))
    beta = ((ASSET_BETA_BTC, 100), (ASSET_BETA_USDT, 100_000))
    return engine_started(
        [
            setup_of(StrategyId("ema"), "tradebus.strategies.ema_cross:EmaCross", fast="5", slow="15"),
            setup_of(StrategyId("quoter"), "tradebus.strategies.quoter:Quoter"),
        ],
        accounts=[
            simulated_account(ALPHA, alpha, latency_ns=20 * MS, **fees),
            simulated_account(BETA, beta, latency_ns=35 * MS, **fees),
        ],
        run=run,
    )
