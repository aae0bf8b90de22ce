"""Check the numbers in events: finite Decimals that can be written down, and nothing else.

What came over the wire was checked when it was decoded; these are for events that a program made itself.
"""

from decimal import Decimal
from typing import Final

from tradebus.core.engine.event import (
    AccountData,
    AmendAnswered,
    BalanceReceived,
    OrderReceived,
    SnapshotReceived,
)
from tradebus.core.market.check import is_number
from tradebus.core.market.event import BookL1, Level, MarketEvent, PublicTrade
from tradebus.core.model.account import Balance
from tradebus.core.model.number import ZERO, NumberError, check_computed
from tradebus.core.model.order import Order, OrderState, open_part

PLAIN_EXPONENT_MAX: Final = 40


def market_fault(event: MarketEvent) -> str:
    """Return what is wrong with the numbers of a trade or of the best bid and ask, empty if nothing is."""
    data = event.data
    if isinstance(data, PublicTrade):
        return _market_fault("price", data.price) or _amount_fault("amount", data.amount)
    if isinstance(data, BookL1):
        return _level_fault("best_bid", data.best_bid) or _level_fault("best_ask", data.best_ask)
    return ""


def account_fault(data: AccountData) -> str:
    """Return what is wrong with the numbers of balances and orders, empty if nothing is.

    Those of fills and funding have to fit into more and are checked by themselves.
    """
    if isinstance(data, BalanceReceived):
        return _balance_fault(data.balance.balance)
    if isinstance(data, OrderReceived):
        return _order_fault(data.order)
    if isinstance(data, AmendAnswered):
        fault = "" if data.price is None else _positive_fault("price", data.price)
        return fault or ("" if data.quantity is None else _positive_fault("quantity", data.quantity))
    if isinstance(data, SnapshotReceived):
        for balance in data.snapshot.balances:
            fault = _balance_fault(balance.balance)
            if fault:
                return fault
        for order in data.snapshot.orders:
            fault = _order_fault(order)
            if fault:
                return fault
    return ""


def _fault(name: str, value: object) -> str:
    try:
        check_computed(value)
    except NumberError as error:
        return f"{name}: {error}"
    return ""


def _market_fault(name: str, value: Decimal) -> str:
    # Nearly all numbers are plain ones, which need no look at their text.
    if is_number(value) and -PLAIN_EXPONENT_MAX <= value.adjusted() <= PLAIN_EXPONENT_MAX:
        return ""
    return _fault(name, value)


def _amount_fault(name: str, value: Decimal) -> str:
    fault = _market_fault(name, value)
    if not fault and value < ZERO:  # as below, but quick
        return f"{name}: expected 0 or more, found {value}"
    return fault


def _level_fault(name: str, level: Level | None) -> str:
    if level is None:
        return ""
    return _market_fault(f"{name}.price", level.price) or _amount_fault(f"{name}.amount", level.amount)


def _balance_fault(balance: Balance) -> str:
    return _fault("total", balance.total) or _fault("free", balance.free)


def _order_fault(order: Order) -> str:
    state: object = order.state
    if not isinstance(state, OrderState):
        return f"state: expected the state of an order, found {type(state).__name__}"
    # An order at the market may be told without a price.
    fault = _not_negative_fault("price", order.price) or _positive_fault("quantity", order.quantity)
    part = open_part(order.state)
    if fault or part is None:
        return fault
    filled: Decimal = part.filled_quantity
    return _not_negative_fault("filled_quantity", filled)


def _positive_fault(name: str, value: Decimal) -> str:
    fault = _fault(name, value)
    if not fault and value <= ZERO:
        return f"{name}: expected more than 0, found {value}"
    return fault


def _not_negative_fault(name: str, value: Decimal) -> str:
    fault = _fault(name, value)
    if not fault and value < ZERO:
        return f"{name}: expected 0 or more, found {value}"
    return fault
