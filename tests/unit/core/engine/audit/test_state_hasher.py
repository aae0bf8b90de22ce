"""A hasher that knows a state sees every change of it: of each leaf, in place or by another object."""

import ast
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import tradebus.core
from tests.support.builders import ASSET_USDT, public_trade
from tests.support.full_state import full_run, full_state, rich_index
from tests.support.leaves import changed_leaves
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.instrument_text import DATA_FIELDS, INSTRUMENT_FIELDS, OtherText
from tradebus.core.engine.audit.state_hash import StateHasher, core_text, hash_state
from tradebus.core.engine.state.asset import AssetState
from tradebus.core.engine.state.engine_state import EngineState, Timer
from tradebus.core.engine.state.funding import AssetAmount
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.engine.state.market_data import InstrumentMarketData
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.record import Record, field_names


def changeable_attributes() -> dict[str, set[str]]:
    """Return which attributes of each class of the core may change, read from the source: those that are not final."""
    found: dict[str, set[str]] = {}
    (folder,) = tradebus.core.__path__
    for path in Path(folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name] = {
                    target.attr
                    for statement in ast.walk(node)
                    if isinstance(statement, ast.Assign)
                    for target in statement.targets
                    if isinstance(target, ast.Attribute)
                }
    return found


CHANGEABLE = changeable_attributes()


def _other(value: object) -> object:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | Decimal):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    assert isinstance(value, Enum), f"a leaf of an unknown kind: {type(value).__name__}"
    members = list(type(value))
    return members[(members.index(value) + 1) % len(members)]


def changes_in_place(value: Any, path: str) -> Iterator[str]:
    """Change the value in one place after the other, undoing each change after it was yielded."""
    if isinstance(value, IndexedInstruments):
        return
    if isinstance(value, Record):
        for name in field_names(type(value)):
            held = getattr(value, name)
            where = f"{path}.{name}"
            if name in CHANGEABLE[type(value).__name__]:
                is_part = held is None or isinstance(held, Record | list | dict | tuple | IndexedInstruments)
                if not is_part and not hasattr(held, "to_plain"):
                    setattr(value, name, _other(held))
                    yield where
                    setattr(value, name, held)
                elif held is not None and _may_be_absent(path, name):
                    setattr(value, name, None)
                    yield f"{where} absent"
                    setattr(value, name, held)
            yield from changes_in_place(held, where)
    elif isinstance(value, list):
        yield from _changes_of_list(value, path)
        for i, item in enumerate(value):
            yield from changes_in_place(item, f"{path}[{i}]")
    elif isinstance(value, dict):
        yield from _changes_of_dict(value, path)
        for key, item in value.items():
            yield from changes_in_place(item, f"{path}.{key}")


def _may_be_absent(path: str, name: str) -> bool:
    return name in {"position", "balance", "l1", "l2", "time_engine_ns"} or (
        name == "price_last" and path.endswith(".data")
    )


def _changes_of_list(value: list[Any], path: str) -> Iterator[str]:
    if value:
        gone = value.pop()
        yield f"{path} shorter"
        value.append(gone)
        value.append(gone)
        yield f"{path} longer"
        value.pop()


def _changes_of_dict(value: dict[str, Any], path: str) -> Iterator[str]:
    before = dict(value)
    for key in before:
        item = value.pop(key)
        yield f"{path}.{key} gone"
        value[key + "x"] = item
        yield f"{path}.{key} renamed"
        value.clear()
        value.update(before)


def test_every_change_in_place_is_seen() -> None:
    state = full_state()
    hasher = StateHasher()
    texts = {hasher.core_text(state)}
    unchanged = core_text(state)
    count = 0
    seen: set[str] = set()
    for path in changes_in_place(state, ""):
        assert hasher.core_text(state) == core_text(state), path
        texts.add(core_text(state))
        count += 1
        seen.add(path.split(" ")[0].rpartition(".")[2])
    assert hasher.core_text(state) == core_text(state) == unchanged
    assert len(texts) > count * 0.9, "nearly every change makes a text of its own"
    assert count > 80
    assert seen >= {"trading", "l1", "price_last", "is_stale", "position", "count", "quantity_net", "ordinal", "due_ns"}


def test_every_leaf_of_another_state_is_seen() -> None:
    state = full_state()
    hasher = StateHasher()
    count = 0
    for path, changed in changed_leaves(state):
        assert isinstance(changed, EngineState)
        assert hasher.core_text(state) == core_text(state), path
        assert hasher.core_text(changed) == core_text(changed), path
        is_of_the_user = path.endswith(".user_data.price")
        assert (core_text(changed) == core_text(state)) is is_of_the_user, path
        count += 1
    assert count > 150


@pytest.mark.parametrize("part", ["timers", "apart", "instruments", "assets"])
def test_lists_that_grow_and_shrink_are_seen(part: str) -> None:
    state = full_state()
    hasher = StateHasher()
    hasher.core_text(state)
    if part == "timers":
        state.timers.append(Timer(StrategyId("s"), "u", 10))
    elif part == "apart":
        state.instruments[0].apart.append(AssetAmount(ASSET_USDT, Decimal(1)))
    else:
        items: list[Any] = getattr(state, part)
        items.append(items[0])
    longer = core_text(state)
    assert hasher.core_text(state) == longer
    again = full_state()
    assert hasher.core_text(again) == core_text(again) != longer


def test_another_index_is_seen() -> None:
    state = full_state()
    hasher = StateHasher()
    before = hasher.core_text(state)
    index = rich_index()
    state.index = IndexedInstruments(index.exchanges, index.assets, list(reversed(index.instruments)))
    assert hasher.core_text(state) == core_text(state) != before
    # An equal index is another object, and says the same.
    state.index = rich_index()
    assert hasher.core_text(state) == core_text(state) == before


def test_engine_and_replica_give_the_hash_of_their_state() -> None:
    followed = full_run()
    engine, replica = followed.engine, followed.replica
    for _ in range(2):
        assert engine.hash() == hash_state(engine.state)
        assert replica.hash() == hash_state(replica.state)
        engine.process(public_trade("7"), 30)


def test_known_fields_come_first_and_others_follow() -> None:
    assert field_names(InstrumentState)[: len(INSTRUMENT_FIELDS)] == INSTRUMENT_FIELDS
    assert field_names(InstrumentMarketData)[: len(DATA_FIELDS)] == DATA_FIELDS
    assert field_names(AssetState) == ("asset", "balance", "time_exchange_ns")


def test_other_fields_are_written_when_they_change() -> None:
    instrument = full_state().instruments[0]
    other = OtherText(InstrumentState, INSTRUMENT_FIELDS[:4])

    def whole() -> str:
        return "".join(canonical_text(getattr(instrument, name)) for name in field_names(InstrumentState)[4:])

    assert other.update(instrument)
    assert other.text == whole()
    assert not other.update(instrument)
    instrument.exits.count += 1
    instrument.apart.clear()
    assert other.update(instrument)
    assert other.text == whole()
    plain = OtherText(InstrumentMarketData, DATA_FIELDS[:1])
    assert plain.update(instrument.data)
    assert not plain.update(instrument.data)
    instrument.data.price_last = None
    assert plain.update(instrument.data)
    assert plain.text == "".join(canonical_text(getattr(instrument.data, n)) for n in InstrumentMarketData.FIELDS[1:])
