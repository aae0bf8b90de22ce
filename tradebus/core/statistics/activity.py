"""Activity: how much an instrument or a strategy traded, and what it paid for that."""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.account import Liquidity, Trade
from tradebus.core.model.record import Record
from tradebus.core.statistics.fees import Fees
from tradebus.core.statistics.turnover import Turnover


@final
class ActivitySheet(Record):
    """Counts of fills; turnover by currency, fees by the asset they were paid in, names in order."""

    FIELDS: ClassVar[tuple[str, ...]] = ("fills", "fills_maker", "turnover", "fees")

    def __init__(self, fills: int, fills_maker: int, turnover: dict[str, Decimal], fees: dict[str, Decimal]) -> None:
        self.fills: Final = fills
        self.fills_maker: Final = fills_maker
        self.turnover: Final = turnover
        self.fees: Final = fees


@final
class Activity:
    """Adds up fills."""

    def __init__(self) -> None:
        self.fills = 0
        self.fills_maker = 0
        self.turnover = Turnover()
        self.fees = Fees()

    def add(self, trade: Trade, value: Decimal, currency: str, fees_asset: str) -> None:
        """Add a fill: its value in the currency, and its fees in the asset they were paid in."""
        self.fills += 1
        if trade.liquidity is Liquidity.MAKER:
            self.fills_maker += 1
        self.turnover.add(currency, value)
        self.fees.add(fees_asset, trade.fees, trade.liquidity)

    def sheet(self) -> ActivitySheet:
        """Return the totals; calling it changes nothing."""
        turnover = {name: self.turnover.value[name] for name in sorted(self.turnover.value)}
        return ActivitySheet(self.fills, self.fills_maker, turnover, self.fees.total())
