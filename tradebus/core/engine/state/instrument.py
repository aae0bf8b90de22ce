"""Keep everything about one instrument: market data, active orders, position, and what closed positions made."""

from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.engine.state.market_data import InstrumentMarketData
from tradebus.core.engine.state.orders import Orders
from tradebus.core.engine.state.position import Position, PositionExited, next_position
from tradebus.core.model.account import Trade
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record


@final
class ExitTotals(Record):
    """What the closed positions of an instrument made in all, in quote; their fees are inside the PnL."""

    FIELDS: ClassVar[tuple[str, ...]] = ("count", "pnl_realised", "fees")

    def __init__(self, count: int, pnl_realised: Decimal, fees: Decimal) -> None:
        self.count = count
        self.pnl_realised = pnl_realised
        self.fees = fees

    def add(self, exited: PositionExited) -> None:
        """Add one closed position."""
        self.count += 1
        self.pnl_realised += exited.pnl_realised
        self.fees += exited.fees_enter + exited.fees_exit


@final
class InstrumentState(Record):
    """One instrument's state; ``orders`` holds the active ones by client order id."""

    FIELDS: ClassVar[tuple[str, ...]] = ("instrument", "data", "orders", "position", "exits")

    def __init__(
        self,
        instrument: Instrument,
        data: InstrumentMarketData,
        orders: Orders,
        position: Position | None,
        exits: ExitTotals,
    ) -> None:
        self.instrument = instrument
        self.data = data
        self.orders = orders
        self.position = position
        self.exits = exits

    def update_from_trade(self, trade: Trade) -> PositionExited | None:
        """Take in a fill; return the position that it closed, if it closed one."""
        position, exited = next_position(self.position, trade)
        self.position = position
        if exited is not None:
            self.exits.add(exited)
        return exited

    def pnl_realised(self) -> Decimal:
        """Return the realised PnL of closed positions and of the open one, in quote."""
        if self.position is None:
            return self.exits.pnl_realised
        return self.exits.pnl_realised + self.position.pnl_realised

    def price_mark(self) -> Decimal | None:
        """Return the price positions are valued at: the market's, else that of the last fill."""
        price = self.data.price()
        if price is None and self.position is not None:
            return self.position.price_last
        return price

    def pnl_unrealised(self) -> Decimal:
        """Return the open profit at the mark price, in quote; 0 when flat."""
        if self.position is None:
            return ZERO
        price = self.price_mark()
        return ZERO if price is None else self.position.pnl_unrealised(price)


def new_instrument_state(instrument: Instrument) -> InstrumentState:
    """Return the state of an instrument of which nothing is known yet."""
    data = InstrumentMarketData(None, 0, None, 0, False)
    return InstrumentState(instrument, data, {}, None, ExitTotals(0, ZERO, ZERO))
