"""The venue's steps and minima: what is wrong with an order, and the nearest order that is right."""

from decimal import Decimal

import pytest

from tests.support.builders import market_request, open_request, spot_definition, steps
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.instrument import (
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    QuantityUnit,
    QuoteKind,
)
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.model.side import Side
from tradebus.core.model.trading_rules import (
    fit_order,
    is_inverse,
    order_value,
    round_down,
    round_price,
    round_quantity,
    round_up,
    spec_problem,
)

SPEC = steps("0.5", "0.1", price_min=10, quantity_min="0.2", notional_min=50)

RULES: list[tuple[OrderRequestOpen, str]] = [
    (open_request(price=100, quantity=1), ""),
    (open_request(price="100.5", quantity="0.5"), ""),
    (open_request(price="100.3", quantity=1), "price 100.3 is not a multiple of the tick size 0.5"),
    (open_request(price="9.5", quantity=100), "price 9.5 is below the minimum 10"),
    (open_request(price=1000, quantity="0.25"), "quantity 0.25 is not a multiple of the lot size 0.1"),
    (open_request(price=1000, quantity="0.1"), "quantity 0.1 is below the minimum 0.2"),
    (open_request(price=100, quantity="0.4"), "notional 40.0 is below the minimum 50"),
    (open_request(price=0), "expected price and quantity above 0, found 1 at 0"),
    (open_request(quantity=0), "expected price and quantity above 0, found 0 at 100"),
    (open_request(quantity=-1), "expected price and quantity above 0, found -1 at 100"),
    (market_request(price="100.3"), ""),
    (market_request(price="9.3", quantity=100), ""),
    (market_request(price=1000, quantity="0.25"), "quantity 0.25 is not a multiple of the lot size 0.1"),
]


def contract_of(unit: QuantityUnit, size: str = "0.01", settlement: str = "USDT") -> InstrumentDefinition:
    spec = InstrumentSpec(Decimal(0), Decimal(0), unit, None, Decimal(0), Decimal(0), Decimal(50))
    settled = asset_from_name(settlement)
    contract = InstrumentContract(InstrumentKind.PERPETUAL, Decimal(size), settled, None, None, None, None)
    btc, usdt = asset_from_name("BTC"), asset_from_name("USDT")
    return InstrumentDefinition(
        ExchangeId.OKX, "okx-swap", "SWAP", btc, usdt, QuoteKind.UNDERLYING_QUOTE, contract, spec
    )


@pytest.mark.parametrize(("request_", "problem"), RULES)
def test_the_venues_steps_and_minima(request_: OrderRequestOpen, problem: str) -> None:
    assert spec_problem(spot_definition(spec=SPEC), request_) == problem


def test_what_is_not_limited_is_allowed() -> None:
    for spec in (None, steps()):
        assert spec_problem(spot_definition(spec=spec), open_request(price="0.00000001", quantity="0.00000001")) == ""


def test_absurd_numbers_are_judged_and_not_stumbled_over() -> None:
    definition = spot_definition(spec=steps("1E-28", "1E-28"))
    assert spec_problem(definition, open_request(price="1E+400", quantity="1")) == ""
    assert "not a multiple" in spec_problem(definition, open_request(price="1E-400", quantity="1"))


def test_the_value_of_an_order_depends_on_what_its_quantity_counts() -> None:
    price, quantity = Decimal(50_000), Decimal(3)
    assert order_value(contract_of(QuantityUnit.CONTRACT), price, quantity) == 1500
    assert order_value(contract_of(QuantityUnit.ASSET), price, quantity) == 150_000
    assert order_value(contract_of(QuantityUnit.QUOTE), price, quantity) == 3
    assert order_value(spot_definition(), price, quantity) == 150_000
    inverse = contract_of(QuantityUnit.CONTRACT, "100", "BTC")
    assert is_inverse(inverse)
    assert order_value(inverse, price, quantity) == 300
    assert not any(is_inverse(each) for each in (spot_definition(), contract_of(QuantityUnit.CONTRACT)))
    assert spec_problem(contract_of(QuantityUnit.QUOTE), open_request(price=price, quantity=49)) == (
        "notional 49 is below the minimum 50"
    )


def test_steps_are_rounded_to_and_0_is_no_step() -> None:
    assert round_down(Decimal("1.29"), Decimal("0.1")) == Decimal("1.2")
    assert round_up(Decimal("1.21"), Decimal("0.1")) == Decimal("1.3")
    assert round_up(Decimal("1.2"), Decimal("0.1")) == Decimal("1.2")
    assert round_down(Decimal("1.29"), Decimal(0)) == round_up(Decimal("1.29"), Decimal(0)) == Decimal("1.29")


def test_prices_round_in_our_favour() -> None:
    assert round_price(SPEC, Side.BUY, Decimal("100.3")) == 100
    assert round_price(SPEC, Side.SELL, Decimal("100.3")) == Decimal("100.5")
    assert round_price(SPEC, Side.SELL, Decimal(3)) == 10
    assert round_price(SPEC, Side.BUY, Decimal(3)) == 3


def test_quantities_below_the_minimum_round_to_nothing() -> None:
    assert round_quantity(SPEC, Decimal("0.29")) == Decimal("0.2")
    assert round_quantity(SPEC, Decimal("0.19")) == 0


def test_an_order_is_fitted_or_there_is_none() -> None:
    definition = spot_definition(spec=SPEC)
    fitted = fit_order(definition, open_request(price="100.3", quantity="0.77"))
    assert fitted == open_request(price="100.0", quantity="0.7")
    at_market = market_request(price="100.3", quantity="0.77")
    fitted_market = fit_order(definition, at_market)
    assert fitted_market is not None
    assert (fitted_market.price, fitted_market.quantity) == (at_market.price, Decimal("0.7"))
    for request in (
        open_request(price="9.9", quantity=100),
        open_request(price=100, quantity="0.19"),
        open_request(price=100, quantity="0.4"),
        open_request(price=0, quantity=1),
    ):
        assert fit_order(definition, request) is None
    assert fit_order(spot_definition(), open_request(price="0.3")) == open_request(price="0.3")
