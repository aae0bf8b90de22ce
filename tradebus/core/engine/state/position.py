"""Keep the net position of one instrument from its fills: average price in, realised PnL, fees.

Formulas and cases: barter 0.12.5 ``engine/state/position.rs``, which knows contracts of size 1 settled in quote only;
``payoff`` says what others pay, and in which asset: profits, fees and funding of a position are in that one. Quantities
are absolute.
A position does not keep the list of its fills, which would grow for ever, but their count and a digest over their ids.
"""

from decimal import Decimal
from hashlib import blake2b
from typing import ClassVar, Final, final

from tradebus.core.engine.state.payoff import LINEAR, Payoff
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import InstrumentIndex
from tradebus.core.model.number import ONE, ZERO
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side

NO_TRADES: Final = ""


@final
class Position(Record):
    """An open position. Immutable: each fill gives the next one. Fees and ``funding`` are inside ``pnl_realised``."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "instrument",
        "side",
        "price_entry_average",
        "quantity_abs",
        "quantity_abs_max",
        "price_last",
        "pnl_realised",
        "fees_enter",
        "fees_exit",
        "time_enter_ns",
        "time_exchange_update_ns",
        "trade_count",
        "trade_digest",
        "funding",
    )

    def __init__(
        self,
        instrument: InstrumentIndex,
        side: Side,
        price_entry_average: Decimal,
        quantity_abs: Decimal,
        quantity_abs_max: Decimal,
        price_last: Decimal,
        pnl_realised: Decimal,
        fees_enter: Decimal,
        fees_exit: Decimal,
        time_enter_ns: int,
        time_exchange_update_ns: int,
        trade_count: int,
        trade_digest: str,
        funding: Decimal,
    ) -> None:
        self.instrument: Final = instrument
        self.side: Final = side
        self.price_entry_average: Final = price_entry_average
        self.quantity_abs: Final = quantity_abs
        self.quantity_abs_max: Final = quantity_abs_max
        self.price_last: Final = price_last
        self.pnl_realised: Final = pnl_realised
        self.fees_enter: Final = fees_enter
        self.fees_exit: Final = fees_exit
        self.time_enter_ns: Final = time_enter_ns
        self.time_exchange_update_ns: Final = time_exchange_update_ns
        self.trade_count: Final = trade_count
        self.trade_digest: Final = trade_digest
        self.funding: Final = funding

    def pnl_unrealised(self, price: Decimal, payoff: Payoff = LINEAR) -> Decimal:
        """Return the open profit at a price, net: less the fees that closing would roughly cost."""
        return self.pnl_unrealised_gross(price, payoff) - self.exit_fees_approximate()

    def pnl_unrealised_gross(self, price: Decimal, payoff: Payoff = LINEAR) -> Decimal:
        """Return the open profit at a price, no fees taken off."""
        return payoff.profit(self.side, self.price_entry_average, self.quantity_abs, price)

    def exit_fees_approximate(self) -> Decimal:
        """Return what closing would cost if exits cost what entries did."""
        return approximate_exit_fees(self.quantity_abs, self.quantity_abs_max, self.fees_enter)


@final
class PositionExited(Record):
    """A closed position: all entry and exit fees, and ``funding``, are inside ``pnl_realised``."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "instrument",
        "side",
        "price_entry_average",
        "quantity_abs_max",
        "pnl_realised",
        "fees_enter",
        "fees_exit",
        "time_enter_ns",
        "time_exit_ns",
        "trade_count",
        "trade_digest",
        "funding",
    )

    def __init__(
        self,
        instrument: InstrumentIndex,
        side: Side,
        price_entry_average: Decimal,
        quantity_abs_max: Decimal,
        pnl_realised: Decimal,
        fees_enter: Decimal,
        fees_exit: Decimal,
        time_enter_ns: int,
        time_exit_ns: int,
        trade_count: int,
        trade_digest: str,
        funding: Decimal,
    ) -> None:
        self.instrument: Final = instrument
        self.side: Final = side
        self.price_entry_average: Final = price_entry_average
        self.quantity_abs_max: Final = quantity_abs_max
        self.pnl_realised: Final = pnl_realised
        self.fees_enter: Final = fees_enter
        self.fees_exit: Final = fees_exit
        self.time_enter_ns: Final = time_enter_ns
        self.time_exit_ns: Final = time_exit_ns
        self.trade_count: Final = trade_count
        self.trade_digest: Final = trade_digest
        self.funding: Final = funding


def price_entry_average(
    price: Decimal, quantity: Decimal, trade_price: Decimal, trade_quantity: Decimal, *, payoff: Payoff = LINEAR
) -> Decimal:
    """Return the average entry price after adding a fill; 0 when both quantities are 0."""
    return payoff.average(price, quantity, trade_price, trade_quantity)


def pnl_realised(
    side: Side, entry: Decimal, quantity: Decimal, price: Decimal, fees: Decimal, *, payoff: Payoff = LINEAR
) -> Decimal:
    """Return the profit of closing ``quantity`` at ``price``, less ``fees``; products before subtraction."""
    return payoff.profit(side, entry, quantity, price) - fees


def approximate_exit_fees(quantity: Decimal, quantity_max: Decimal, fees_enter: Decimal) -> Decimal:
    """Return what closing would cost if exits cost what entries did, for the part that is still open."""
    return (quantity / quantity_max) * fees_enter


