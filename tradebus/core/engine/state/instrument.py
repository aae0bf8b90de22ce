"""Keep everything about one instrument: market data, active orders, position, and what closed positions made."""

from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.engine.state.fills import RecentFills
from tradebus.core.engine.state.funding import AssetAmount, FundingTotals, add_amount
from tradebus.core.engine.state.market_data import InstrumentMarketData, new_market_data
from tradebus.core.engine.state.orders import Orders
from tradebus.core.engine.state.payoff import payoff_of, pnl_asset
from tradebus.core.engine.state.position import (
    Position,
    PositionExited,
    next_position,
    signed_quantity,
    with_funding,
)
from tradebus.core.engine.state.strategy_position import StrategyPositions, share_funding, strategy_position
from tradebus.core.engine.state.user_data import InstrumentDataState
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import AssetIndex, StrategyId
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record


@final
class ExitTotals(Record):
    """What the closed positions of an instrument made in all, in the asset of its PnL; their fees are inside the PnL.

    Funding that came after a position was closed is inside too.
    """

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
    """One instrument's state; ``orders`` holds the active ones by client order id.

    ``strategies`` attributes the fills, ``apart`` holds what was paid in assets without a known price and is in no
    PnL, ``fills`` recognises fills that come again. Profits, fees and funding are in the asset of the instrument's PnL
    (``pnl_asset``). ``user_data`` is none where the user defined no data.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "instrument",
        "data",
        "orders",
        "position",
        "exits",
        "strategies",
        "funding",
        "apart",
        "fills",
        "user_data",
    )

    def __init__(
        self,
        instrument: Instrument,
        data: InstrumentMarketData,
        orders: Orders,
        position: Position | None,
        exits: ExitTotals,
        strategies: StrategyPositions,
        funding: FundingTotals,
        apart: list[AssetAmount],
        fills: RecentFills,
        user_data: InstrumentDataState | None = None,
    ) -> None:
        self.instrument = instrument
        self.data = data
        self.orders = orders
        self.position = position
        self.exits = exits
        self.strategies = strategies
        self.funding = funding
        self.apart = apart
        self.fills = fills
        self.user_data = user_data

    def price(self) -> Decimal | None:
        """Return the market's price, none where there is none: as the user-defined data says, else the default data."""
        user = self.user_data
        if user is not None and user.gives_price:
            return user.price
        return self.data.price()

    def update_from_trade(self, trade: Trade, fees: Decimal | None, strategy: StrategyId) -> PositionExited | None:
        """Take in a fill; return the position that it closed, if it closed one.

        ``fees`` are those of the fill in the asset of the PnL; without them they are kept apart. ``strategy`` is who
        it is attributed to.
        """
        if fees is None:
            assert trade.fees_asset is not None, "fees without an asset are in that of the PnL"
            self.keep_apart(trade.fees_asset, -trade.fees)
            fees = ZERO
        payoff = payoff_of(self.instrument)
        position, exited = next_position(self.position, trade, payoff, fees)
        self.position = position
        if exited is not None:
            self.exits.add(exited)
        attributed = strategy_position(self.strategies, strategy)
        attributed.update_from_fill(trade.side, abs(trade.quantity), trade.price, fees, payoff)
        return exited

    def update_from_funding(self, time_exchange_ns: int, id: str, amount: Decimal) -> None:
        """Take in a funding payment, ``amount`` in the asset of the PnL: it is that of the open position, if any."""
        self.funding.add(time_exchange_ns, id, amount)
        if self.position is None:
            self.exits.pnl_realised += amount
        else:
            self.position = with_funding(self.position, amount)
        share_funding(self.strategies, amount, self.quantity_net())

    def keep_apart(self, asset: AssetIndex, amount: Decimal) -> None:
        """Keep an amount, negative where it was paid, that cannot be converted into the asset of the PnL."""
        self.apart = add_amount(self.apart, asset, amount)

    @property
    def pnl_asset(self) -> AssetIndex:
        """Return the asset that profits, fees and funding are in: the quote, or what the contract settles in."""
        return pnl_asset(self.instrument)

    def has_traded(self) -> bool:
        """Tell whether there was a fill or a funding payment, ever."""
        return self.position is not None or self.exits.count > 0 or self.funding.count > 0

    def quantity_net(self) -> Decimal:
        """Return what is held: positive for long, negative for short, 0 for flat."""
        return signed_quantity(self.position)

    def pnl_realised(self) -> Decimal:
        """Return the realised PnL of closed positions and of the open one."""
        if self.position is None:
            return self.exits.pnl_realised
        return self.exits.pnl_realised + self.position.pnl_realised

    def price_mark(self) -> Decimal | None:
        """Return the price positions are valued at: the market's, else that of the last fill.

        A price of 0 or less values no inverse contract.
        """
        return self._mark(self.price())

    def price_booked(self) -> Decimal | None:
        """Return the mark price by the default data alone: what is booked must not depend on a user's class.

        A process without the class books the same, and so verifies the core.
        """
        return self._mark(self.data.price())

    def _mark(self, price: Decimal | None) -> Decimal | None:
        if price is not None and price <= ZERO and payoff_of(self.instrument).is_inverse:
            price = None
        if price is None and self.position is not None:
            return self.position.price_last
        return price

    def pnl_unrealised(self) -> Decimal:
        """Return the open profit at the mark price, less approximate exit fees; 0 when flat."""
        price = self.price_mark()
        if self.position is None or price is None:
            return ZERO
        return self.position.pnl_unrealised(price, payoff_of(self.instrument))

    def pnl_unrealised_gross(self) -> Decimal:
        """Return the open profit at the mark price, no exit fees taken off; 0 when flat."""
        price = self.price_mark()
        if self.position is None or price is None:
            return ZERO
        return self.position.pnl_unrealised_gross(price, payoff_of(self.instrument))

    def exit_fees_approximate(self) -> Decimal:
        """Return what closing would cost if exits cost what entries did; 0 when flat."""
        return ZERO if self.position is None else self.position.exit_fees_approximate()

    def value_net(self) -> Decimal:
        """Return the value of the position at the mark price, negative for short, in the asset of the PnL."""
        price = self.price_mark()
        if self.position is None or price is None:
            return ZERO
        return payoff_of(self.instrument).value(self.quantity_net(), price)

    def strategy_quantity(self, strategy: StrategyId) -> Decimal:
        """Return what a strategy holds: positive for long, negative for short, 0 for flat."""
        found = self.strategies.get(strategy)
        return ZERO if found is None else found.quantity_net

    def strategy_pnl_unrealised(self, strategy: StrategyId) -> Decimal:
        """Return a strategy's open profit at the mark price, no exit fees taken off; 0 when flat.

        Also 0 while no mark is known: no price was ever seen of the market, and all strategies together hold nothing.
        """
        price = self.price_mark()
        found = self.strategies.get(strategy)
        if found is None or price is None:
            return ZERO
        return found.pnl_unrealised(price, payoff_of(self.instrument))


def new_instrument_state(instrument: Instrument, user_data: InstrumentDataState | None = None) -> InstrumentState:
    """Return the state of an instrument of which nothing is known yet."""
    data = new_market_data()
    return InstrumentState(
        instrument,
        data,
        {},
        None,
        ExitTotals(0, ZERO, ZERO),
        {},
        FundingTotals(0, ZERO, 0, []),
        [],
        RecentFills([]),
        user_data,
    )
