"""Value an order or a position in the quote asset of its instrument."""

from decimal import Decimal

from tradebus.core.engine.state.payoff import payoff_of
from tradebus.core.model.instrument import Instrument, InstrumentKind
from tradebus.core.model.number import ONE
from tradebus.core.risk.calculate import quote_notional


def value_in_quote(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal | None:
    """Return what a quantity is worth in quote at a price; none on overflow.

    An option is valued at its strike, which is what is at stake; an inverse contract is worth its size in quote at any
    price.
    """
    contract = instrument.definition.contract
    if contract.kind is InstrumentKind.OPTION and contract.strike is not None:
        price = contract.strike
    elif payoff_of(instrument).is_inverse:
        price = ONE
    return quote_notional(quantity, price, contract.contract_size)
