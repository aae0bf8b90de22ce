"""Assets, instruments and the index: ``instrument.proto``.

Definitions name exchanges by text, since they are what the numbers of everything else stand for.
"""

from typing import Final

from tradebus.core.model.asset import Asset, ExchangeAsset
from tradebus.core.model.identifiers import ExchangeId, InstrumentIndex, parse_exchange_id
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import (
    Instrument,
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    OptionExercise,
    OptionKind,
    QuantityUnit,
    QuoteKind,
)
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, asset_index, exchange_index
from tradebus.wire.codec.enumeration import EnumCodec
from tradebus.wire.codec.error import DecodeError, Inconsistent
from tradebus.wire.codec.number import given_from_text
from tradebus.wire.codec.parts import child, children, named, text
from tradebus.wire.pb.v1 import instrument_pb2 as pb

INSTRUMENT_KINDS: Final = EnumCodec(InstrumentKind, pb.InstrumentKind)
QUOTE_KINDS: Final = EnumCodec(QuoteKind, pb.QuoteKind)
OPTION_KINDS: Final = EnumCodec(OptionKind, pb.OptionKind)
OPTION_EXERCISES: Final = EnumCodec(OptionExercise, pb.OptionExercise)
QUANTITY_UNITS: Final = EnumCodec(QuantityUnit, pb.QuantityUnit)


def exchange_id_from_text(value: str, path: str = "exchange") -> ExchangeId:
    """Return an exchange by its id; raises Inconsistent naming what was found."""
    try:
        return parse_exchange_id(value)
    except ValueError as error:
        raise Inconsistent(str(error), path) from None


def asset_to_pb(asset: Asset, into: pb.Asset) -> None:
    """Fill a message with an asset."""
    into.name_internal = asset.name_internal
    into.name_exchange = asset.name_exchange


def asset_from_pb(message: pb.Asset, bounds: IndexBounds = UNBOUNDED) -> Asset:  # noqa: ARG001 - as all readers
    """Return an asset; raises DecodeError."""
    return Asset(text(message.name_internal, "name_internal"), text(message.name_exchange, "name_exchange"))


def exchange_asset_to_pb(item: ExchangeAsset, into: pb.ExchangeAsset) -> None:
    """Fill a message with an asset on an exchange."""
    into.exchange = item.exchange.value
    asset_to_pb(item.asset, into.asset)


def exchange_asset_from_pb(message: pb.ExchangeAsset, bounds: IndexBounds = UNBOUNDED) -> ExchangeAsset:
    """Return an asset on an exchange; raises DecodeError."""
    exchange = exchange_id_from_text(message.exchange)
    return ExchangeAsset(exchange, child(message, "asset", message.asset, asset_from_pb, bounds))


def instrument_spec_to_pb(spec: InstrumentSpec, into: pb.InstrumentSpec) -> None:
    """Fill a message with a venue's steps and minima."""
    into.price_min = str(spec.price_min)
    into.tick_size = str(spec.tick_size)
    into.quantity_unit = QUANTITY_UNITS.to_pb(spec.quantity_unit)
    if spec.quantity_asset is not None:
        asset_to_pb(spec.quantity_asset, into.quantity_asset)
    into.quantity_min = str(spec.quantity_min)
    into.lot_size = str(spec.lot_size)
    into.notional_min = str(spec.notional_min)


def instrument_spec_from_pb(message: pb.InstrumentSpec, bounds: IndexBounds = UNBOUNDED) -> InstrumentSpec:
    """Return a venue's steps and minima; raises DecodeError."""
    has_asset = message.HasField("quantity_asset")
    price_min = given_from_text(message.price_min, "price_min")
    tick_size = given_from_text(message.tick_size, "tick_size")
    unit = QUANTITY_UNITS.from_pb(message.quantity_unit, "quantity_unit")
    asset = named("quantity_asset", message.quantity_asset, asset_from_pb, bounds) if has_asset else None
    quantity_min = given_from_text(message.quantity_min, "quantity_min")
    lot_size = given_from_text(message.lot_size, "lot_size")
    notional_min = given_from_text(message.notional_min, "notional_min")
    try:
        return InstrumentSpec(price_min, tick_size, unit, asset, quantity_min, lot_size, notional_min)
    except ValueError as error:
        raise Inconsistent(str(error)) from None


def instrument_contract_to_pb(contract: InstrumentContract, into: pb.InstrumentContract) -> None:
    """Fill a message with a contract."""
    into.kind = INSTRUMENT_KINDS.to_pb(contract.kind)
    into.contract_size = str(contract.contract_size)
    if contract.settlement is not None:
        asset_to_pb(contract.settlement, into.settlement)
    if contract.expiry_ns is not None:
        into.expiry_ns = contract.expiry_ns
    if contract.strike is not None:
        into.strike = str(contract.strike)
    if contract.option_kind is not None:
        into.option_kind = OPTION_KINDS.to_pb(contract.option_kind)
    if contract.option_exercise is not None:
        into.option_exercise = OPTION_EXERCISES.to_pb(contract.option_exercise)


