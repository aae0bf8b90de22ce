"""Names and indices of one exchange lead to each other, and what is named for a venue comes back as it was."""

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.support.values import instrument_definitions, order_states
from tradebus.core.execution.indexer import AccountIndexer
from tradebus.core.execution.instrument_map import ExecutionInstrumentMap
from tradebus.core.execution.naming import named_order
from tradebus.core.model.identifiers import AssetIndex, ClientOrderId, StrategyId
from tradebus.core.model.index import AssetIndexError, IndexedInstruments, index_instruments
from tradebus.core.model.instrument import InstrumentDefinition
from tradebus.core.model.number import ONE
from tradebus.core.model.order import OpenFailed, Order, OrderKey, OrderKind, OrderState, TimeInForce
from tradebus.core.model.side import Side


def indexed(definitions: list[InstrumentDefinition]) -> IndexedInstruments:
    try:
        return index_instruments(definitions)
    except AssetIndexError:
        assume(False)
        raise


def is_unique(definitions: list[InstrumentDefinition]) -> bool:
    names = {(definition.exchange, definition.name_exchange) for definition in definitions}
    return len(names) == len(set(definitions))


@given(st.lists(instrument_definitions(), min_size=1, max_size=8).filter(is_unique))
@examples(200)
def test_the_map_of_an_exchange_is_one_to_one(definitions: list[InstrumentDefinition]) -> None:
    index = indexed(definitions)
    for exchange in index.exchanges:
        names = ExecutionInstrumentMap(index, exchange)
        assert names.find_exchange_id(names.find_exchange_index(exchange)) is exchange
        own = [instrument.index for instrument in index.instruments if instrument.definition.exchange is exchange]
        assert [names.find_instrument_index(name) for name in names.exchange_instruments()] == own
        for i in own:
            assert names.find_instrument_index(names.find_instrument_name_exchange(i)) == i
            assert names.own_instrument_name(i) == names.find_instrument_name_exchange(i)
        held = [AssetIndex(i) for i, item in enumerate(index.assets) if item.exchange is exchange]
        assert [names.find_asset_index(name) for name in names.exchange_assets()] == held
        for asset in held:
            assert names.find_asset_index(names.find_asset_name_exchange(asset)) == asset


@given(st.lists(instrument_definitions(), min_size=1, max_size=5).filter(is_unique), order_states, st.data())
@examples(200)
def test_an_order_comes_back_as_it_went(
    definitions: list[InstrumentDefinition], state: OrderState, data: st.DataObject
) -> None:
    # The subject of an error is translated on its way in only.
    assume(not isinstance(state, OpenFailed))
    index = indexed(definitions)
    instrument = data.draw(st.sampled_from(index.instruments))
    names = ExecutionInstrumentMap(index, instrument.definition.exchange)
    key = OrderKey(instrument.exchange, instrument.index, StrategyId("s"), ClientOrderId("c"))
    order = Order(key, Side.BUY, ONE, ONE, OrderKind.LIMIT, TimeInForce.FILL_OR_KILL, state)
    assert AccountIndexer(names).order(named_order(names, order)) == order
