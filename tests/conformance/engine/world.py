"""Build the numbering and the state that a vector describes, exactly as it numbers them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tradebus.core.engine.event import EngineStarted, StrategySetup
from tradebus.core.engine.state.engine_state import EngineState, initial_state
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.asset import Asset, ExchangeAsset, asset_from_name
from tradebus.core.model.identifiers import AssetIndex, ExchangeId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import SPOT, Instrument, InstrumentDefinition, QuoteKind

_NAMES = {exchange.value: exchange for exchange in ExchangeId}


def exchange_ids(names: Sequence[str]) -> list[ExchangeId]:
    """Return an exchange for each name; names that are no exchange's stand for others, each for its own."""
    free = [exchange for exchange in ExchangeId if exchange.value not in names]
    return [_NAMES[name] if name in _NAMES else free.pop() for name in names]


def index_of(
    exchanges: Sequence[str], instruments: Sequence[dict[str, Any]], assets: Sequence[dict[str, Any]] = ()
) -> IndexedInstruments:
    """Return an index with these numbers; assets that no list names get names of their own."""
    ids = exchange_ids(exchanges)
    asset_count = 1 + max(
        [-1, *(asset["index"] for asset in assets)]
        + [instrument.get(name, 0) for instrument in instruments for name in ("base", "quote")]
    )
    named = {asset["index"]: asset for asset in assets}
    indexed_assets: list[ExchangeAsset] = []
    for i in range(asset_count):
        asset = named.get(i)
        exchange = ids[0] if asset is None else ids[list(exchanges).index(asset["exchange"])]
        indexed_assets.append(ExchangeAsset(exchange, asset_from_name(f"asset{i}" if asset is None else asset["name"])))
    return IndexedInstruments(
        ids, indexed_assets, [_instrument(ids, indexed_assets, instrument) for instrument in instruments]
    )


def _instrument(
    exchanges: Sequence[ExchangeId], assets: Sequence[ExchangeAsset], written: dict[str, Any]
) -> Instrument:
    exchange = written.get("exchange", 0)
    base, quote = written.get("base", 0), written.get("quote", 0)
    name = written.get("name_internal", f"{exchanges[exchange].value}-{written['index']}")
    definition = InstrumentDefinition(
        exchanges[exchange],
        name,
        written.get("name_exchange", name),
        _asset(assets, base),
        _asset(assets, quote),
        QuoteKind.UNDERLYING_QUOTE,
        written.get("contract", SPOT),
        None,
    )
    return Instrument(
        InstrumentIndex(written["index"]),
        ExchangeIndex(exchange),
        AssetIndex(base),
        AssetIndex(quote),
        None,
        definition,
    )


def _asset(assets: Sequence[ExchangeAsset], index: int) -> Asset:
    return assets[index].asset


def start_record(
    index: IndexedInstruments,
    strategies: Sequence[StrategySetup] = (),
    trading: TradingState = TradingState.DISABLED,
) -> EngineStarted:
    """Return a start record without accounts; the links are set in the state."""
    return EngineStarted("test", "demo", "run", "code", index, (), tuple(strategies), trading)


def state_of(
    index: IndexedInstruments, trading: TradingState = TradingState.DISABLED, data: Sequence[StrategyData] = ()
) -> EngineState:
    """Return the state an engine without accounts begins with."""
    assert not data, "states with strategies are made by the engine"
    return initial_state(start_record(index, (), trading), [])


def decimal_or_none(text: str | None) -> Decimal | None:
    """Return a number, none for null."""
    return None if text is None else Decimal(text)
