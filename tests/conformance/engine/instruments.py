"""Run the vectors of instruments: names, sides, exchange ids, kinds and the index."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tradebus.core.model.asset import Asset, asset_from_name
from tradebus.core.model.identifiers import (
    AssetIndex,
    ExchangeId,
    ExchangeIndex,
    InstrumentIndex,
    exchange_order,
    parse_exchange_id,
)
from tradebus.core.model.index import (
    AssetIndexError,
    ExchangeIndexError,
    IndexedInstruments,
    InstrumentIndexError,
    index_instruments,
)
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
from tradebus.core.model.market_data_instrument import market_data_contract
from tradebus.core.model.side import parse_side
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.tagged import instrument as tagged

INDEX_ERRORS = {
    "ExchangeIndex": ExchangeIndexError,
    "AssetIndex": AssetIndexError,
    "InstrumentIndex": InstrumentIndexError,
}


def asset(written: str | dict[str, str]) -> Asset:
    """Return an asset written by its exchange name, or by both."""
    return (
        asset_from_name(written)
        if isinstance(written, str)
        else Asset(written["name_internal"], written["name_exchange"])
    )


def contract(written: str | dict[str, Any]) -> InstrumentContract:
    """Return the contract of a kind."""
    if isinstance(written, str):
        assert written == "spot", f"unknown kind {written}"
        return SPOT
    ((name, detail),) = written.items()
    expiry_ms = detail.get("expiry_ms")
    return InstrumentContract(
        InstrumentKind[name.upper()],
        Decimal(detail["contract_size"]),
        asset(detail["settlement_asset"]),
        None if expiry_ms is None else int(expiry_ms) * 1_000_000,
        Decimal(detail["strike"]) if "strike" in detail else None,
        OptionKind[detail["kind"].upper()] if "kind" in detail else None,
        OptionExercise[detail["exercise"].upper()] if "exercise" in detail else None,
    )


def _spec(written: dict[str, Any] | None) -> InstrumentSpec | None:
    if written is None:
        return None
    unit = written["quantity"]["unit"]
    names = {"contract": QuantityUnit.CONTRACT, "quote": QuantityUnit.QUOTE}
    return InstrumentSpec(
        Decimal(written["price"]["min"]),
        Decimal(written["price"]["tick_size"]),
        QuantityUnit.ASSET if isinstance(unit, dict) else names[unit],
        asset(unit["asset"]) if isinstance(unit, dict) else None,
        Decimal(written["quantity"]["min"]),
        Decimal(written["quantity"]["increment"]),
        Decimal(written["notional"]["min"]),
    )


def definition(written: dict[str, Any]) -> InstrumentDefinition:
    """Return an instrument written in shorthand."""
    base, quote = asset(written["base"]), asset(written["quote"])
    exchange = parse_exchange_id(written["exchange"])
    name_exchange = written.get("name_exchange", f"{base.name_exchange}_{quote.name_exchange}")
    name = written.get("name_internal", f"{exchange.value}-{name_exchange}".lower())
    kind = contract(written["kind"])
    return InstrumentDefinition(
        exchange, name, name_exchange, base, quote, QuoteKind.UNDERLYING_QUOTE, kind, _spec(written.get("spec"))
    )


def index_of(instruments: list[dict[str, Any]]) -> IndexedInstruments:
    """Return the index of instruments written in shorthand."""
    return index_instruments([definition(written) for written in instruments])


def run_exchange_ids(case: Case, check: Check) -> None:
    """List, order and parse exchange ids."""
    data = case.data
    if data["op"] == "list":
        wanted = [item["name"] for item in data["expected"]]
        found = sorted(ExchangeId, key=exchange_order)
        check.equal("names", [exchange.value for exchange in found][: len(wanted)], wanted)
        variants = [item["variant"] for item in data["expected"]]
        check.equal("variants", [exchange.display for exchange in found][: len(wanted)], variants)
        ours = [exchange.value for exchange in found][len(wanted) :]
        check.differs("simulated-venues", "names that follow", ours, ["sim_alpha", "sim_beta"])
    elif data["op"] == "sort":
        found = sorted((parse_exchange_id(name) for name in data["input"]), key=exchange_order)
        check.equal("order", [exchange.value for exchange in found], data["expected"])
    elif "expected_error" in data:
        with pytest.raises(ValueError, match=re.escape(repr(data["input"]))):
            parse_exchange_id(data["input"])
    else:
        check.equal("parsed", parse_exchange_id(data["input"]).value, data["expected"])


def run_names(case: Case, check: Check) -> None:
    """Make names."""
    written = case.data["input"]
    expected = case.data["expected"]
    if case.data["op"] == "asset_name_internal":
        check.equal("name", asset_from_name(written).name_internal, expected)
    elif case.data["op"] == "asset_name_exchange":
        check.equal("name", asset_from_name(written).name_exchange, expected)
    elif case.data["op"] == "asset":
        made = asset(written)
        found = {"name_internal": made.name_internal, "name_exchange": made.name_exchange}
        check.equal("names", found, expected)
    elif case.data["op"] == "instrument_name_internal":
        shorthand = {"exchange": "okx", "base": "a", "quote": "b", "kind": "spot", "name_internal": written}
        check.equal("name", definition(shorthand).name_internal, expected)
    elif case.data["op"] == "instrument_internal_from_exchange_name":
        shorthand = {**written, "base": "a", "quote": "b", "kind": "spot"}
        check.equal("name", definition(shorthand).name_internal, expected)
    else:
        assert case.data["op"] == "instrument_internal_from_underlying", case.data["op"]
        exchange = parse_exchange_id(written["exchange"])
        name = instrument_name(exchange, asset(written["base"]), asset(written["quote"]))
        corrected = case.data.get("corrected", expected)
        check.equal_or("snake-case-name", "name", name, expected, corrected)


def run_sides(case: Case, check: Check) -> None:
    """Parse and print sides."""
    if "expected_error" in case.data:
        with pytest.raises(ValueError, match="expected a side"):
            parse_side(case.data["input"])
        return
    side = parse_side(case.data["input"])
    check.equal("side", side.name.capitalize(), case.data["expected"])
    check.equal("display", str(side), case.data["display"])


def run_instrument_kinds(case: Case, check: Check) -> None:
    """Ask a kind for its size and settlement."""
    kind = contract(case.data["kind"])
    if case.data["op"] == "contract_size":
        check.equal("size", kind.contract_size, case.data["expected"])
    elif case.data["op"] == "eq_market_data_kind":
        asked = tagged.market_data_contract(_with_expiry(case.data["market_data_kind"]))
        check.equal("describes", asked.describes(kind), case.data["expected"])
        check.equal("describes its own", market_data_contract(kind).describes(kind), expected=True)
    else:
        assert case.data["op"] == "settlement_asset", case.data["op"]
        found = None if kind.settlement is None else kind.settlement.name_internal
        check.equal("settlement", found, case.data["expected"])


def _with_expiry(written: Any) -> Any:
    """Return a kind of market data as JSON has it; the vectors name the unit of the expiry."""
    if isinstance(written, str):
        return written
    ((name, detail),) = written.items()
    return {name: {("expiry" if key == "expiry_ms" else key): value for key, value in detail.items()}}


def run_market_data_instruments(case: Case, check: Check) -> None:
    """Read what subscriptions name, and print it."""
    if "expected_error" in case.data:
        check.equal("class", case.data["expected_error"]["class"], "Deserialise")
        with pytest.raises(DecodeError):
            tagged.market_data_instrument(case.data["input"])
        return
    found = tagged.market_data_instrument(case.data["input"])
    wanted = case.data["parsed"]
    check.equal("assets", [found.base, found.quote], [wanted["base"], wanted["quote"]])
    kind = _with_expiry(wanted["instrument_kind"])
    check.equal("kind", found.contract, tagged.market_data_contract(kind))
    name, terms = (kind, {}) if isinstance(kind, str) else next(iter(kind.items()))
    check.equal("kind's name", found.contract.kind.name.lower(), name)
    ours: dict[str, object] = {
        "expiry": None if found.contract.expiry_ns is None else found.contract.expiry_ns // 1_000_000,
        "strike": found.contract.strike,
        "kind": None if found.contract.option_kind is None else found.contract.option_kind.name.lower(),
        "exercise": None if found.contract.option_exercise is None else found.contract.option_exercise.name.lower(),
    }
    for term, value in ours.items():
        check.equal(term, value, terms.get(term))
    check.equal("display", str(found), case.data["display"])
    check.equal("written again", tagged.market_data_instrument(tagged.market_data_instrument_json(found)), found)


def _has_clash(instruments: list[dict[str, Any]]) -> bool:
    names: dict[tuple[str, str], set[str]] = {}
    for written in instruments:
        kind = contract(written["kind"])
        settled = [] if kind.settlement is None else [kind.settlement]
        for item in (asset(written["base"]), asset(written["quote"]), *settled):
            names.setdefault((written["exchange"], item.name_internal), set()).add(item.name_exchange)
    return any(len(found) > 1 for found in names.values())


def run_index_builder(case: Case, check: Check) -> None:
    """Number exchanges, assets and instruments."""
    instruments: list[dict[str, Any]] = case.data["instruments"]
    if _has_clash(instruments):
        with pytest.raises(AssetIndexError, match="has two assets called") as raised:
            index_of(instruments)
        check.differs("asset-clash-refused", "index", raised.type, AssetIndexError)
        return
    index = index_of(instruments)
    for other in (reversed(instruments), [*instruments, *instruments]):
        check.equal("input order and repetition", index_of(list(other)), index)
    expected = case.data["expected"]
    check.equal("exchanges", [exchange.value for exchange in index.exchanges], expected["exchanges"])
    assets = [[item.exchange.value, item.asset.name_exchange] for item in index.assets]
    check.equal("assets", assets, expected["assets"])
    check.equal("instruments", len(index.instruments), len(expected["instruments"]))
    for i, wanted in enumerate(expected["instruments"]):
        instrument = index.instruments[i]
        spec = instrument.definition.spec
        unit = None if spec is None or spec.quantity_asset is None else spec.quantity_asset.name_internal
        found: dict[str, object] = {
            "exchange": [instrument.exchange, instrument.definition.exchange.value],
            "name_internal": instrument.name,
            "name_exchange": instrument.definition.name_exchange,
            "base": instrument.base,
            "quote": instrument.quote,
            "settlement": instrument.settlement,
            "quantity_unit": None
            if unit is None
            else {"asset": index.find_asset_index(instrument.definition.exchange, unit)},
        }
        for name, value in wanted.items():
            check.equal(f"instruments[{i}].{name}", found[name], value)
        check.equal(f"instruments[{i}].index", instrument.index, i)


def _lookup(index: IndexedInstruments, operation: str, args: list[Any]) -> object:
    if operation == "find_exchange":
        return index.find_exchange(ExchangeIndex(args[0])).value
    if operation == "find_asset":
        found = index.find_asset(AssetIndex(args[0]))
        names = {"name_internal": found.asset.name_internal, "name_exchange": found.asset.name_exchange}
        return {"exchange": found.exchange.value, **names}
    if operation == "find_instrument":
        return index.find_instrument(InstrumentIndex(args[0])).name
    exchange = parse_exchange_id(args[0])
    finders: dict[str, Callable[[], int]] = {
        "find_exchange_index": lambda: index.find_exchange_index(exchange),
        "find_asset_index": lambda: index.find_asset_index(exchange, args[1]),
        "find_instrument_index": lambda: index.find_instrument_index(exchange, args[1]),
    }
    return finders[operation]()


def run_index_lookup(case: Case, check: Check) -> None:
    """Look up by name and by index."""
    index = index_of(case.data["instruments"])
    if "expected_error" in case.data:
        name = case.data["expected_error"]["class"]
        with pytest.raises(INDEX_ERRORS[name], match=f"^{name}: "):
            _lookup(index, case.data["op"], case.data["args"])
        return
    found, expected = _lookup(index, case.data["op"], case.data["args"]), case.data["expected"]
    if case.data["op"] == "find_instrument" and isinstance(expected, dict):
        expected = expected["name_internal"]
    check.equal("found", found, expected)


RUNNERS = {
    ("instruments/exchange_ids.json", "cases"): run_exchange_ids,
    ("instruments/market_data_instruments.json", "cases"): run_market_data_instruments,
    ("instruments/names.json", "cases"): run_names,
    ("instruments/sides.json", "cases"): run_sides,
    ("instruments/instrument_kinds.json", "cases"): run_instrument_kinds,
    ("instruments/index_builder.json", "cases"): run_index_builder,
    ("instruments/index_lookup.json", "cases"): run_index_lookup,
}
