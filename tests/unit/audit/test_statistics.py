"""Statistics over the API are those of a backtest with the same ticks, and reading them changes nothing."""

import json
from decimal import Decimal
from typing import Any

import pytest

from services.audit.api.views import statistics as views
from services.audit.fold import Fold
from services.audit.projections import statistics as module
from services.audit.projections.statistics import Statistics
from tests.support.audit_api import AuditApi, new_fold
from tests.support.audit_run import EngineRun, Hashed, batches_of, messages_of
from tests.support.builders import book
from tradebus.core.engine.event import TradingStateUpdate
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.record import field_names
from tradebus.core.statistics.activity import ActivitySheet
from tradebus.core.statistics.asset_sheet import TearSheetAsset
from tradebus.core.statistics.drawdown import Drawdown
from tradebus.core.statistics.drawdown_mean import MeanDrawdown
from tradebus.core.statistics.exposure import ExposureSheet
from tradebus.core.statistics.interval import ANNUAL_365, DAILY, SECOND_NS
from tradebus.core.statistics.portfolio import PortfolioSheet
from tradebus.core.statistics.strategy_sheet import StrategySheet
from tradebus.core.statistics.summary import TradingSummary
from tradebus.core.statistics.tear_sheet import TearSheet

SHOWN = [
    (views.DrawdownView, Drawdown),
    (views.MeanDrawdownView, MeanDrawdown),
    (views.TearSheetView, TearSheet),
    (views.TearSheetAssetView, TearSheetAsset),
    (views.ActivitySheetView, ActivitySheet),
    (views.ExposureSheetView, ExposureSheet),
    (views.PortfolioSheetView, PortfolioSheet),
    (views.StrategySheetView, StrategySheet),
    (views.StatisticsView, TradingSummary),
]


@pytest.mark.parametrize(("view", "kind"), SHOWN)
def test_views_show_every_field(view: Any, kind: Any) -> None:
    read = {str(field.validation_alias or name) for name, field in view.model_fields.items()}
    assert read == set(field_names(kind))


def summary_of(fold: Fold, statistics: Statistics) -> str:
    return statistics.summary(fold.state, fold.time_ns, Decimal("0.05"), DAILY).to_json()


async def test_sheets_add_up_to_the_engines_profits(api: AuditApi, run: EngineRun) -> None:
    data = await api.data("/v1/statistics")
    state = run.engine.state
    made = sum((each.pnl_realised() + each.pnl_unrealised() for each in state.instruments), Decimal(0))
    portfolio = data["portfolios"]["usdt"]
    assert Decimal(portfolio["pnl"]) == pytest.approx(made, abs=Decimal("1e-18"))
    assert Decimal(portfolio["capital_base"]) == 200_000
    assert Decimal(portfolio["equity_end"]) == 200_000 + Decimal(portfolio["pnl"])
    assert portfolio["positions"] == sum(each.exits.count for each in state.instruments)
    fills = len(await api.data("/v1/trades?limit=1000"))
    assert sum(each["fills"] for each in data["activities"].values()) == fills
    assert set(data["strategies"]) >= {"ema", "quoter"}
    assert data["interval"] == "Annual(365)"


async def test_interval_scales_what_it_is_about(api: AuditApi) -> None:
    daily = (await api.data("/v1/statistics?interval=daily"))["portfolios"]["usdt"]
    yearly = (await api.data("/v1/statistics?interval=annual365"))["portfolios"]["usdt"]
    assert Decimal(yearly["return_interval"]) == pytest.approx(Decimal(daily["return_interval"]) * 365)
    assert daily["return_total"] == yearly["return_total"]
    body = await api.problem("/v1/statistics?interval=weekly", 422, "invalid_parameters")
    assert "'annual252'" in body["errors"][0]["expected"]


