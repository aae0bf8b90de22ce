"""Trade list: every fill with what it did to the position and to the profit."""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.account import Liquidity
from tradebus.core.model.identifiers import ClientOrderId, OrderId, StrategyId, TradeId
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side


@final
class TradeRecord(Record):
    """One fill.

    ``sequence`` and ``time_ns`` (engine time) are those of the tick that took it in, ``time_exchange_ns`` is the
    venue's. The price is in quote, value, profit and equity are in ``currency``, the fees in ``fees_asset``.
    ``position`` is the signed net quantity after the fill, ``pnl_realised`` what the fill realised, its fees included,
    ``equity`` that of the currency after it, marked to the market.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "sequence",
        "time_ns",
        "time_exchange_ns",
        "instrument",
        "currency",
        "strategy",
        "trade_id",
        "order_id",
        "cid",
        "side",
        "liquidity",
        "price",
        "quantity",
        "value",
        "fees",
        "fees_asset",
        "position",
        "pnl_realised",
        "equity",
    )

    def __init__(
        self,
        sequence: int,
        time_ns: int,
        time_exchange_ns: int,
        instrument: str,
        currency: str,
        strategy: StrategyId,
        trade_id: TradeId,
        order_id: OrderId,
        cid: ClientOrderId,
        side: Side,
        liquidity: Liquidity,
        price: Decimal,
        quantity: Decimal,
        value: Decimal,
        fees: Decimal,
        fees_asset: str,
        position: Decimal,
        pnl_realised: Decimal,
        equity: Decimal,
    ) -> None:
        self.sequence: Final = sequence
        self.time_ns: Final = time_ns
        self.time_exchange_ns: Final = time_exchange_ns
        self.instrument: Final = instrument
        self.currency: Final = currency
        self.strategy: Final = strategy
        self.trade_id: Final = trade_id
        self.order_id: Final = order_id
        self.cid: Final = cid
        self.side: Final = side
        self.liquidity: Final = liquidity
        self.price: Final = price
        self.quantity: Final = quantity
        self.value: Final = value
        self.fees: Final = fees
        self.fees_asset: Final = fees_asset
        self.position: Final = position
        self.pnl_realised: Final = pnl_realised
        self.equity: Final = equity
