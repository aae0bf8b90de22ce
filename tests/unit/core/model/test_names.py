"""Exchange ids, sides, assets, and the ids that the engine derives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebus.core.model.asset import Asset, asset_from_name
from tradebus.core.model.identifiers import (
    ExchangeId,
    client_order_id,
    decode_client_order_id,
    exchange_order,
    parse_exchange_id,
)
from tradebus.core.model.side import Side, parse_side


@pytest.mark.parametrize("exchange", list(ExchangeId))
def test_canonical_text_of_an_exchange_is_read_back(exchange: ExchangeId) -> None:
    assert parse_exchange_id(exchange.value) is exchange
    assert exchange.value == exchange.value.lower() == exchange.name.lower()


def test_declaration_order_is_the_order_of_indices() -> None:
    assert [exchange_order(exchange) for exchange in ExchangeId] == list(range(len(ExchangeId)))


def test_old_name_of_an_exchange_is_read() -> None:
    assert parse_exchange_id("huobi") is ExchangeId.HTX


@pytest.mark.parametrize("text", ["", "Binance_Spot", "binance", "binance_spot ", "BinanceSpot"])
def test_unknown_exchange_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"found {text!r}"):
        parse_exchange_id(text)


def test_display_of_an_exchange_is_camel_case() -> None:
    assert ExchangeId.BINANCE_FUTURES_USD.display == "BinanceFuturesUsd"
    assert ExchangeId.OKX.display == "Okx"


@pytest.mark.parametrize("text", ["", "long", "Buy ", "B", "S", "1", "bUY"])
def test_unknown_side_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"found {text!r}"):
        parse_side(text)


def test_sides_oppose_each_other() -> None:
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY
    assert f"{Side.BUY} {Side.SELL}" == "buy sell"


def test_internal_names_of_assets_are_lower_case_and_venues_names_verbatim() -> None:
    assert asset_from_name("XBT") == Asset("xbt", "XBT")
    assert Asset("BTC", "XBT").name_internal == "btc"


def test_derived_ids_differ_in_each_part_and_fit_every_venue() -> None:
    ids = [
        client_order_id(engine, epoch, sequence, ordinal)
        for engine in ("demo", "paper")
        for epoch in (1, 11)
        for sequence in (1, 11, 10**9)
        for ordinal in (0, 1, 11)
    ]
    assert len(set(ids)) == len(ids)
    assert all(cid.isascii() and cid.isalnum() and len(cid) <= 32 for cid in ids)


def test_an_alias_gives_an_asset_its_usual_name() -> None:
    found = asset_from_name("XBT", {"xbt": "btc"})
    assert (found.name_internal, found.name_exchange) == ("btc", "XBT")
    assert asset_from_name("ETH", {"xbt": "btc"}) == asset_from_name("ETH")


@given(st.text(min_size=1, max_size=12), st.integers(0, 2**63), st.integers(0, 2**63), st.integers(0, 2**32))
def test_derived_ids_can_be_read_back(engine: str, epoch: int, sequence: int, ordinal: int) -> None:
    cid = client_order_id(engine, epoch, sequence, ordinal)
    assert decode_client_order_id(cid) == (engine, epoch, sequence, ordinal)


@given(st.text(alphabet="aens0123²", max_size=12))
def test_whatever_is_read_as_a_derived_id_is_one(text: str) -> None:
    parts = decode_client_order_id(text)
    assert parts is None or client_order_id(*parts) == text


@pytest.mark.parametrize(
    "text", ["", "n", "sn", "e1s1n1", "demo", "demoe1s1", "demoe1s1n", "demoe1s1n01", "demoe-1s1n1"]
)
def test_other_ids_are_not_derived(text: str) -> None:
    assert decode_client_order_id(text) is None
