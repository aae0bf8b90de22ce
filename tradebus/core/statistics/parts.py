"""The statistics of a run in parts, so that they can be kept and gone on with: see ``TradingStatistics.parts``.

What accumulates is shared with the statistics and changes with them; who keeps parts copies or encodes them at once.
The points of the equity curves never change.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.record import Record
from tradebus.core.statistics.activity import Activity
from tradebus.core.statistics.asset_sheet import TearSheetAssetGenerator
from tradebus.core.statistics.drawdown_sheet import DrawdownTracker
from tradebus.core.statistics.equity import EquityPoint
from tradebus.core.statistics.exposure import Exposure
from tradebus.core.statistics.pnl_returns import PnlReturns


@final
class ActivityParts(Record):
    """What was traded: counts of fills, turnover by currency, fees of makers and takers by asset."""

    FIELDS: ClassVar[tuple[str, ...]] = ("fills", "fills_maker", "turnover", "fees_maker", "fees_taker")

    def __init__(
        self,
        fills: int,
        fills_maker: int,
        turnover: list[tuple[str, Decimal]],
        fees_maker: list[tuple[str, Decimal]],
        fees_taker: list[tuple[str, Decimal]],
    ) -> None:
        self.fills: Final = fills
        self.fills_maker: Final = fills_maker
        self.turnover: Final = turnover
        self.fees_maker: Final = fees_maker
        self.fees_taker: Final = fees_taker


def activity_parts(activity: Activity) -> ActivityParts:
    """Return the parts of an activity."""
    fees = activity.fees
    return ActivityParts(
        activity.fills,
        activity.fills_maker,
        list(activity.turnover.value.items()),
        list(fees.maker.items()),
        list(fees.taker.items()),
    )


def activity_of(parts: ActivityParts) -> Activity:
    """Return the activity that has these parts."""
    activity = Activity()
    activity.fills = parts.fills
    activity.fills_maker = parts.fills_maker
    activity.turnover.value = dict(parts.turnover)
    activity.fees.maker = dict(parts.fees_maker)
    activity.fees.taker = dict(parts.fees_taker)
    return activity


@final
class ExposureParts(Record):
    """What was at stake; sums are amounts times nanoseconds."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "time_now_ns",
        "gross",
        "net",
        "gross_max",
        "gross_sum",
        "net_sum",
        "time_open_ns",
    )

    def __init__(
        self,
        time_now_ns: int,
        gross: Decimal,
        net: Decimal,
        gross_max: Decimal,
        gross_sum: Decimal,
        net_sum: Decimal,
        time_open_ns: int,
    ) -> None:
        self.time_now_ns: Final = time_now_ns
        self.gross: Final = gross
        self.net: Final = net
        self.gross_max: Final = gross_max
        self.gross_sum: Final = gross_sum
        self.net_sum: Final = net_sum
        self.time_open_ns: Final = time_open_ns


def exposure_parts(exposure: Exposure) -> ExposureParts:
    """Return the parts of an exposure."""
    return ExposureParts(
        exposure.time_now_ns,
        exposure.gross,
        exposure.net,
        exposure.gross_max,
        exposure.gross_sum,
        exposure.net_sum,
        exposure.time_open_ns,
    )


def restore_exposure(exposure: Exposure, parts: ExposureParts) -> None:
    """Give an exposure these parts."""
    exposure.time_now_ns = parts.time_now_ns
    exposure.gross = parts.gross
    exposure.net = parts.net
    exposure.gross_max = parts.gross_max
    exposure.gross_sum = parts.gross_sum
    exposure.net_sum = parts.net_sum
    exposure.time_open_ns = parts.time_open_ns


@final
class BookParts(Record):
    """One currency: its equity curve, its exposure, its closed positions."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "name",
        "capital_base",
        "period_ns",
        "last",
        "points",
        "drawdown",
        "exposure",
        "positions",
        "turnover",
        "pnl_before",
    )

    def __init__(
        self,
        name: str,
        capital_base: Decimal,
        period_ns: int,
        last: EquityPoint,
        points: list[EquityPoint],
        drawdown: DrawdownTracker,
        exposure: ExposureParts,
        positions: PnlReturns,
        turnover: Decimal,
        pnl_before: Decimal,
    ) -> None:
        self.name: Final = name
        self.capital_base: Final = capital_base
        self.period_ns: Final = period_ns
        self.last: Final = last
        self.points: Final = points
        self.drawdown: Final = drawdown
        self.exposure: Final = exposure
        self.positions: Final = positions
        self.turnover: Final = turnover
        self.pnl_before: Final = pnl_before


@final
class InstrumentParts(Record):
    """One instrument: its closed positions, and where its profit and its fills stood."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "time_now_ns",
        "pnl_returns",
        "drawdown",
        "activity",
        "pnl_before",
        "realised",
        "trade_count",
    )

    def __init__(
        self,
        time_now_ns: int,
        pnl_returns: PnlReturns,
        drawdown: DrawdownTracker,
        activity: ActivityParts,
        pnl_before: Decimal,
        realised: Decimal,
        trade_count: int,
    ) -> None:
        self.time_now_ns: Final = time_now_ns
        self.pnl_returns: Final = pnl_returns
        self.drawdown: Final = drawdown
        self.activity: Final = activity
        self.pnl_before: Final = pnl_before
        self.realised: Final = realised
        self.trade_count: Final = trade_count


@final
class StatisticsParts(Record):
    """Everything; instruments and assets by index, books by currency, strategies by id."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "time_start_ns",
        "next_sample_ns",
        "books",
        "instruments",
        "assets",
        "strategies",
    )

    def __init__(
        self,
        time_start_ns: int,
        next_sample_ns: int,
        books: list[BookParts],
        instruments: list[InstrumentParts],
        assets: list[TearSheetAssetGenerator],
        strategies: list[tuple[str, ActivityParts]],
    ) -> None:
        self.time_start_ns: Final = time_start_ns
        self.next_sample_ns: Final = next_sample_ns
        self.books: Final = books
        self.instruments: Final = instruments
        self.assets: Final = assets
        self.strategies: Final = strategies
