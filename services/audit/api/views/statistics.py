"""Show what trading was worth: the sheets of `tradebus.core.statistics`, fields by their names there."""

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from services.audit.api.views.base import View
from services.audit.api.views.values import DecimalText, Time
from tradebus.core.statistics.interval import TimeInterval
from tradebus.core.statistics.plain import to_plain


def _ratio(value: object) -> object:
    return value if isinstance(value, str) else to_plain(value)


def _name(value: object) -> object:
    return value.name if isinstance(value, TimeInterval) else value


_RATIO_SCHEMA = {"type": "string", "format": "decimal", "examples": ["1.42", "Infinity"]}
Ratio: TypeAlias = Annotated[str, BeforeValidator(_ratio), WithJsonSchema(_RATIO_SCHEMA)]
"""An exact number as text; `Infinity` and `-Infinity` where nothing speaks against it, or for it."""

RatioOrNone: TypeAlias = Annotated[
    str | None, BeforeValidator(_ratio), WithJsonSchema({"anyOf": [_RATIO_SCHEMA, {"type": "null"}]})
]
IntervalName: TypeAlias = Annotated[str, BeforeValidator(_name)]
"""What returns and ratios are for: `Daily`, `Annual(252)`, `Annual(365)`."""


class DrawdownView(View):
    """A fall from a peak, as a fraction of it."""

    value: DecimalText
    time_start: Time = Field(validation_alias="time_start_ns")
    time_end: Time = Field(validation_alias="time_end_ns")
    """When it ended, or was looked at last."""


class MeanDrawdownView(View):
    """How deep, as a fraction, and how long drawdowns were on average."""

    mean_drawdown: DecimalText
    mean_drawdown_ms: int


class TearSheetView(View):
    """An instrument's results; profits in its currency, returns, drawdowns and win rate as fractions."""

    interval: IntervalName
    positions: int
    """Closed ones."""
    pnl: DecimalText
    """Of closed positions."""
    pnl_open: DecimalText
    pnl_return: Ratio
    sharpe_ratio: Ratio
    sortino_ratio: Ratio
    calmar_ratio: Ratio
    pnl_drawdown: DrawdownView | None
    pnl_drawdown_mean: MeanDrawdownView | None
    pnl_drawdown_max: DrawdownView | None
    win_rate: RatioOrNone
    profit_factor: RatioOrNone


class BalanceEndView(View):
    """A balance, in the asset."""

    total: DecimalText
    free: DecimalText


class TearSheetAssetView(View):
    """An asset's results on one exchange."""

    balance_end: BalanceEndView | None
    """Null where the venue never told one."""
    drawdown: DrawdownView | None
    drawdown_mean: MeanDrawdownView | None
    drawdown_max: DrawdownView | None


class ActivitySheetView(View):
    """How much was traded and what was paid for it; turnover by currency, fees by asset."""

    fills: int
    fills_maker: int
    turnover: dict[str, DecimalText]
    fees: dict[str, DecimalText]


class ExposureSheetView(View):
    """What was at stake, in the currency; means weighted by time."""

    gross_end: DecimalText
    net_end: DecimalText
    gross_mean: DecimalText
    net_mean: DecimalText
    gross_max: DecimalText
    time_in_market: DecimalText
    """The fraction of the time with any position."""


class PortfolioSheetView(View):
    """Results in one currency, measured on its equity curve over its capital base."""

    interval: IntervalName
    capital_base: DecimalText
    equity_end: DecimalText
    pnl: DecimalText
    return_total: RatioOrNone
    return_interval: RatioOrNone
    periods: int
    """How many returns volatility and ratios are made of."""
    period_ns: int
    volatility: RatioOrNone
    sharpe_ratio: RatioOrNone
    sortino_ratio: RatioOrNone
    calmar_ratio: RatioOrNone
    drawdown: DrawdownView | None
    drawdown_mean: MeanDrawdownView | None
    drawdown_max: DrawdownView | None
    positions: int
    win_rate: RatioOrNone
    profit_factor: RatioOrNone
    exposure: ExposureSheetView
    turnover: DecimalText
    turnover_rate: RatioOrNone


class StrategySheetView(View):
    """What a strategy traded, and what the fills attributed to it made, by currency."""

    activity: ActivitySheetView
    pnl_realised: dict[str, DecimalText]
    pnl_unrealised: dict[str, DecimalText]


class StatisticsView(View):
    """What came of trading since the engine's run began; nothing is converted between currencies."""

    time_engine_start: Time = Field(validation_alias="time_engine_start_ns")
    time_engine_end: Time = Field(validation_alias="time_engine_end_ns")
    risk_free_return: DecimalText
    """A fraction per year of 365 days, as configured."""
    interval: IntervalName
    portfolios: dict[str, PortfolioSheetView]
    """By currency."""
    instruments: dict[str, TearSheetView]
    activities: dict[str, ActivitySheetView]
    """By instrument."""
    assets: dict[str, TearSheetAssetView]
    """By exchange and asset: `sim_alpha_usdt`."""
    strategies: dict[str, StrategySheetView]


class InstrumentStatisticsView(View):
    """An instrument's results and how much it traded."""

    instrument: str
    currency: str
    """What profits are in."""
    sheet: TearSheetView
    activity: ActivitySheetView


class AssetStatisticsView(View):
    """An asset on every exchange that has it, and the portfolio in it where profits are in this asset."""

    asset: str
    exchanges: dict[str, TearSheetAssetView]
    portfolio: PortfolioSheetView | None


class EquityPointView(View):
    """What everything was worth at a time."""

    time_engine: Time = Field(validation_alias="time_ns")
    equity: DecimalText


class EquityView(View):
    """The equity curve of one currency: points at the ends of equal periods, the last one as of now."""

    currency: str
    points: list[EquityPointView]
