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


def test_spot_is_priced_in_the_underlying_quote() -> None:
    btc, usdt = asset_from_name("btc"), asset_from_name("usdt")
    with pytest.raises(ValueError, match="underlying_base"):
        InstrumentDefinition(ExchangeId.OKX, "a", "A", btc, usdt, QuoteKind.UNDERLYING_BASE, SPOT, None)
    assert perpetual(quote_kind=QuoteKind.UNDERLYING_BASE).quote_kind is QuoteKind.UNDERLYING_BASE
