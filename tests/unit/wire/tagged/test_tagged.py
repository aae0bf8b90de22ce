"""The reference's JSON: what is read, what is written, and where an error lies."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tradebus.core.model.asset import Asset, asset_from_name
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.instrument import (
    SPOT,
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    OptionExercise,
    OptionKind,
    QuantityUnit,
    QuoteKind,
)
from tradebus.core.model.market_data_instrument import MarketDataContract, MarketDataInstrument
from tradebus.core.model.order import OrderKind, TimeInForce
from tradebus.core.model.side import Side
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.tagged import instrument, order, parts

SPEC = {
    "price": {"min": "0.01", "tick_size": 0.01},
    "quantity": {"unit": {"asset": "BTC"}, "min": "0.001", "increment": 1},
    "notional": {"min": 10},
}
OPTION = {
    "contract_size": "1",
    "settlement_asset": "usdc",
    "kind": "Put",
    "exercise": "EUROPEAN",
    "expiry": 1_703_980_800_000,
    "strike": 50000,
}
BINANCE = {
    "exchange": "binance_spot",
    "name_exchange": "BTCUSDT",
    "underlying": {"base": "BTC", "quote": "usdt"},
    "quote": "underlying_quote",
    "kind": "spot",
}


def test_a_definition_is_named_after_its_exchange_and_assets() -> None:
    found = instrument.definition({**BINANCE, "spec": SPEC})
    btc, usdt = asset_from_name("BTC"), asset_from_name("usdt")
    wanted = InstrumentDefinition(
        ExchangeId.BINANCE_SPOT,
        "binance_spot-btc_usdt",
        "BTCUSDT",
        btc,
        usdt,
        QuoteKind.UNDERLYING_QUOTE,
        SPOT,
        InstrumentSpec(
            Decimal("0.01"),
            Decimal("0.01"),
            QuantityUnit.ASSET,
            btc,
            Decimal("0.001"),
            Decimal(1),
            Decimal(10),
        ),
    )
    assert found == wanted


def test_kinds_are_read_with_all_their_terms() -> None:
    usdc = asset_from_name("usdc")
    expiry = 1_703_980_800_000_000_000
    assert instrument.contract({"option": OPTION}) == InstrumentContract(
        InstrumentKind.OPTION, Decimal(1), usdc, expiry, Decimal(50000), OptionKind.PUT, OptionExercise.EUROPEAN
    )
    perpetual = {"contract_size": "0.01", "settlement_asset": {"name_internal": "usdc", "name_exchange": "USDC"}}
    found = instrument.contract({"perpetual": perpetual})
    assert found.settlement == Asset("usdc", "USDC")
    assert found.contract_size == Decimal("0.01")
    aliased = {name: value for name, value in BINANCE.items() if name != "kind"}
    named = {**aliased, "instrument_kind": {"perpetual": perpetual}, "name_internal": "OKX-swap"}
    definition = instrument.definition({**named, "quote": "UnderlyingBase"})
    assert (definition.name_internal, definition.quote_kind) == ("okx-swap", QuoteKind.UNDERLYING_BASE)
    assert instrument.quote_kind("UnderlyingQuote") is QuoteKind.UNDERLYING_QUOTE


def test_what_is_read_of_market_data_is_written_again() -> None:
    spot = MarketDataInstrument("btc", "usd", MarketDataContract(InstrumentKind.SPOT))
    assert instrument.market_data_instrument_json(spot) == {"base": "btc", "quote": "usd", "instrument_kind": "spot"}
    kind = {"option": {"kind": "call", "exercise": "american", "expiry": 5, "strike": "0.5"}}
    assert instrument.market_data_contract_json(instrument.market_data_contract(kind)) == kind
    future = {"future": {"expiry": 5}}
    assert instrument.market_data_contract_json(instrument.market_data_contract(future)) == future
    assert instrument.market_data_instrument({"base": "btc", "quote": "usd", "kind": "spot"}) == spot


def test_numbers_keep_their_digits_unless_they_are_binary() -> None:
    written: list[tuple[object, str]] = [("1.50", "1.50"), (5, "5"), (5.0, "5"), (0.05, "0.05"), (1e-8, "0.00000001")]
    assert [f"{parts.number(value):f}" for value, _ in written] == [text for _, text in written]


def test_orders_are_written_as_they_are_read() -> None:
    for time in TimeInForce:
        assert order.time_in_force(order.time_in_force_json(time)) is time
    for kind in OrderKind:
        assert order.order_kind(order.order_kind_json(kind)) is kind
    for side in Side:
        assert order.side(order.side_json(side)) is side
    assert order.time_in_force_json(TimeInForce.GOOD_UNTIL_CANCELLED) == {"GoodUntilCancelled": {"post_only": False}}
    assert order.side("b") is Side.BUY


WRONG: list[tuple[Callable[[object], object], object, str]] = [
    (instrument.market_data_instrument, [], "expected an object"),
    (instrument.market_data_instrument, {"base": "btc", "quote": "usd"}, "instrument_kind: expected a value"),
    (instrument.market_data_instrument, {"base": 1, "quote": "usd", "kind": "spot"}, "base: expected a text, found 1"),
    (instrument.market_data_contract, "swap", "expected one of .*, found 'swap'"),
    (instrument.market_data_contract, {"future": {}}, "future: expected an expiry"),
    (instrument.market_data_contract, {"future": {"expiry": "soon"}}, "expiry: expected a whole number"),
    (instrument.market_data_contract, {"future": {"expiry": 10**15}}, "expiry: expected milliseconds"),
    (instrument.market_data_contract, {"future": {}, "spot": {}}, "expected one variant"),
    (instrument.contract, {"option": {**OPTION, "kind": "both"}}, "kind: expected one of .*, found 'both'"),
    (instrument.contract, {"option": {**OPTION, "strike": "NaN"}}, "strike: expected a decimal number"),
    (instrument.contract, {"option": {**OPTION, "strike": True}}, "strike: expected a number"),
    (instrument.contract, {"perpetual": OPTION}, "is not one of its terms"),
    (instrument.contract, {"perpetual": {"contract_size": 1}}, "settlement_asset: expected a value"),
    (instrument.definition, {**BINANCE, "exchange": "nowhere"}, "exchange: expected an exchange id"),
    (instrument.definition, {**BINANCE, "underlying": {"base": "btc"}}, "underlying.quote: expected a value"),
    (instrument.definition, {**BINANCE, "quote": "base"}, "quote: expected 'underlying_quote'"),
    (instrument.definition, {**BINANCE, "quote": "underlying_base"}, "spot is priced in the underlying quote"),
    (instrument.definition, {**BINANCE, "spec": {**SPEC, "price": {}}}, "spec.price.min: expected a value"),
    (instrument.definition, {**BINANCE, "spec": {**SPEC, "notional": {"min": -1}}}, "spec: expected steps and minima"),
    (order.order_kind, "Stop", "expected one of .*, found 'Stop'"),
    (order.time_in_force, "GoodUntilCancelled", "post_only: expected a value"),
    (order.time_in_force, {"GoodUntilCancelled": {"post_only": 1}}, "post_only: expected true or false"),
    (order.time_in_force, "Never", "expected one of .*, found 'Never'"),
    (order.side, "long", "expected a side"),
]


@pytest.mark.parametrize(("read", "value", "message"), WRONG)
def test_what_is_wrong_is_named_with_its_place(read: Callable[[object], object], value: object, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read(value)
