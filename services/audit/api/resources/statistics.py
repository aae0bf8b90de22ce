"""`/v1/statistics`: what trading was worth since the engine's run began."""

from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from services.audit.api.context import Reading
from services.audit.api.documents import PAST_READ_PROBLEMS, UNKNOWN_NAME
from services.audit.api.envelope import Envelope
from services.audit.api.find import instrument_index
from services.audit.api.problems import unknown_name
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import TimedRead
from services.audit.api.views.statistics import (
    AssetStatisticsView,
    EquityPointView,
    EquityView,
    InstrumentStatisticsView,
    StatisticsView,
)
from tradebus.core.statistics.capital import currency_of
from tradebus.core.statistics.interval import ANNUAL_252, ANNUAL_365, DAILY, TimeInterval
from tradebus.core.statistics.summary import TradingSummary

router = APIRouter(prefix="/v1/statistics", tags=["statistics"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS)

All = Envelope[StatisticsView]
OfInstrument = Envelope[InstrumentStatisticsView]
OfAsset = Envelope[AssetStatisticsView]
Curves = Envelope[list[EquityView]]


class Interval(StrEnum):
    """What returns and ratios are for, whatever the length of the run."""

    DAILY = "daily"
    ANNUAL_252 = "annual252"
    ANNUAL_365 = "annual365"


INTERVALS: Final[dict[Interval, TimeInterval]] = {
    Interval.DAILY: DAILY,
    Interval.ANNUAL_252: ANNUAL_252,
    Interval.ANNUAL_365: ANNUAL_365,
}
Of = Annotated[Interval, Query(description="What returns and ratios are for: a day, 252 days, 365 days.")]


@router.get("", operation_id="getStatistics", summary="All sheets", response_model=All)
async def get_statistics(read: TimedRead, interval: Of = Interval.ANNUAL_365) -> Response:
    """Return the sheets of portfolios, instruments, assets and strategies; `docs/statistics.md` says how they are made.

    They begin with the engine's present run. Open positions are marked to the market.
    """
    now = read.now()
    return now.answer_often(All, lambda: StatisticsView.of(_summary(now, interval), now.names), interval.value)


@router.get("/equity", operation_id="listEquity", summary="Equity curves", response_model=Curves)
async def list_equity(read: TimedRead) -> Response:
    """Return the equity curve of each currency: capital and everything made, marked to the market.

    A point each five minutes of engine time, the last one as of now; after 10,000 points each second one is dropped.
    """
    now = read.now()

    def curves() -> list[EquityView]:
        found = now.fold.projections.statistics.equity(now.state, now.time_ns, DAILY)
        return [
            EquityView(currency=name, points=[EquityPointView.of(point, now.names) for point in points])
            for name, points in found.items()
        ]

    return now.answer_often(Curves, curves)


@router.get(
    "/instruments/{instrument}",
    operation_id="getInstrumentStatistics",
    summary="The tear sheet of one instrument",
    response_model=OfInstrument,
    responses=UNKNOWN_NAME,
)
async def get_instrument_statistics(
    read: TimedRead,
    instrument: Annotated[str, Path(description="The instrument's internal name.")],
    interval: Of = Interval.ANNUAL_365,
) -> Response:
    """Return what one instrument made and how much it traded; `sim_alpha-btc_usdt` for instance."""
    now = read.now()
    index = instrument_index(now.names, instrument)

    def sheet() -> InstrumentStatisticsView:
        summary = _summary(now, interval)
        name = list(summary.instruments)[index]
        return InstrumentStatisticsView.model_validate(
            {
                "instrument": now.names.instruments[index],
                "currency": currency_of(now.state.index, now.state.instruments[index].instrument),
                "sheet": summary.instruments[name],
                "activity": summary.activities[name],
            }
        )

    return now.answer(OfInstrument, sheet)


@router.get(
    "/assets/{asset}",
    operation_id="getAssetStatistics",
    summary="The tear sheets of one asset",
    response_model=OfAsset,
    responses=UNKNOWN_NAME,
)
async def get_asset_statistics(
    read: TimedRead,
    asset: Annotated[str, Path(description="The asset's internal name.")],
    interval: Of = Interval.ANNUAL_365,
) -> Response:
    """Return the balances of one asset on every exchange with their drawdowns, and the portfolio that is kept in it."""
    now = read.now()
    wanted = asset.lower()
    if wanted not in now.names.assets:
        raise unknown_name("asset", asset, sorted(set(now.names.assets)))

    def sheets() -> AssetStatisticsView:
        summary = _summary(now, interval)
        items = zip(now.names.index.assets, summary.assets.values(), strict=True)
        ours = {item.exchange.value: sheet for item, sheet in items if item.asset.name_internal == wanted}
        return AssetStatisticsView.model_validate(
            {
                "asset": wanted,
                "exchanges": ours,
                "portfolio": summary.portfolios.get(wanted),
            }
        )

    return now.answer(OfAsset, sheets)


def _summary(now: Reading, interval: Interval) -> TradingSummary:
    fold = now.fold
    return fold.projections.statistics.summary(now.state, now.time_ns, fold.risk_free_return, INTERVALS[interval])
