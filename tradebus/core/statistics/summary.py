"""Trading summary: the sheets of every instrument, asset, currency and strategy over one stretch of engine time.

Source: barter 0.12.5 ``statistic/summary/mod.rs``, which has instruments and assets. Keys are texts here, so that a
summary can be written as JSON.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.engine.state.payoff import payoff_of, pnl_asset
from tradebus.core.engine.state.position import PositionExited
from tradebus.core.model.account import Balance
from tradebus.core.model.identifiers import AssetIndex, InstrumentIndex
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record
from tradebus.core.statistics.activity import ActivitySheet
from tradebus.core.statistics.asset_sheet import TearSheetAsset, TearSheetAssetGenerator
from tradebus.core.statistics.interval import TimeInterval
from tradebus.core.statistics.plain import to_json
from tradebus.core.statistics.portfolio import PortfolioSheet
from tradebus.core.statistics.strategy_sheet import StrategySheet
from tradebus.core.statistics.summary_text import summary_text
from tradebus.core.statistics.tear_sheet import TearSheet, TearSheetGenerator


@final
class TradingSummary(Record):
    """What came of trading.

    ``instruments`` and ``activities`` by internal name and ``assets`` by ``exchange_asset``, in index order;
    ``portfolios`` by currency and ``strategies`` by id, in order of names. The generator alone gives instruments and
    assets. ``risk_free_return`` is a fraction per year of 365 days.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "time_engine_start_ns",
        "time_engine_end_ns",
        "risk_free_return",
        "interval",
        "instruments",
        "assets",
        "activities",
        "portfolios",
        "strategies",
    )

    def __init__(
        self,
        time_engine_start_ns: int,
        time_engine_end_ns: int,
        risk_free_return: Decimal,
        interval: TimeInterval,
        instruments: dict[str, TearSheet],
        assets: dict[str, TearSheetAsset],
        activities: dict[str, ActivitySheet],
        portfolios: dict[str, PortfolioSheet],
        strategies: dict[str, StrategySheet],
    ) -> None:
        self.time_engine_start_ns: Final = time_engine_start_ns
        self.time_engine_end_ns: Final = time_engine_end_ns
        self.risk_free_return: Final = risk_free_return
        self.interval: Final = interval
        self.instruments: Final = instruments
        self.assets: Final = assets
        self.activities: Final = activities
        self.portfolios: Final = portfolios
        self.strategies: Final = strategies

    @property
    def trading_duration_ns(self) -> int:
        """Return how long was traded."""
        return self.time_engine_end_ns - self.time_engine_start_ns

    def text(self) -> str:
        """Return the summary as tables to read."""
        return summary_text(self)

    def to_json(self, indent: int | None = None) -> str:
        """Return the summary as JSON: numbers as decimal text, times as integers in nanoseconds."""
        return to_json(self, indent)


def unique_names(names: list[str], exchanges: list[str]) -> list[str]:
    """Return names that tell everything apart: those that occur twice get their exchange before them."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return [f"{exchanges[i]}-{name}" if counts[name] > 1 else name for i, name in enumerate(names)]


@final
class TradingSummaryGenerator:
    """Collects closed positions and balances, keyed by index or by the names of the summary.

    ``capital`` is the capital base by currency; see ``TearSheetGenerator`` for what it is for.
    """

    def __init__(
        self,
        risk_free_return: Decimal,
        time_engine_start_ns: int,
        time_engine_now_ns: int,
        index: IndexedInstruments,
        capital: dict[str, Decimal] | None = None,
    ) -> None:
        self.risk_free_return = risk_free_return
        self.time_engine_start_ns: Final = time_engine_start_ns
        self.time_engine_now_ns = time_engine_now_ns
        self.instrument_names: Final = unique_names(
            [instrument.name for instrument in index.instruments],
            [instrument.definition.exchange.value for instrument in index.instruments],
        )
        self.asset_names: Final = [f"{item.exchange.value}_{item.asset.name_internal}" for item in index.assets]
        bases = {} if capital is None else capital
        self.instruments: Final = [
            TearSheetGenerator(
                time_engine_start_ns,
                bases.get(index.assets[pnl_asset(instrument)].asset.name_internal, ZERO),
                payoff=payoff_of(instrument),
            )
            for instrument in index.instruments
        ]
        self.assets: Final = [TearSheetAssetGenerator() for _ in index.assets]

    def update_from_position(self, instrument: InstrumentIndex | str, exited: PositionExited) -> None:
        """Take in a closed position of an instrument; raises KeyError for one that there is not."""
        self.update_time_from(exited.time_exit_ns)
        self.instruments[_position_of(instrument, self.instrument_names)].update_from_position(exited)

    def update_from_balance(self, asset: AssetIndex | str, balance: Balance, time_exchange_ns: int) -> None:
        """Take in a balance; raises KeyError for an asset that there is not."""
        self.update_time_from(time_exchange_ns)
        self.assets[_position_of(asset, self.asset_names)].update_from_balance(balance, time_exchange_ns)

    def update_time_from(self, time_ns: int) -> None:
        """Move engine time forward; an earlier time changes nothing."""
        if time_ns > self.time_engine_now_ns:
            self.time_engine_now_ns = time_ns

    def update_time_now(self, time_ns: int) -> None:
        """Set engine time, backwards too."""
        self.time_engine_now_ns = time_ns

    def instrument_sheets(self, interval: TimeInterval, pnl_open: list[Decimal] | None = None) -> dict[str, TearSheet]:
        """Return the sheets of instruments by name; ``pnl_open`` are what open positions made, by index."""
        sheets: dict[str, TearSheet] = {}
        for i, generator in enumerate(self.instruments):
            made = ZERO if pnl_open is None else pnl_open[i]
            sheet = generator.generate(self.risk_free_return, interval, self.time_engine_now_ns, made)
            sheets[self.instrument_names[i]] = sheet
        return sheets

    def asset_sheets(self) -> dict[str, TearSheetAsset]:
        """Return the sheets of assets by name."""
        return {self.asset_names[i]: generator.generate() for i, generator in enumerate(self.assets)}

    def generate(self, interval: TimeInterval) -> TradingSummary:
        """Return the summary of instruments and assets; calling it changes nothing."""
        return TradingSummary(
            self.time_engine_start_ns,
            self.time_engine_now_ns,
            self.risk_free_return,
            interval,
            self.instrument_sheets(interval),
            self.asset_sheets(),
            {},
            {},
            {},
        )


def _position_of(key: int | str, names: list[str]) -> int:
    if isinstance(key, str):
        if key not in names:
            raise KeyError(f"expected one of {names}, found {key!r}")
        return names.index(key)
    if not 0 <= key < len(names):
        raise KeyError(f"expected an index from 0 to {len(names) - 1}, found {key}")
    return key
