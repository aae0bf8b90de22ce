"""Definitions of instruments, and what is refused when they are made."""

from decimal import Decimal

import pytest

from tests.support.builders import spot_definition
from tradebus.core.model.asset import Asset, asset_from_name
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.instrument import (
    SPOT,
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    QuantityUnit,
    QuoteKind,
    instrument_name,
)


def perpetual(size: str = "1", quote_kind: QuoteKind = QuoteKind.UNDERLYING_QUOTE) -> InstrumentDefinition:
    contract = InstrumentContract(
        InstrumentKind.PERPETUAL, Decimal(size), asset_from_name("USDT"), None, None, None, None
    )
    btc, usdt = asset_from_name("BTC"), asset_from_name("USDT")
    return InstrumentDefinition(
        ExchangeId.OKX, "okx-BTC_usdt-SWAP", "BTC-USDT-SWAP", btc, usdt, quote_kind, contract, None
    )


def test_usual_name_of_an_instrument_spells_the_exchange_in_snake_case() -> None:
    name = instrument_name(ExchangeId.BINANCE_SPOT, Asset("BTC", "XBT"), asset_from_name("USDT"))
    assert name == "binance_spot-btc_usdt"


def test_spot_is_called_by_its_usual_name_and_the_venues() -> None:
    definition = spot_definition()
    assert definition.name_internal == "sim_alpha-btc_usdt"
    assert definition.name_exchange == "BTCUSDT"
    assert definition.contract is SPOT


def test_internal_name_is_lower_case_and_the_venues_verbatim() -> None:
    definition = perpetual()
    assert definition.name_internal == "okx-btc_usdt-swap"
    assert definition.name_exchange == "BTC-USDT-SWAP"


def test_contract_size_is_above_0() -> None:
    for size in ("0", "-1"):
        with pytest.raises(ValueError, match=f"contract size above 0, found {size}"):
            perpetual(size)


USDC = asset_from_name("USDC")
TERMS: list[tuple[InstrumentKind, Asset | None, int | None, Decimal | None, str]] = [
    (InstrumentKind.SPOT, USDC, None, None, "spot: settlement asset is not one of its terms"),
    (InstrumentKind.PERPETUAL, None, None, None, "perpetual: settlement asset is missing"),
    (InstrumentKind.PERPETUAL, USDC, 1, None, "perpetual: expiry is not one of its terms"),
    (InstrumentKind.FUTURE, USDC, None, None, "future: expiry is missing"),
    (InstrumentKind.FUTURE, USDC, 1, Decimal(1), "future: strike is not one of its terms"),
    (InstrumentKind.OPTION, USDC, 1, None, "option: strike is missing"),
    (InstrumentKind.OPTION, USDC, 1, Decimal(1), "option: option kind is missing"),
]


@pytest.mark.parametrize(("kind", "settlement", "expiry_ns", "strike", "message"), TERMS)
def test_a_contract_has_the_terms_of_its_kind_and_no_others(
    kind: InstrumentKind, settlement: Asset | None, expiry_ns: int | None, strike: Decimal | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        InstrumentContract(kind, Decimal(1), settlement, expiry_ns, strike, None, None)


def test_a_spot_contract_has_size_1() -> None:
    with pytest.raises(ValueError, match="spot: expected a contract size of 1, found 2"):
        InstrumentContract(InstrumentKind.SPOT, Decimal(2), None, None, None, None, None)


def test_steps_and_minima_are_not_negative() -> None:
    for i in range(5):
        values = [Decimal(-1 if i == place else 1) for place in range(5)]
        with pytest.raises(ValueError, match=r"steps and minima of 0 or more, found .*-1"):
            InstrumentSpec(values[0], values[1], QuantityUnit.CONTRACT, None, values[2], values[3], values[4])


def test_spot_is_priced_in_the_underlying_quote() -> None:
    btc, usdt = asset_from_name("btc"), asset_from_name("usdt")
    with pytest.raises(ValueError, match="underlying_base"):
        InstrumentDefinition(ExchangeId.OKX, "a", "A", btc, usdt, QuoteKind.UNDERLYING_BASE, SPOT, None)
    assert perpetual(quote_kind=QuoteKind.UNDERLYING_BASE).quote_kind is QuoteKind.UNDERLYING_BASE
