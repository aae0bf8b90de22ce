"""Bring fills and funding payments into positions: which asset, which strategy, converted where a price is known.

What is paid in the asset of an instrument's PnL enters the PnL as it is. What is paid in another asset is converted
when it comes, at a price known then: the instrument's own (the fill's; for funding the mark) between its base and
quote, else that of a spot instrument between the two assets. Without one it is kept apart, by asset, and enters no
PnL; a later price does not change what was booked.
"""

from decimal import Decimal

from tradebus.core.engine.event import FundingReceived
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.payoff import pnl_asset
from tradebus.core.engine.state.position import PositionExited
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN, AssetIndex, StrategyId
from tradebus.core.model.instrument import Instrument, InstrumentKind, QuoteKind
from tradebus.core.model.number import ZERO


def take_trade(state: EngineState, trade: Trade) -> PositionExited | None:
    """Take in a fill; return the position that it closed, if it closed one."""
    instrument = state.instruments[trade.instrument]
    fees: Decimal | None = trade.fees
    if trade.fees_asset is not None:
        fees = converted(state, instrument.instrument, trade.price, trade.fees, trade.fees_asset)
    return instrument.update_from_trade(trade, fees, _known_strategy(state, trade.strategy))


def take_funding(state: EngineState, funding: FundingReceived) -> None:
    """Take in a funding payment that was not taken in before."""
    instrument = state.instruments[funding.instrument]
    amount = converted(state, instrument.instrument, instrument.price_booked(), funding.amount, funding.asset)
    if amount is None:
        instrument.keep_apart(funding.asset, funding.amount)
        amount = ZERO
    instrument.update_from_funding(funding.time_exchange_ns, funding.id, amount)


def converted(
    state: EngineState, instrument: Instrument, price: Decimal | None, amount: Decimal, asset: AssetIndex
) -> Decimal | None:
    """Return an amount of ``asset`` in the asset of an instrument's PnL, none where no price between them is known.

    ``price`` is the instrument's own.
    """
    target = pnl_asset(instrument)
    if asset == target or not amount:
        return amount
    found = _at_price(instrument, price, amount, asset, target)
    if found is not None:
        return found
    for other in state.instruments:
        definition = other.instrument
        if definition.definition.contract.kind is InstrumentKind.SPOT and asset in (definition.base, definition.quote):
            found = _at_price(definition, other.data.price(), amount, asset, target)
            if found is not None:
                return found
    return None


def _at_price(
    instrument: Instrument, price: Decimal | None, amount: Decimal, asset: AssetIndex, target: AssetIndex
) -> Decimal | None:
    definition = instrument.definition
    is_price_of_base = (
        definition.contract.kind is not InstrumentKind.OPTION and definition.quote_kind is QuoteKind.UNDERLYING_QUOTE
    )
    if price is None or price <= ZERO or not is_price_of_base:
        return None
    if asset == instrument.base and target == instrument.quote:
        return amount * price
    if asset == instrument.quote and target == instrument.base:
        return amount / price
    return None


def _known_strategy(state: EngineState, strategy: StrategyId) -> StrategyId:
    for each in state.strategies:
        if each.setup.id == strategy:
            return strategy
    return STRATEGY_UNKNOWN
