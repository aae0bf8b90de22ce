"""Keep the canonical text of an instrument's state, and write anew only the parts that have changed.

Nobody notes what changes: each part is compared with what was written last. Values of the state never change in
place (books, orders, positions, numbers), they are replaced, so being the same object is being the same value; what
was written is held here, so that no other object can take its place in memory. Parts that do change in place are
compared by what they hold. Fields that come after the ones known here are written each time, unless they are plain.
"""

from decimal import Decimal
from typing import Final, final

from tradebus.core.engine.audit.canonical import canonical_text, write
from tradebus.core.engine.audit.market_text import level_text
from tradebus.core.engine.state.funding import FundingTotals
from tradebus.core.engine.state.instrument import ExitTotals, InstrumentState
from tradebus.core.engine.state.market_data import InstrumentMarketData
from tradebus.core.engine.state.orders import Orders
from tradebus.core.engine.state.position import Position
from tradebus.core.engine.state.strategy_position import StrategyPositions
from tradebus.core.market.book import OrderBook
from tradebus.core.market.event import BookL1
from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.number import ZERO, decimal_text
from tradebus.core.model.order import Order
from tradebus.core.model.record import Record, field_names
from tradebus.core.model.side import Side

DATA_FIELDS: Final = (
    "l1",
    "l1_time_ns",
    "price_last",
    "trade_time_ns",
    "is_stale",
    "l2",
    "l2_time_ns",
    "is_l2_stale",
)
INSTRUMENT_FIELDS: Final = ("instrument", "data", "orders", "position", "exits", "strategies", "funding", "apart")
"""The fields that are known here: the first ones of their classes."""


@final
class OtherText:
    """The text of the fields that come after the known ones."""

    def __init__(self, kind: type, known: tuple[str, ...]) -> None:
        self._names: Final = field_names(kind)[len(known) :]
        self._values: list[object] = [None] * len(self._names)
        self._texts: list[str] = ["~"] * len(self._names)
        self.text = "".join(self._texts)

    def update(self, record: Record) -> bool:
        """Bring the text up to date; tell whether it has changed."""
        is_changed = False
        for i, name in enumerate(self._names):
            value: object = getattr(record, name)
            if value is self._values[i] and (value is None or isinstance(value, (int, str, Decimal))):
                continue
            self._values[i] = value
            text = canonical_text(value)
            if text != self._texts[i]:
                self._texts[i] = text
                is_changed = True
        if is_changed:
            self.text = "".join(self._texts)
        return is_changed


@final
class BookText:
    """The text of a book of many levels, which changes in place: what it held is compared level by level."""

    def __init__(self) -> None:
        self._sequence = -1
        self._time_engine_ns: int | None = None
        self._held: list[list[Decimal]] = []
        self._kinds: list[tuple[Side, int]] = []
        self.text = "~"

    def update(self, book: OrderBook | None) -> bool:
        """Bring the text up to date; tell whether it has changed."""
        if book is None:
            if self.text == "~":
                return False
            self._held = []
            self.text = "~"
            return True
        held = [book.bids.prices, book.bids.amounts, book.asks.prices, book.asks.amounts]
        kinds = [(book.bids.side, book.bids.depth_max), (book.asks.side, book.asks.depth_max)]
        if (
            book.sequence == self._sequence
            and book.time_engine_ns == self._time_engine_ns
            and held == self._held
            and kinds == self._kinds
            and self.text != "~"
        ):
            return False
        self._sequence = book.sequence
        self._time_engine_ns = book.time_engine_ns
        self._held = [values.copy() for values in held]
        self._kinds = kinds
        self.text = canonical_text(book)
        return True


@final
class MarketDataText:
    """The text of what the market said: nearly always another one, so it is spelled out."""

    def __init__(self) -> None:
        self._l1: BookL1 | None = None
        self._l1_time_ns = 0
        self._price_last: Decimal | None = None
        self._trade_time_ns = 0
        self._is_stale = False
        self._other: Final = OtherText(InstrumentMarketData, DATA_FIELDS)
        self._l2: Final = BookText()
        self._l2_time_ns = 0
        self._is_l2_stale = False
        self.text = ""

    def update(self, data: InstrumentMarketData) -> bool:
        """Bring the text up to date; tell whether it has changed."""
        is_other = self._other.update(data)
        is_book_changed = self._l2.update(data.l2)
        if (
            not is_other
            and not is_book_changed
            and data.l1 is self._l1
            and data.price_last is self._price_last
            and data.l1_time_ns == self._l1_time_ns
            and data.trade_time_ns == self._trade_time_ns
            and data.is_stale == self._is_stale
            and data.l2_time_ns == self._l2_time_ns
            and data.is_l2_stale == self._is_l2_stale
            and self.text
        ):
            return False
        self._l1 = data.l1
        self._l1_time_ns = data.l1_time_ns
        self._price_last = data.price_last
        self._trade_time_ns = data.trade_time_ns
        self._is_stale = data.is_stale
        self._l2_time_ns = data.l2_time_ns
        self._is_l2_stale = data.is_l2_stale
        price = "~" if data.price_last is None else f"d{decimal_text(data.price_last)};"
        self.text = (
            f"InstrumentMarketData({book_text(data.l1)}i{data.l1_time_ns};{price}i{data.trade_time_ns};"
            f"{'t' if data.is_stale else 'f'}{self._l2.text}i{data.l2_time_ns};{'t' if data.is_l2_stale else 'f'}"
            f"{self._other.text})"
        )
        return True


