"""What passes between a client and its venue: accounts, orders and fills by the venue's own names.

The same things inside are keyed by index (``core.model``); ``core.execution.indexer`` turns one into the other. Names
of assets and instruments are the venue's, verbatim. In an ``OrderError`` the subject is such a name too.

Source: barter 0.12.5, barter-execution, the unindexed types.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.account import Balance, Liquidity
from tradebus.core.model.identifiers import ClientOrderId, ExchangeId, OrderId, StrategyId, TradeId
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import OrderError, OrderKind, OrderState, TimeInForce
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side


class NamedData(Record):
    """Base of what a venue can tell of an account."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class NamedKey(Record):
    """Identify an order at its venue."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "instrument", "strategy", "cid")

    def __init__(self, exchange: ExchangeId, instrument: str, strategy: StrategyId, cid: ClientOrderId) -> None:
        self.exchange: Final = exchange
        self.instrument: Final = instrument
        self.strategy: Final = strategy
        self.cid: Final = cid


@final
class NamedOpen(Record):
    """Ask a venue for an order."""

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "side", "price", "quantity", "kind", "time_in_force")

    def __init__(
        self,
        key: NamedKey,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        kind: OrderKind,
        time_in_force: TimeInForce,
    ) -> None:
        self.key: Final = key
        self.side: Final = side
        self.price: Final = price
        self.quantity: Final = quantity
        self.kind: Final = kind
        self.time_in_force: Final = time_in_force


@final
class NamedCancel(Record):
    """Ask a venue to cancel an order, by its id where we know it."""

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "id")

    def __init__(self, key: NamedKey, id: OrderId | None) -> None:
        self.key: Final = key
        self.id: Final = id


@final
class NamedOrder(NamedData):
    """An order as its venue has it."""

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "side", "price", "quantity", "kind", "time_in_force", "state")

    def __init__(
        self,
        key: NamedKey,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        kind: OrderKind,
        time_in_force: TimeInForce,
        state: OrderState,
    ) -> None:
        self.key: Final = key
        self.side: Final = side
        self.price: Final = price
        self.quantity: Final = quantity
        self.kind: Final = kind
        self.time_in_force: Final = time_in_force
        self.state: Final = state

    def with_state(self, state: OrderState) -> "NamedOrder":
        """Return this order in another state."""
        return NamedOrder(self.key, self.side, self.price, self.quantity, self.kind, self.time_in_force, state)


@final
class NamedBalance(NamedData):
    """The balance of one asset at a venue time."""

    FIELDS: ClassVar[tuple[str, ...]] = ("asset", "balance", "time_exchange_ns")

    def __init__(self, asset: str, balance: Balance, time_exchange_ns: int) -> None:
        self.asset: Final = asset
        self.balance: Final = balance
        self.time_exchange_ns: Final = time_exchange_ns


@final
class Fees(Record):
    """What a fill cost, in an asset by the venue's name; none: in the quote of the instrument."""

    FIELDS: ClassVar[tuple[str, ...]] = ("amount", "asset")

    def __init__(self, amount: Decimal, asset: str | None) -> None:
        self.amount: Final = amount
        self.asset: Final = asset


NO_FEES: Final = Fees(ZERO, None)


@final
class NamedTrade(NamedData):
    """A fill of one of our orders."""

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
        "liquidity",
    )

    def __init__(
        self,
        id: TradeId,
        order_id: OrderId,
        cid: ClientOrderId,
        instrument: str,
        strategy: StrategyId,
        time_exchange_ns: int,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        fees: Fees,
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
        self.liquidity: Final = liquidity


@final
class NamedCancelAnswer(NamedData):
    """The answer to a cancel: the venue's id and time when accepted, an error when refused."""

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "id", "time_exchange_ns", "error")

    def __init__(
        self, key: NamedKey, id: OrderId | None, time_exchange_ns: int | None, error: OrderError | None
    ) -> None:
        self.key: Final = key
        self.id: Final = id
        self.time_exchange_ns: Final = time_exchange_ns
        self.error: Final = error


@final
class InstrumentOrders(Record):
    """The orders of one instrument in a snapshot, maybe none."""

    FIELDS: ClassVar[tuple[str, ...]] = ("instrument", "orders")

    def __init__(self, instrument: str, orders: tuple[NamedOrder, ...]) -> None:
        self.instrument: Final = instrument
        self.orders: Final = orders


@final
class NamedSnapshot(NamedData):
    """Everything a venue says of an account at once."""

    FIELDS: ClassVar[tuple[str, ...]] = ("balances", "instruments")

    def __init__(self, balances: tuple[NamedBalance, ...], instruments: tuple[InstrumentOrders, ...]) -> None:
        self.balances: Final = balances
        self.instruments: Final = instruments


@final
class NamedAccountEvent(Record):
    """One thing that a venue told of an account."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "data")

    def __init__(self, exchange: ExchangeId, data: NamedData) -> None:
        self.exchange: Final = exchange
        self.data: Final = data