def pnl_unrealised(
    side: Side,
    entry: Decimal,
    quantity: Decimal,
    quantity_max: Decimal,
    fees_enter: Decimal,
    price: Decimal,
    *,
    payoff: Payoff = LINEAR,
) -> Decimal:
    """Return the open profit at ``price`` less approximate exit fees."""
    return payoff.profit(side, entry, quantity, price) - approximate_exit_fees(quantity, quantity_max, fees_enter)


def pnl_return(realised: Decimal, entry: Decimal, quantity_max: Decimal, *, payoff: Payoff = LINEAR) -> Decimal:
    """Return the realised profit as a fraction of what was invested; 0 where nothing was (free entry)."""
    if not entry:
        return ZERO
    invested = payoff.value(quantity_max, entry)
    return realised / invested if invested else ZERO


def _digest(before: str, trade: Trade) -> str:
    return blake2b(f"{before}\n{trade.id}".encode(), digest_size=16).hexdigest()


def _enter(trade: Trade, quantity: Decimal, fees: Decimal) -> Position:
    return Position(
        trade.instrument,
        trade.side,
        trade.price,
        quantity,
        quantity,
        trade.price,
        -fees,
        fees,
        ZERO,
        trade.time_exchange_ns,
        trade.time_exchange_ns,
        1,
        _digest(NO_TRADES, trade),
        ZERO,
    )


def _increase(position: Position, trade: Trade, quantity: Decimal, fees: Decimal, payoff: Payoff) -> Position:
    total = position.quantity_abs + quantity
    return Position(
        position.instrument,
        position.side,
        payoff.average(position.price_entry_average, position.quantity_abs, trade.price, quantity),
        total,
        max(position.quantity_abs_max, total),
        trade.price,
        position.pnl_realised - fees,
        position.fees_enter + fees,
        position.fees_exit,
        position.time_enter_ns,
        trade.time_exchange_ns,
        position.trade_count + 1,
        _digest(position.trade_digest, trade),
        position.funding,
    )


def _realised(position: Position, quantity: Decimal, price: Decimal, fees: Decimal, payoff: Payoff) -> Decimal:
    profit = pnl_realised(position.side, position.price_entry_average, quantity, price, fees, payoff=payoff)
    return position.pnl_realised + profit


def _reduce(position: Position, trade: Trade, quantity: Decimal, fees: Decimal, payoff: Payoff) -> Position:
    return Position(
        position.instrument,
        position.side,
        position.price_entry_average,
        position.quantity_abs - quantity,
        position.quantity_abs_max,
        trade.price,
        _realised(position, quantity, trade.price, fees, payoff),
        position.fees_enter,
        position.fees_exit + fees,
        position.time_enter_ns,
        trade.time_exchange_ns,
        position.trade_count + 1,
        _digest(position.trade_digest, trade),
        position.funding,
    )


def _exit(position: Position, trade: Trade, fees: Decimal, payoff: Payoff) -> PositionExited:
    return PositionExited(
        position.instrument,
        position.side,
        position.price_entry_average,
        position.quantity_abs_max,
        _realised(position, position.quantity_abs, trade.price, fees, payoff),
        position.fees_enter,
        position.fees_exit + fees,
        position.time_enter_ns,
        trade.time_exchange_ns,
        position.trade_count + 1,
        _digest(position.trade_digest, trade),
        position.funding,
    )


def next_position(
    position: Position | None, trade: Trade, payoff: Payoff = LINEAR, fees_converted: Decimal | None = None
) -> tuple[Position | None, PositionExited | None]:
    """Return the position after a fill, and the closed one where the fill closed or flipped it.

    ``fees_converted`` are the fees in the asset of the PnL, none where the fill's own are. A flip splits them by
    quantity: what closes and what enters. A fill of another instrument is our mistake and raises ValueError.
    """
    quantity = abs(trade.quantity)
    fees = trade.fees if fees_converted is None else fees_converted
    if position is None:
        return _enter(trade, quantity, fees), None
    if position.instrument != trade.instrument:
        raise ValueError(f"expected a fill of instrument {position.instrument}, found {trade.instrument}")
    if position.side is trade.side:
        return _increase(position, trade, quantity, fees, payoff), None
    if quantity < position.quantity_abs:
        return _reduce(position, trade, quantity, fees, payoff), None
    if quantity == position.quantity_abs:
        return None, _exit(position, trade, fees, payoff)
    share = position.quantity_abs / quantity
    rest = (quantity - position.quantity_abs) / quantity
    exited = _exit(position, trade, fees * share, payoff)
    return _enter(trade, quantity - position.quantity_abs, fees * rest), exited


def with_funding(position: Position, amount: Decimal) -> Position:
    """Return the position after a funding payment, in the asset of the PnL; negative where it was paid."""
    return Position(
        position.instrument,
        position.side,
        position.price_entry_average,
        position.quantity_abs,
        position.quantity_abs_max,
        position.price_last,
        position.pnl_realised + amount,
        position.fees_enter,
        position.fees_exit,
        position.time_enter_ns,
        position.time_exchange_update_ns,
        position.trade_count,
        position.trade_digest,
        position.funding + amount,
    )


def signed_quantity(position: Position | None) -> Decimal:
    """Return the net quantity: positive for long, negative for short, 0 for flat."""
    if position is None:
        return ZERO
    return position.quantity_abs if position.side is Side.BUY else position.quantity_abs * -ONE
