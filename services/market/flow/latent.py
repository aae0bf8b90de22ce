"""Give every asset a latent value that moves like a market, as a pure function of seed and absolute time.

A value is a log offset around the asset's usual price. Because it follows from (seed, asset, time) alone, two
exchanges quote the same underlying without talking to each other, in one process or in two, and a restarted
generator goes on at the price the clock says instead of jumping back to where it began.

How a path is made:
- Time is cut into blocks of ``BLOCK_STEPS`` steps. The value at a block's edges is noise summed over octaves of
  block lengths (1, 4, 16, ... blocks): it wanders like a random walk over hours and yet stays bounded for ever,
  so that a price can neither reach zero nor run away.
- Inside a block, a random walk whose log volatility is a first-order autoregression (calm and wild stretches of
  some seconds) with rare jumps, bent to meet both edges in proportion to the variance used so far.
- Assets other than the quote currencies move with a common market factor and their own path.

Floats are right here: nothing of this is money before it has been rounded to whole ticks.
"""

import math
from functools import lru_cache
from itertools import accumulate, pairwise
from random import Random
from typing import Final, NamedTuple

STEP_NS: Final = 50_000_000
BLOCK_STEPS: Final = 1_024
BLOCK_NS: Final = STEP_NS * BLOCK_STEPS

_MARKET: Final = "*"  # no asset is called so
_MARKET_SHARE: Final = 0.8  # of an asset's movement, as a correlation with the common factor
_OWN_SHARE: Final = math.sqrt(1 - _MARKET_SHARE**2)
_SIGMA_STEP: Final = 1e-4 * math.sqrt(STEP_NS / 1e9)  # 1e-4 a second is close to 3 % a day
_OCTAVES: Final = (1, 4, 16, 64, 256, 1_024)  # in blocks; the longest is half a day
_SIGMA_BLOCK: Final = _SIGMA_STEP * math.sqrt(BLOCK_STEPS)
_LOG_VOLATILITY: Final = 0.6  # standard deviation of the log of the volatility
_PERSISTENCE: Final = 0.995  # of the log volatility from step to step: calm and storm last about ten seconds
_JUMP_PROBABILITY: Final = 0.002
_JUMP_SIZE: Final = 6.0

STABLE_ASSETS: Final = frozenset({"usd", "usdt", "usdc", "busd", "fdusd", "dai", "tusd", "eur"})
"""What prices are usually quoted in; their value does not move."""


class Latent(NamedTuple):
    """The market's hidden state: log offset from the usual price, and volatility relative to its mean of one."""

    offset: float
    volatility: float


class _Block(NamedTuple):
    offsets: tuple[float, ...]  # one more than there are steps: both edges
    volatilities: tuple[float, ...]


def latent_value(seed: int, asset: str, time_ns: int) -> Latent:
    """Return the latent state of an asset (internal name) at a time in nanoseconds since the epoch."""
    if asset in STABLE_ASSETS:
        return Latent(0.0, 0.0)
    step, rest = divmod(time_ns, STEP_NS)
    block, position = divmod(step, BLOCK_STEPS)
    share = rest / STEP_NS
    market, own = _block(seed, _MARKET, block), _block(seed, asset, block)
    return Latent(
        _MARKET_SHARE * _between(market.offsets, position, share) + _OWN_SHARE * _between(own.offsets, position, share),
        _MARKET_SHARE * market.volatilities[position] + (1 - _MARKET_SHARE) * own.volatilities[position],
    )


def latent_ratio(seed: int, base: str, quote: str, time_ns: int) -> Latent:
    """Return the latent state of a price: the value of ``base`` in units of ``quote``."""
    of_base = latent_value(seed, base, time_ns)
    if quote in STABLE_ASSETS:
        return of_base
    of_quote = latent_value(seed, quote, time_ns)
    return Latent(of_base.offset - of_quote.offset, max(of_base.volatility, of_quote.volatility))


def _between(values: tuple[float, ...], position: int, share: float) -> float:
    left = values[position]
    return left + (values[position + 1] - left) * share


@lru_cache(maxsize=64)  # a handful of assets, the block of now and the one before: both exchanges share them
def _block(seed: int, asset: str, number: int) -> _Block:
    rng = Random(f"{seed}/{asset}/block/{number}")  # noqa: S311 - a seeded simulation
    gauss = rng.gauss
    spread = _LOG_VOLATILITY
    innovation = spread * math.sqrt(1 - _PERSISTENCE**2)
    log_volatility = gauss(0.0, spread)
    volatilities: list[float] = []
    increments: list[float] = []
    for _ in range(BLOCK_STEPS):
        log_volatility = _PERSISTENCE * log_volatility + gauss(0.0, innovation)
        volatility = math.exp(log_volatility - spread * spread / 2)
        shock = gauss(0.0, 1.0) * (_JUMP_SIZE if rng.random() < _JUMP_PROBABILITY else 1.0)
        volatilities.append(volatility)
        increments.append(_SIGMA_STEP * volatility * shock)
    left, right = _edge(seed, asset, number), _edge(seed, asset, number + 1)
    variance = list(accumulate((volatility * volatility for volatility in volatilities), initial=0.0))
    walk = list(accumulate(increments, initial=0.0))
    missing = (right - left - walk[-1]) / variance[-1]
    offsets = tuple(left + moved + missing * used for moved, used in zip(walk, variance, strict=True))
    return _Block(offsets, tuple(volatilities))


def _edge(seed: int, asset: str, number: int) -> float:
    """Return the value at the beginning of a block."""
    total = 0.0
    for blocks in _OCTAVES:
        cell, rest = divmod(number, blocks)
        left = _noise(seed, asset, blocks, cell)
        value = left if rest == 0 else left + (_noise(seed, asset, blocks, cell + 1) - left) * rest / blocks
        total += value * _SIGMA_BLOCK * math.sqrt(blocks / 2)
    return total


@lru_cache(maxsize=1_024)
def _noise(seed: int, asset: str, blocks: int, cell: int) -> float:
    return Random(f"{seed}/{asset}/edge/{blocks}/{cell}").gauss(0.0, 1.0)  # noqa: S311 - a seeded simulation


assert all(after % before == 0 for before, after in pairwise(_OCTAVES)), "octaves nest"
