"""Attribute an instrument's fills to strategies: what each of them holds and made, beside the net position.

The quantities of all strategies add up to the net position, and so does the profit, open and realised together: one
strategy's buy from another's sell is no profit of the account, but may be one of each.
Source: barter 0.12.5 shows this as an example only (multiple strategies, in custom instrument data).
"""

from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.engine.state.payoff import Payoff
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN, StrategyId
from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side


@final
class StrategyPosition(Record):
    """What one strategy holds of an instrument and made with it.

    ``quantity_net`` is positive for long; ``price_entry_average`` is 0 when flat. ``pnl_realised`` is that of all its
    round trips, open one included; ``fees`` and ``funding`` are inside it. ``exit_count`` counts how often it closed
    or flipped. Profits are in the asset of the instrument's PnL.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "strategy",
        "quantity_net",
        "price_entry_average",
        "pnl_realised",
        "fees",
        "funding",
        "trade_count",
        "exit_count",
    )

    def __init__(
        self,
        strategy: StrategyId,
        quantity_net: Decimal,
        price_entry_average: Decimal,
        pnl_realised: Decimal,
        fees: Decimal,
        funding: Decimal,
        trade_count: int,
        exit_count: int,
    ) -> None:
        self.strategy = strategy
        self.quantity_net = quantity_net
        self.price_entry_average = price_entry_average
        self.pnl_realised = pnl_realised
        self.fees = fees
        self.funding = funding
        self.trade_count = trade_count
        self.exit_count = exit_count

    def update_from_fill(self, side: Side, quantity: Decimal, price: Decimal, fees: Decimal, payoff: Payoff) -> None:
        """Take in a fill; ``fees`` are in the asset of the PnL."""
        held = abs(self.quantity_net)
        holds_side = Side.BUY if self.quantity_net > ZERO else Side.SELL
        self.trade_count += 1
        self.fees += fees
        self.pnl_realised -= fees
        if not held:
            self.price_entry_average = price
        elif side is holds_side:
            self.price_entry_average = payoff.average(self.price_entry_average, held, price, quantity)
        else:
            self.pnl_realised += payoff.profit(holds_side, self.price_entry_average, min(held, quantity), price)
            if quantity >= held:
                self.exit_count += 1
                self.price_entry_average = ZERO if quantity == held else price
        self.quantity_net += quantity if side is Side.BUY else -quantity

    def update_from_funding(self, amount: Decimal) -> None:
        """Take in a share of a funding payment."""
        self.funding += amount
        self.pnl_realised += amount

    def pnl_unrealised(self, price: Decimal, payoff: Payoff) -> Decimal:
        """Return the open profit at a price; no exit fees are taken off."""
        if not self.quantity_net:
            return ZERO
        side = Side.BUY if self.quantity_net > ZERO else Side.SELL
        return payoff.profit(side, self.price_entry_average, abs(self.quantity_net), price)


StrategyPositions = dict[StrategyId, StrategyPosition]


def strategy_position(positions: StrategyPositions, strategy: StrategyId) -> StrategyPosition:
    """Return the entry of a strategy; it is made where there is none yet."""
    found = positions.get(strategy)
    if found is None:
        found = StrategyPosition(strategy, ZERO, ZERO, ZERO, ZERO, ZERO, 0, 0)
        positions[strategy] = found
    return found


def share_funding(positions: StrategyPositions, amount: Decimal, quantity_net: Decimal) -> None:
    """Share a funding payment by what each strategy holds of the net position.

    A strategy that holds against the others pays where they receive. The last one, by id, gets what division leaves
    over. Where nothing is held the payment is nobody's: ``unknown``.
    """
    holders = [strategy for strategy in sorted(positions) if positions[strategy].quantity_net] if quantity_net else []
    if not holders:
        strategy_position(positions, STRATEGY_UNKNOWN).update_from_funding(amount)
        return
    left = amount
    for strategy in holders[:-1]:
        position = positions[strategy]
        share = amount * position.quantity_net / quantity_net
        position.update_from_funding(share)
        left -= share
    positions[holders[-1]].update_from_funding(left)
