from decimal import Decimal
from pathlib import Path

from services.market.config import GeneratorPlan, LivePlan, ReplayPlan, feed_plans
from services.market.venues.interface import Subscription, SubscriptionKind
from tests.support.market_settings import market_settings
from tradebus.core.model.identifiers import ExchangeId, InstrumentIndex

ALPHA, BETA, BINANCE = ExchangeId.SIM_ALPHA, ExchangeId.SIM_BETA, ExchangeId.BINANCE_SPOT


def test_the_demo_generates_every_exchange_with_its_own_character() -> None:
    generator = {"seed": 7, "events_per_s": 50, "start_prices": {"btc": "100.5"}}
    settings = market_settings("demo", [ALPHA, BETA], market={ALPHA: {"generator": generator}})
    alpha, beta = feed_plans(settings, settings.exchanges)
    assert isinstance(alpha, GeneratorPlan)
    assert isinstance(beta, GeneratorPlan)
    assert (alpha.exchange, alpha.seed, alpha.params.events_per_s) == (ALPHA, 7, 50)
    assert alpha.params.start_prices == {"btc": Decimal("100.5")}
    assert alpha.params.lag_ns == 0 < beta.params.lag_ns
    assert alpha.params.market_seed == beta.params.market_seed


def test_paper_listens_to_trades_and_best_prices_of_every_instrument() -> None:
    settings = market_settings("paper", [BINANCE], market={BINANCE: {"url_ws": "ws://127.0.0.1:9/ws"}})
    (plan,) = feed_plans(settings, settings.exchanges)
    assert plan == LivePlan(
        BINANCE,
        "ws://127.0.0.1:9/ws",
        tuple(
            Subscription(InstrumentIndex(number), symbol, kind)
            for number, symbol in enumerate(["BTCUSDT", "ETHUSDT"])
            for kind in (SubscriptionKind.PUBLIC_TRADES, SubscriptionKind.ORDER_BOOKS_L1)
        ),
    )


def test_a_replay_is_one_feed(tmp_path: Path) -> None:
    recording = tmp_path / "binance-spot-x"
    recording.touch()
    settings = market_settings("replay", [BINANCE], recording=[recording], runtime={"run": "r7"})
    assert feed_plans(settings, settings.exchanges) == [ReplayPlan("replay-r7", "r7")]


def test_an_instance_runs_only_what_it_serves() -> None:
    settings = market_settings("demo", [ALPHA, BETA])
    (plan,) = feed_plans(settings, [BETA])
    assert isinstance(plan, GeneratorPlan)
    assert plan.exchange is BETA
    assert feed_plans(settings, []) == []