def book_text(book: BookL1 | None) -> str:
    """Return the canonical text of the top of a book."""
    if book is None:
        return "~"
    bid = book.best_bid
    ask = book.best_ask
    if bid is None or ask is None:
        return f"BookL1({level_text(bid)}{level_text(ask)})"
    return (
        f"BookL1(Level(d{decimal_text(bid.price)};d{decimal_text(bid.amount)};)"
        f"Level(d{decimal_text(ask.price)};d{decimal_text(ask.amount)};))"
    )


@final
class OrdersText:
    """The text of the active orders; an order is written once, however often it is hashed."""

    def __init__(self) -> None:
        self._written: dict[ClientOrderId, tuple[Order, str]] = {}
        self.text = ""

    def update(self, orders: Orders) -> bool:
        """Bring the text up to date; tell whether it may have changed."""
        before = self._written
        if not orders and not before and self.text:
            return False
        written: dict[ClientOrderId, tuple[Order, str]] = {}
        out: list[str] = ["{"]
        for cid in sorted(orders):
            order = orders[cid]
            known = before.get(cid)
            if known is None or known[0] is not order:
                known = (order, canonical_text(cid) + canonical_text(order))
            written[cid] = known
            out.append(known[1])
        out.append("}")
        self._written = written
        self.text = "".join(out)
        return True


@final
class HoldingsText:
    """The text of all that fills and payments change."""

    def __init__(self) -> None:
        self._position: Position | None = None
        self._exit_count = 0
        self._exit_pnl = ZERO
        self._exit_fees = ZERO
        self._funding_count = 0
        self._funding_amount = ZERO
        self._funding_time_ns = 0
        self._rest: tuple[object, ...] | None = None
        self.text = ""

    def update(self, state: InstrumentState) -> bool:
        """Bring the text up to date; tell whether it has changed."""
        has_rest = bool(state.strategies) or bool(state.apart) or bool(state.funding.ids)
        rest = rest_of(state) if has_rest else None
        if self.text and self._is_same(state.position, state.exits, state.funding) and rest == self._rest:
            return False
        exits = state.exits
        funding = state.funding
        self._position = state.position
        self._exit_count = exits.count
        self._exit_pnl = exits.pnl_realised
        self._exit_fees = exits.fees
        self._funding_count = funding.count
        self._funding_amount = funding.amount
        self._funding_time_ns = funding.time_exchange_ns
        self._rest = rest
        out: list[str] = []
        write(state.position, out)
        write(state.exits, out)
        write(state.strategies, out)
        write(state.funding, out)
        write(state.apart, out)
        self.text = "".join(out)
        return True

    def _is_same(self, position: Position | None, exits: ExitTotals, funding: FundingTotals) -> bool:
        return (
            position is self._position
            and exits.count == self._exit_count
            and exits.pnl_realised is self._exit_pnl
            and exits.fees is self._exit_fees
            and funding.count == self._funding_count
            and funding.amount is self._funding_amount
            and funding.time_exchange_ns == self._funding_time_ns
        )


def rest_of(state: InstrumentState) -> tuple[object, ...]:
    """Return what stands in lists and maps, as values that are equal only while nothing has changed."""
    return (shares_of(state.strategies), tuple(state.apart), tuple(state.funding.ids))


def shares_of(strategies: StrategyPositions) -> tuple[object, ...]:
    """Return what each strategy holds, as values."""
    return tuple(
        [
            (
                strategy,
                held.strategy,
                held.quantity_net,
                held.price_entry_average,
                held.pnl_realised,
                held.fees,
                held.funding,
                held.trade_count,
                held.exit_count,
            )
            for strategy, held in strategies.items()
        ]
    )


@final
class InstrumentText:
    """The text of an instrument's state."""

    def __init__(self) -> None:
        self._data = MarketDataText()
        self._orders = OrdersText()
        self._holdings = HoldingsText()
        self._other: Final = OtherText(InstrumentState, INSTRUMENT_FIELDS)
        self._instrument = ""
        self._text = ""

    def of(self, state: InstrumentState, instrument: str) -> str:
        """Return the text of the state as it is now; ``instrument`` is that of which instrument it is."""
        is_changed = self._data.update(state.data)
        is_changed = self._orders.update(state.orders) or is_changed
        is_changed = self._holdings.update(state) or is_changed
        is_changed = self._other.update(state) or is_changed
        if is_changed or instrument is not self._instrument:
            self._instrument = instrument
            self._text = (
                f"InstrumentState({instrument}{self._data.text}{self._orders.text}{self._holdings.text}"
                f"{self._other.text})"
            )
        return self._text
