"""Numbers in events that are none are refused at the door, wherever they stand, and change nothing."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.support.builders import (
    account_event,
    asset_balance,
    book,
    engine_started,
    fill,
    funded,
    opened,
    order_in,
    public_trade,
    setup_of,
)
from tests.support.scenario import Scripted, follow
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountData, BalanceReceived, OrderReceived, SnapshotReceived, TradeReceived
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import BookL1, Level, MarketEvent
from tradebus.core.model.account import AccountSnapshot, Balance
from tradebus.core.model.number import ONE
from tradebus.core.model.order import CancelInFlight
from tradebus.core.model.record import Record, field_names
from tradebus.core.risk.interface import RiskManager

DECIMALS = {
    "NaN": Decimal("NaN"),
    "a signalling NaN": Decimal("sNaN"),
    "infinity": Decimal("Infinity"),
    "less than all": Decimal("-Infinity"),
    "an absurd exponent": Decimal("1E+501"),
    "an absurdly small one": Decimal("1E-501"),
    "too many digits": Decimal("1" * 101),
}
OTHERS = {"a float": 1.5, "an int": 1, "a text": "1", "nothing": None}


def remade(record: Any, name: str, value: object) -> Any:
    """Return a record with another value in a field."""
    assert isinstance(record, Record)
    fields = [value if each == name else getattr(record, each) for each in field_names(type(record))]
    return type(record)(*fields)


def part(data: AccountData) -> EngineEvent:
    return account_event(data)


def market(data: Any) -> EngineEvent:
    return MarketEvent(1, 1, public_trade().exchange, public_trade().instrument, 0, data)


PLACES: dict[str, Callable[[Any], EngineEvent]] = {
    "price of a trade": lambda n: market(remade(public_trade().data, "price", n)),
    "amount of a trade": lambda n: market(remade(public_trade().data, "amount", n)),
    "price of a bid": lambda n: market(BookL1(Level(n, ONE), None)),
    "amount of a bid": lambda n: market(BookL1(Level(ONE, n), None)),
    "price of an ask": lambda n: market(BookL1(Level(ONE, ONE), Level(n, ONE))),
    "amount of an ask": lambda n: market(BookL1(None, Level(ONE, n))),
    "price of a fill": lambda n: part(TradeReceived(remade(fill(), "price", n))),
    "quantity of a fill": lambda n: part(TradeReceived(remade(fill(), "quantity", n))),
    "fees of a fill": lambda n: part(TradeReceived(remade(fill(), "fees", n))),
    "total of a balance": lambda n: part(BalanceReceived(remade(asset_balance(), "balance", Balance(n, ONE)))),
    "free of a balance": lambda n: part(BalanceReceived(remade(asset_balance(), "balance", Balance(ONE, n)))),
    "price of an order": lambda n: part(OrderReceived(remade(order_in(), "price", n))),
    "quantity of an order": lambda n: part(OrderReceived(remade(order_in(), "quantity", n))),
    "filled of an order": lambda n: part(OrderReceived(order_in(remade(opened(), "filled_quantity", n)))),
    "filled of an order that is being cancelled": lambda n: part(
        OrderReceived(order_in(CancelInFlight(remade(opened(), "filled_quantity", n))))
    ),
    "a balance in a snapshot": lambda n: part(
        SnapshotReceived(AccountSnapshot((asset_balance(), remade(asset_balance(), "balance", Balance(n, ONE))), ()))
    ),
    "an order in a snapshot": lambda n: part(
        SnapshotReceived(AccountSnapshot((), (order_in(), remade(order_in(), "quantity", n))))
    ),
    "a funding payment": lambda n: part(remade(funded().data, "amount", n)),
}


@pytest.mark.parametrize("number", DECIMALS.values(), ids=DECIMALS.keys())
@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES.keys())
def test_what_is_no_number_is_refused_and_changes_nothing(make: Callable[[Any], EngineEvent], number: Decimal) -> None:
    strategy = Scripted()
    followed = follow(strategy)
    before = (followed.engine.hash(), followed.engine.sequence, followed.engine.time_ns)
    with pytest.raises(InvalidEvent, match=r"expected (a finite number|at most)"):
        followed.engine.process(make(number), 99)
    assert (followed.engine.hash(), followed.engine.sequence, followed.engine.time_ns) == before
    assert strategy.asked == []


@pytest.mark.parametrize("number", OTHERS.values(), ids=OTHERS.keys())
@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES.keys())
def test_what_is_no_decimal_is_refused_and_changes_nothing(make: Callable[[Any], EngineEvent], number: Any) -> None:
    followed = follow()
    before = followed.engine.hash()
    with pytest.raises(InvalidEvent, match="expected a Decimal"):
        followed.engine.process(make(number), 99)
    assert followed.engine.hash() == before


def test_market_numbers_are_checked_where_asked_for_and_in_debug_mode() -> None:
    strategy = Scripted()
    bad = PLACES["price of a trade"](Decimal("NaN"))

    def engine(*, is_debug: bool = False, checks_numbers: bool = False) -> Engine:
        started = engine_started([setup_of(strategy.id)])
        return Engine(started, [strategy], RiskManager(), is_debug=is_debug, checks_numbers=checks_numbers)

    for checking in (engine(checks_numbers=True), engine(is_debug=True)):
        with pytest.raises(InvalidEvent, match="PublicTrade: price: expected a finite number, found NaN"):
            checking.process(bad, 0)
    assert engine().process(bad, 0).event is bad, "decoding has checked it already"


def test_usual_numbers_pass_everywhere() -> None:
    followed = follow()
    for make in PLACES.values():
        followed.process(make(Decimal("1.5")))
    followed.process(book())
