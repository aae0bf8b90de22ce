"""Instruments in the reference's JSON: kinds, specifications, definitions, and what subscriptions name.

Aliases of the reference are read too: ``instrument_kind`` for ``kind``, options in upper or capital letters.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from tradebus.core.model.asset import Asset, asset_from_name
from tradebus.core.model.identifiers import ExchangeId, parse_exchange_id
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
    instrument_name,
)
from tradebus.core.model.market_data_instrument import MarketDataContract, MarketDataInstrument
from tradebus.core.model.number import decimal_text
from tradebus.wire.codec.error import Inconsistent, UnknownEnum
from tradebus.wire.tagged.parts import (
    NS_PER_MS,
    Json,
    Members,
    at,
    inner,
    member,
    members,
    number,
    optional,
    text,
    time_ns,
    variant,
)

N = TypeVar("N", bound=Enum)
T = TypeVar("T")


def _by_name(kind: type[N], prefix: str = "") -> Callable[[Json], N]:
    """Return a reader of enum members that are written by name: lower case, upper case or capitalised."""
    spellings = {f"{prefix}{entry.name.lower()}": entry for entry in kind}

    def read(value: Json) -> N:
        found = spellings.get(f"{prefix}{text(value).lower()}")
        if found is None:
            raise UnknownEnum(f"expected one of {[entry.name.lower() for entry in kind]}, found {value!r}")
        return found

    return read


_OPTION_KIND = _by_name(OptionKind)
_OPTION_EXERCISE = _by_name(OptionExercise)
_QUOTE_KINDS = {
    "underlyingquote": QuoteKind.UNDERLYING_QUOTE,
    "underlyingbase": QuoteKind.UNDERLYING_BASE,
}


def exchange_id(value: Json) -> ExchangeId:
    """Read an exchange by its canonical text."""
    try:
        return parse_exchange_id(text(value))
    except ValueError as error:
        raise UnknownEnum(str(error)) from None


def asset(value: Json) -> Asset:
    """Read an asset: one name for both, or ``name_internal`` and ``name_exchange``."""
    if isinstance(value, str):
        return asset_from_name(value)
    written = members(value)
    return Asset(member(written, "name_internal", text), member(written, "name_exchange", text))


def _built(make: Callable[[], T]) -> T:
    """Build a value of the core; what it finds contradictory is wrong in the JSON."""
    try:
        return make()
    except ValueError as error:
        raise Inconsistent(str(error)) from None


def _kind(name: str) -> InstrumentKind:
    kinds = {kind.name.lower(): kind for kind in InstrumentKind}
    found = kinds.get(name)
    if found is None:
        raise UnknownEnum(f"expected one of {list(kinds)}, found {name!r}")
    return found


def _strike(content: Members) -> Decimal | None:
    return optional(content, "strike", number)


def market_data_contract(value: Json) -> MarketDataContract:
    """Read what a subscription says of a kind: ``"spot"``, ``{"future": {"expiry": 1703980800000}}``."""
    name, content = variant(value)
    return _built(
        lambda: MarketDataContract(
            _kind(name),
            optional(content, "expiry", time_ns),
            _strike(content),
            optional(content, "kind", _OPTION_KIND),
            optional(content, "exercise", _OPTION_EXERCISE),
        )
    )


def market_data_instrument(value: Json) -> MarketDataInstrument:
    """Read what a subscription asks for: ``{"base": "btc", "quote": "usd", "instrument_kind": "spot"}``."""
    written = members(value)
    kind = "kind" if "kind" in written else "instrument_kind"
    return MarketDataInstrument(
        member(written, "base", text), member(written, "quote", text), member(written, kind, market_data_contract)
    )


def contract(value: Json) -> InstrumentContract:
    """Read a kind with its terms: ``"spot"``, ``{"perpetual": {"contract_size": "1", "settlement_asset": "usdt"}}``."""
    name, content = variant(value)
    kind = _kind(name)
    if kind is InstrumentKind.SPOT:
        return SPOT
    return _built(
        lambda: InstrumentContract(
            kind,
            member(content, "contract_size", number),
            member(content, "settlement_asset", asset),
            optional(content, "expiry", time_ns),
            _strike(content),
            optional(content, "kind", _OPTION_KIND),
            optional(content, "exercise", _OPTION_EXERCISE),
        )
    )


def quote_kind(value: Json) -> QuoteKind:
    """Read which asset prices are in: ``underlying_quote`` or ``UnderlyingQuote``, and the same for the base."""
    found = _QUOTE_KINDS.get(text(value).replace("_", "").lower())
    if found is None:
        raise UnknownEnum(f"expected 'underlying_quote' or 'underlying_base', found {value!r}")
    return found


def spec(value: Json) -> InstrumentSpec:
    """Read the venue's steps and minima: ``price``, ``quantity`` and ``notional``."""
    written = members(value)
    unit, unit_asset = inner(written, "quantity", "unit", _quantity_unit)
    price_min = inner(written, "price", "min", number)
    tick_size = inner(written, "price", "tick_size", number)
    quantity_min = inner(written, "quantity", "min", number)
    increment = inner(written, "quantity", "increment", number)
    notional_min = inner(written, "notional", "min", number)
    return _built(lambda: InstrumentSpec(price_min, tick_size, unit, unit_asset, quantity_min, increment, notional_min))


def _quantity_unit(value: Json) -> tuple[QuantityUnit, Asset | None]:
    if isinstance(value, dict) and len(value) == 1:
        ((name, content),) = value.items()
        if name.lower() == "asset":
            return QuantityUnit.ASSET, at(name, asset, content)
    return _by_name(QuantityUnit)(value), None


def definition(value: Json) -> InstrumentDefinition:
    """Read an instrument; without ``name_internal`` it is named after its exchange and assets."""
    written = members(value)
    exchange = member(written, "exchange", exchange_id)
    base = inner(written, "underlying", "base", asset)
    quote = inner(written, "underlying", "quote", asset)
    name = optional(written, "name_internal", text)
    name_exchange = member(written, "name_exchange", text)
    quoted = optional(written, "quote", quote_kind)
    kind = member(written, "instrument_kind" if "instrument_kind" in written else "kind", contract)
    steps = optional(written, "spec", spec)
    return _built(
        lambda: InstrumentDefinition(
            exchange,
            instrument_name(exchange, base, quote) if name is None else name,
            name_exchange,
            base,
            quote,
            QuoteKind.UNDERLYING_QUOTE if quoted is None else quoted,
            kind,
            steps,
        )
    )


def market_data_contract_json(found: MarketDataContract) -> Json:
    """Write what a subscription says of a kind."""
    name = found.kind.name.lower()
    if found.expiry_ns is None:
        return name
    content: dict[str, Json] = {}
    if found.strike is not None and found.option_kind is not None and found.option_exercise is not None:
        content["kind"] = found.option_kind.name.lower()
        content["exercise"] = found.option_exercise.name.lower()
    content["expiry"] = found.expiry_ns // NS_PER_MS
    if found.strike is not None:
        content["strike"] = decimal_text(found.strike)
    return {name: content}


def market_data_instrument_json(found: MarketDataInstrument) -> Json:
    """Write what a subscription asks for."""
    kind = market_data_contract_json(found.contract)
    return {"base": found.base, "quote": found.quote, "instrument_kind": kind}