def instrument_contract_from_pb(message: pb.InstrumentContract, bounds: IndexBounds = UNBOUNDED) -> InstrumentContract:
    """Return a contract; raises DecodeError, also for terms that its kind does not have."""
    has = message.HasField
    kind = INSTRUMENT_KINDS.from_pb(message.kind, "kind")
    size = given_from_text(message.contract_size, "contract_size")
    settlement = named("settlement", message.settlement, asset_from_pb, bounds) if has("settlement") else None
    expiry_ns = message.expiry_ns if has("expiry_ns") else None
    strike = given_from_text(message.strike, "strike") if has("strike") else None
    option_kind = OPTION_KINDS.from_pb(message.option_kind, "option_kind") if has("option_kind") else None
    has_exercise = has("option_exercise")
    exercise = OPTION_EXERCISES.from_pb(message.option_exercise, "option_exercise") if has_exercise else None
    try:
        return InstrumentContract(kind, size, settlement, expiry_ns, strike, option_kind, exercise)
    except ValueError as error:
        raise Inconsistent(str(error)) from None


def instrument_definition_to_pb(definition: InstrumentDefinition, into: pb.InstrumentDefinition) -> None:
    """Fill a message with an instrument's definition."""
    into.exchange = definition.exchange.value
    into.name_internal = definition.name_internal
    into.name_exchange = definition.name_exchange
    asset_to_pb(definition.base, into.base)
    asset_to_pb(definition.quote, into.quote)
    into.quote_kind = QUOTE_KINDS.to_pb(definition.quote_kind)
    instrument_contract_to_pb(definition.contract, into.contract)
    if definition.spec is not None:
        instrument_spec_to_pb(definition.spec, into.spec)


def instrument_definition_from_pb(
    message: pb.InstrumentDefinition, bounds: IndexBounds = UNBOUNDED
) -> InstrumentDefinition:
    """Return an instrument's definition; raises DecodeError, also for parts that the core finds contradictory."""
    exchange = exchange_id_from_text(message.exchange)
    name_internal = text(message.name_internal, "name_internal")
    name_exchange = text(message.name_exchange, "name_exchange")
    base = child(message, "base", message.base, asset_from_pb, bounds)
    quote = child(message, "quote", message.quote, asset_from_pb, bounds)
    quote_kind = QUOTE_KINDS.from_pb(message.quote_kind, "quote_kind")
    contract = child(message, "contract", message.contract, instrument_contract_from_pb, bounds)
    has_spec = message.HasField("spec")
    spec = named("spec", message.spec, instrument_spec_from_pb, bounds) if has_spec else None
    try:
        return InstrumentDefinition(exchange, name_internal, name_exchange, base, quote, quote_kind, contract, spec)
    except ValueError as error:
        raise Inconsistent(str(error)) from None


def instrument_to_pb(instrument: Instrument, into: pb.Instrument) -> None:
    """Fill a message with an indexed instrument."""
    into.index = instrument.index
    into.exchange = instrument.exchange
    into.base = instrument.base
    into.quote = instrument.quote
    if instrument.settlement is not None:
        into.settlement = instrument.settlement
    instrument_definition_to_pb(instrument.definition, into.definition)


def instrument_from_pb(message: pb.Instrument, bounds: IndexBounds = UNBOUNDED) -> Instrument:
    """Return an indexed instrument; raises DecodeError."""
    has_settlement = message.HasField("settlement")
    return Instrument(
        InstrumentIndex(message.index),
        exchange_index(message.exchange, bounds),
        asset_index(message.base, bounds, "base"),
        asset_index(message.quote, bounds, "quote"),
        asset_index(message.settlement, bounds, "settlement") if has_settlement else None,
        child(message, "definition", message.definition, instrument_definition_from_pb, bounds),
    )


def indexed_instruments_to_pb(index: IndexedInstruments, into: pb.IndexedInstruments) -> None:
    """Fill a message with an index."""
    into.exchanges.extend(exchange.value for exchange in index.exchanges)
    for item in index.assets:
        exchange_asset_to_pb(item, into.assets.add())
    for instrument in index.instruments:
        instrument_to_pb(instrument, into.instruments.add())


def indexed_instruments_from_pb(
    message: pb.IndexedInstruments,
    bounds: IndexBounds = UNBOUNDED,  # noqa: ARG001 - as all readers; an index brings its own
) -> IndexedInstruments:
    """Return an index; raises DecodeError, also when its numbers and names do not fit together."""
    own = IndexBounds(len(message.exchanges), len(message.assets), len(message.instruments))
    exchanges = [exchange_id_from_text(name, f"exchanges[{i}]") for i, name in enumerate(message.exchanges)]
    assets = list(children("assets", message.assets, exchange_asset_from_pb, own))
    instruments = list(children("instruments", message.instruments, instrument_from_pb, own))
    index = IndexedInstruments(exchanges, assets, instruments)
    for i, instrument in enumerate(instruments):
        try:
            _check_numbers(index, i, instrument)
        except DecodeError as error:
            error.prefix(f"instruments[{i}]")
            raise
    return index


def _check_numbers(index: IndexedInstruments, position: int, instrument: Instrument) -> None:
    """Refuse an instrument whose numbers do not stand for what its definition names."""
    if instrument.index != position:
        raise Inconsistent(f"expected {position}, its position, found {instrument.index}", "index")
    definition = instrument.definition
    exchange = index.exchanges[instrument.exchange]
    if exchange is not definition.exchange:
        raise Inconsistent(f"expected {definition.exchange.value}, found {exchange.value}", "exchange")
    wanted = (
        ("base", instrument.base, definition.base),
        ("quote", instrument.quote, definition.quote),
        ("settlement", instrument.settlement, definition.contract.settlement),
    )
    for name, number, asset in wanted:
        found = None if number is None else index.assets[number]
        expected = None if asset is None else ExchangeAsset(exchange, asset)
        if found != expected:
            raise Inconsistent(f"expected {expected}, found {found}", name)
