import math
from itertools import pairwise
from statistics import correlation, mean, pstdev

import pytest

from services.market.flow.latent import BLOCK_NS, STEP_NS, latent_ratio, latent_value

START_NS = 1_700_000_000_000_000_000
HOUR_NS = 3_600 * 1_000_000_000


def offsets(asset: str, *, step_ns: int, count: int, seed: int = 1) -> list[float]:
    return [latent_value(seed, asset, START_NS + i * step_ns).offset for i in range(count)]


def changes(values: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(values)]


def test_the_value_depends_on_seed_asset_and_time_alone() -> None:
    ahead = latent_value(1, "btc", START_NS + 10 * BLOCK_NS)
    latent_value(1, "btc", START_NS)
    assert latent_value(1, "btc", START_NS + 10 * BLOCK_NS) == ahead
    assert latent_value(2, "btc", START_NS + 10 * BLOCK_NS) != ahead
    assert latent_value(1, "eth", START_NS + 10 * BLOCK_NS) != ahead


def test_the_path_is_continuous_where_blocks_meet() -> None:
    edge_ns = START_NS // BLOCK_NS * BLOCK_NS
    for block in range(1, 20):
        before = latent_value(1, "btc", edge_ns + block * BLOCK_NS - 1).offset
        after = latent_value(1, "btc", edge_ns + block * BLOCK_NS).offset
        assert after == pytest.approx(before, abs=1e-9)


def test_the_value_stays_within_a_few_per_cent_over_weeks() -> None:
    values = offsets("btc", step_ns=HOUR_NS, count=24 * 15)
    assert all(abs(value) < 0.15 for value in values)
    assert pstdev(values) > 0.002


def test_a_day_moves_about_as_much_as_a_crypto_market_does() -> None:
    minutes = changes(offsets("btc", step_ns=60 * 1_000_000_000, count=300))
    assert 0.0004 < pstdev(minutes) < 0.002


def test_volatility_clusters() -> None:
    sizes = [abs(change) for change in changes(offsets("btc", step_ns=STEP_NS, count=10_000))]
    assert correlation(sizes[:-1], sizes[1:]) > 0.1
    assert mean(latent_value(1, "btc", START_NS + i * STEP_NS).volatility for i in range(10_000)) == pytest.approx(
        1, abs=0.3
    )


def test_assets_move_together_but_not_alike() -> None:
    step_ns = 20 * STEP_NS
    btc, eth = (changes(offsets(asset, step_ns=step_ns, count=3_000)) for asset in ("btc", "eth"))
    assert 0.3 < correlation(btc, eth) < 0.95


def test_quote_currencies_do_not_move_and_ratios_follow_both_sides() -> None:
    assert latent_value(1, "usdt", START_NS).offset == 0
    assert latent_ratio(1, "btc", "usdt", START_NS) == latent_value(1, "btc", START_NS)
    cross = latent_ratio(1, "eth", "btc", START_NS).offset
    assert math.isclose(cross, latent_value(1, "eth", START_NS).offset - latent_value(1, "btc", START_NS).offset)
