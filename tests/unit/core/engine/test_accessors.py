"""Parts of the state are found by index, by name and by filter, with errors that say what was asked for."""

from collections.abc import Callable

import pytest

from tests.support.builders import (
    ALPHA,
    ASSET_BTC,
    ASSET_USDT,
    BETA,
    BETA_BTC,
    BTC,
    ETH,
    fill,
    filled,
    opened,
    order_in,
    order_told,
    public_trade,
)
from tests.support.scenario import follow
from tests.support.user_data import factory, started_with_data
from tradebus.core.engine.command import ByExchanges, ByInstruments, ByUnderlyings, InstrumentFilter
from tradebus.core.engine.state.asset_filter import ALL_ASSETS, AssetFilter, AssetsOfExchanges
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.identifiers import AssetIndex, ExchangeId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.index import AssetIndexError, ExchangeIndexError, InstrumentIndexError
from tradebus.core.model.side import Side

ALPHA_ID, BETA_ID = ExchangeId.SIM_ALPHA, ExchangeId.SIM_BETA


@pytest.fixture(name="state")
def _state() -> EngineState:
    """A state with a position on two instruments, a closed one on the third, and orders."""
    followed = follow(started=started_with_data(), make_user_data=factory())
    for instrument in (BTC, ETH, BETA_BTC):
        followed.process(public_trade(10 + instrument, instrument=instrument))
        followed.process(filled(fill("a", instrument=instrument)))
    followed.process(filled(fill("b", Side.SELL, instrument=ETH)))
    for cid, instrument in (("x", BTC), ("y", BTC), ("z", BETA_BTC)):
        followed.process(order_told(order_in(opened(1), cid, instrument=instrument)))
    return followed.engine.state


def test_parts_are_found_by_index_and_by_name(state: EngineState) -> None:
    for instrument in state.index.instruments:
        found = state.instrument(instrument.index)
        assert found is state.instrument_named(instrument.name) is state.instrument_named(instrument.name.upper())
        assert found.instrument is instrument
    for i, asset in enumerate(state.index.assets):
        found_asset = state.asset(AssetIndex(i))
        assert found_asset is state.asset_named(asset.exchange, asset.asset.name_internal.upper())
        assert found_asset.asset is asset
    for i, exchange in enumerate(state.index.exchanges):
        assert state.exchange(ExchangeIndex(i)) is state.exchange_named(exchange) is state.connectivity[i]


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda s: s.instrument(InstrumentIndex(3)), InstrumentIndexError, "expected 0 to 2, found 3"),
        (lambda s: s.instrument(InstrumentIndex(-1)), InstrumentIndexError, "expected 0 to 2, found -1"),
        (lambda s: s.asset(AssetIndex(5)), AssetIndexError, "expected 0 to 4, found 5"),
        (lambda s: s.asset(AssetIndex(-1)), AssetIndexError, "expected 0 to 4, found -1"),
        (lambda s: s.exchange(ExchangeIndex(2)), ExchangeIndexError, "expected 0 to 1, found 2"),
        (lambda s: s.instrument_named("doge"), InstrumentIndexError, "no instrument is called 'doge'"),
        (lambda s: s.asset_named(BETA_ID, "eth"), AssetIndexError, "SimBeta has no asset 'eth'"),
        (lambda s: s.exchange_named(ExchangeId.OKX), ExchangeIndexError, "Okx is not one of"),
        (lambda s: s.find_instrument_data(InstrumentIndex(9)), InstrumentIndexError, "expected 0 to 2, found 9"),
    ],
)
def test_what_is_not_there_is_named(
    state: EngineState, ask: Callable[[EngineState], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ask(state)


@pytest.mark.parametrize(
    ("selection", "instruments", "held", "cids"),
    [
        (ByExchanges((ALPHA,)), [BTC, ETH], [BTC], ["x", "y"]),
        (ByExchanges((BETA, ALPHA)), [BTC, ETH, BETA_BTC], [BTC, BETA_BTC], ["x", "y", "z"]),
        (ByInstruments((BETA_BTC, ETH)), [ETH, BETA_BTC], [BETA_BTC], ["z"]),
        (ByUnderlyings(((ASSET_BTC, ASSET_USDT),)), [BTC], [BTC], ["x", "y"]),
        (ByInstruments((InstrumentIndex(77),)), [], [], []),
    ],
)
def test_filters_select_parts_in_index_order(
    state: EngineState,
    selection: InstrumentFilter,
    instruments: list[InstrumentIndex],
    held: list[InstrumentIndex],
    cids: list[str],
) -> None:
    assert [found.instrument.index for found in state.matching(selection)] == instruments
    assert [position.instrument for position in state.positions(selection)] == held
    assert [order.key.cid for order in state.orders(selection)] == cids
    assert list(state.market_data(selection)) == [state.instruments[i].data for i in instruments]
    assert list(state.instrument_data(selection)) == [state.find_instrument_data(i) for i in instruments]
    assert [exits.count for exits in state.exits(selection)] == [int(i == ETH) for i in instruments]


def test_without_a_filter_all_is_meant(state: EngineState) -> None:
    assert len(list(state.positions())) == 2
    assert [order.key.cid for order in state.orders()] == ["x", "y", "z"]
    assert [data.price_last for data in state.market_data()] == [10, 11, 12]
    assert len(list(state.instrument_data())) == len(list(state.exits())) == 3


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        (ALL_ASSETS, [0, 1, 2, 3, 4]),
        (AssetsOfExchanges((ALPHA_ID,)), [0, 1, 2]),
        (AssetsOfExchanges((BETA_ID, ALPHA_ID)), [0, 1, 2, 3, 4]),
        (AssetsOfExchanges((ExchangeId.OKX,)), []),
        (AssetsOfExchanges(()), []),
    ],
)
def test_assets_are_selected_in_index_order(state: EngineState, selection: AssetFilter, selected: list[int]) -> None:
    assert list(state.assets_matching(selection)) == [state.assets[i] for i in selected]


def test_user_data_that_is_not_configured_cannot_be_selected() -> None:
    state = follow().engine.state
    with pytest.raises(KeyError, match="no instrument data is configured"):
        list(state.instrument_data())
