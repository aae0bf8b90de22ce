"""Sheet of a strategy: what it traded, and what the fills attributed to it made."""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.record import Record
from tradebus.core.statistics.activity import ActivitySheet


@final
class StrategySheet(Record):
    """A strategy's results; profits by currency, names in order.

    ``pnl_unrealised`` is at mark prices, without exit fees. The profits of all strategies add up to those of the
    account before exit fees; see the engine's strategy positions for how fills and funding are attributed.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("activity", "pnl_realised", "pnl_unrealised")

    def __init__(
        self, activity: ActivitySheet, pnl_realised: dict[str, Decimal], pnl_unrealised: dict[str, Decimal]
    ) -> None:
        self.activity: Final = activity
        self.pnl_realised: Final = pnl_realised
        self.pnl_unrealised: Final = pnl_unrealised
