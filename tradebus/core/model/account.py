"""Describe what an account holds and what was traded: balances, fees, fills, and the account's snapshot.

Source: barter 0.12.5, barter-execution ``balance``, ``trade`` and the account snapshot; a trade also carries our
client order id and whether it took liquidity, and its fees name their asset.
"""

from decimal import Decimal
from enum import Enum
from typing import ClassVar, Final, final

from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    InstrumentIndex,
    OrderId,
    StrategyId,
    TradeId,
)
from tradebus.core.model.order import Order
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side


class Liquidity(Enum):
    """Whether a fill added or took liquidity."""

    MAKER = 1
    TAKER = 2


@final
class Balance(Record):
    """What we own (total) and what of it is spendable (free)."""

    FIELDS: ClassVar[tuple[str, ...]] = ("total", "free")

    def __init__(self, total: Decimal, free: Decimal) -> None:
        self.total: Final = total
        self.free: Final = free

    @property
    def used(self) -> Decimal:
        """Return what is bound by open orders."""
        return self.total - self.free


@final
class AssetBalance(Record):
    """The balance of one asset at a venue time."""

    FIELDS: ClassVar[tuple[str, ...]] = ("asset", "balance", "time_exchange_ns")

    def __init__(self, asset: AssetIndex, balance: Balance, time_exchange_ns: int) -> None:
        self.asset: Final = asset
        self.balance: Final = balance
        self.time_exchange_ns: Final = time_exchange_ns


@final
class Trade(Record):
    """A fill of our order. Price in quote; ``fees`` in ``fees_asset``, negative for a rebate.

    No ``fees_asset``: the asset of the instrument's PnL, which is the quote, or what the contract settles in.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "id",
        "order_id",
        "cid",
        "instrument",
        "strategy",
        "time_exchange_ns",
        "side",
        "price",
        "quantity",
        "fees",
        "fees_asset",
        "liquidity",
    )

    def __init__(
        self,
        id: TradeId,
        order_id: OrderId,
        cid: ClientOrderId,
        instrument: InstrumentIndex,
        strategy: StrategyId,
        time_exchange_ns: int,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        fees: Decimal,
        fees_asset: AssetIndex | None,
        liquidity: Liquidity,
    ) -> None:
        self.id: Final = id
        self.order_id: Final = order_id
        self.cid: Final = cid
        self.instrument: Final = instrument
        self.strategy: Final = strategy
        self.time_exchange_ns: Final = time_exchange_ns
        self.side: Final = side
        self.price: Final = price
        self.quantity: Final = quantity
        self.fees: Final = fees
        self.fees_asset: Final = fees_asset
        self.liquidity: Final = liquidity

    @property
    def value_quote(self) -> Decimal:
        """Return price x |quantity|, in quote."""
        return self.price * abs(self.quantity)


@final
class AccountSnapshot(Record):
    """Everything the venue says of an account at once: balances, and its orders."""

    FIELDS: ClassVar[tuple[str, ...]] = ("balances", "orders")

    def __init__(self, balances: tuple[AssetBalance, ...], orders: tuple[Order, ...]) -> None:
        self.balances: Final = balances
        self.orders: Final = orders