async def test_single_sheets_are_those_of_the_whole(api: AuditApi) -> None:
    whole = await api.data("/v1/statistics")
    one = await api.data("/v1/statistics/instruments/SIM_ALPHA-btc_usdt")
    assert one["sheet"] == whole["instruments"]["sim_alpha-btc_usdt"]
    assert (one["instrument"], one["currency"]) == ("sim_alpha-btc_usdt", "usdt")
    asset = await api.data("/v1/statistics/assets/USDT")
    assert asset["portfolio"] == whole["portfolios"]["usdt"]
    assert asset["exchanges"]["sim_beta"] == whole["assets"]["sim_beta_usdt"]
    assert (await api.data("/v1/statistics/assets/btc"))["portfolio"] is None
    assert (await api.problem("/v1/statistics/assets/usdc", 404, "unknown_asset"))["near"][0] == "usdt"
    await api.problem("/v1/statistics/instruments/sim_alpha-btc", 404, "unknown_instrument")


async def test_equity_ends_with_what_all_is_worth_now(api: AuditApi, run: EngineRun) -> None:
    (curve,) = await api.data("/v1/statistics/equity")
    whole = await api.data("/v1/statistics")
    assert curve["currency"] == "usdt"
    assert curve["points"][0]["equity"] == "200000"
    assert curve["points"][-1]["equity"] == whole["portfolios"]["usdt"]["equity_end"]


def test_reading_changes_nothing(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    asked, left = new_fold(), new_fold()
    for message in messages:
        for fold in (asked, left):
            fold.take(message)
        summary_of(asked, asked.projections.statistics)
    assert summary_of(asked, asked.projections.statistics) == summary_of(left, left.projections.statistics)


def test_what_was_kept_goes_on_as_if_never_kept(run: EngineRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERIOD_NS", SECOND_NS)  # so that there are points between
    messages = messages_of(run.batches())
    fold = new_fold()
    for message in messages[:70]:
        fold.take(message)
    whole = fold.projections.statistics
    kept = Statistics()
    frozen = whole.frozen()
    assert frozen is not None
    kept.restore(json.loads(frozen.text), fold.state)
    assert summary_of(fold, kept) == summary_of(fold, whole)
    fold.projections.statistics = kept  # type: ignore[misc]
    never = new_fold()
    for message in messages[:70]:
        never.take(message)
    for message in messages[70:]:
        fold.take(message)
        never.take(message)
    assert summary_of(fold, kept) == summary_of(never, never.projections.statistics)
    points = kept.equity(fold.state, fold.time_ns, ANNUAL_365)["usdt"]
    assert len(points) > 10
    assert points == never.projections.statistics.equity(never.state, never.time_ns, ANNUAL_365)["usdt"]


def test_what_is_frozen_is_always_as_of_now(run: EngineRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERIOD_NS", SECOND_NS)  # so that points come due between market events
    fold, found = new_fold(), set()
    for message in messages_of(run.batches()):
        fold.take(message)
        first = fold.projections.statistics.frozen()
        fold.projections.statistics._frozen = None
        again = fold.projections.statistics.frozen()
        assert first is not None
        assert again is not None
        assert first.text == again.text
        found.add(first.text)
    assert len(found) > 10


def test_curve_is_the_same_however_ticks_are_batched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point is of the prices at its time, also where that lies between two of many ticks taken at once."""
    monkeypatch.setattr(module, "PERIOD_NS", SECOND_NS)
    run = EngineRun(events=300, is_ended=False)
    held = next(each for each in run.engine.state.instruments if each.position is not None)
    now_ns = run.hashed[-1].tick.time_ns
    events: list[EngineEvent] = [TradingStateUpdate(TradingState.DISABLED, "alice", "c-1", 1)]
    for number in range(100):  # with trading off they are plain, on end
        price = 60_000 + number
        bid, ask = (price, 1), (price + 2, 1)
        events.append(book(bid, ask, time_ns=now_ns * 2 + number, instrument=held.instrument.index))
    for number, event in enumerate(events):
        run.hashed.append(Hashed(run.engine.process(event, now_ns + number * SECOND_NS // 3), None))
    curves = []
    for ticks_max in (1, 8, 512):
        fold = new_fold()
        for message in messages_of(batches_of(run.hashed, run.engine.started, ticks_max=ticks_max)):
            fold.take(message)
        assert fold.broken is None
        curves.append(fold.projections.statistics.equity(fold.state, fold.time_ns, ANNUAL_365)["usdt"])
    assert len({point.equity for point in curves[0][-30:]}) == 30
    assert curves[0] == curves[1] == curves[2]
