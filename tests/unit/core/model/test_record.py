"""Equality, hash and text of records; and that every record lists all it holds."""

import ast
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import tradebus.core
from tests.support.builders import book, fill, level, open_request, order_in, public_trade
from tradebus.core.model.order import FULLY_FILLED, FullyFilled, OpenInFlight
from tradebus.core.model.record import Record, field_names, field_values
from tradebus.core.model.side import Side


def record_classes() -> list[type[Record]]:
    """Return every record class of the core."""
    for module in pkgutil.walk_packages(tradebus.core.__path__, "tradebus.core."):
        import_module(module.name)
    found: list[type[Record]] = []
    waiting = [Record]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            if kind.__module__.startswith("tradebus.core"):
                found.append(kind)
                waiting.append(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


RECORDS = record_classes()


def test_all_kinds_of_records_were_found() -> None:
    names = {kind.__name__ for kind in RECORDS}
    assert {"EngineState", "AuditTick", "MarketEvent", "Order", "Position", "StateHash", "TopOfBook"} <= names


def test_names_of_records_are_unique() -> None:
    # The canonical text of a record begins with its class's name.
    names = [kind.__name__ for kind in RECORDS]
    assert len(set(names)) == len(names)


def constructor_arguments(kind: type[Record]) -> tuple[str, ...]:
    """Return the arguments of a class's constructor, read from the source: a compiled one does not tell them."""
    (folder,) = tradebus.core.__path__
    source = Path(folder, *kind.__module__.split(".")[2:]).with_suffix(".py").read_text(encoding="utf-8")
    found = next(
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )
    for node in found.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return tuple(argument.arg for argument in node.args.args[1:])
    return ()


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_fields_are_the_arguments_of_the_constructor(kind: type[Record]) -> None:
    # What a constructor does not take, it sets to nothing yet: a resting order is not filled when it is made.
    made_later = {"RestingOrder": ("filled", "queue_ahead")}.get(kind.__name__, ())
    assert field_names(kind) == constructor_arguments(kind) + made_later


def test_records_are_equal_by_class_and_fields() -> None:
    assert level(1, 2) == level(1, 2)
    assert level("1.0", 2) == level(1, 2)
    assert level(1, 2) != level(2, 1)
    assert public_trade() == public_trade()
    assert public_trade() != public_trade(side=Side.SELL)
    assert public_trade() != book()
    assert FullyFilled() == FULLY_FILLED
    assert OpenInFlight() != FullyFilled()
    assert level(1, 2) != (1, 2)


def test_equal_records_have_equal_hashes() -> None:
    pairs: list[tuple[Any, Any]] = [
        (level("1.0"), level(1)),
        (fill("t1"), fill("t1")),
        (open_request(), open_request()),
    ]
    for one, other in pairs:
        assert hash(one) == hash(other)
        assert len({one, other}) == 1


def test_a_record_shows_the_call_that_makes_it() -> None:
    assert repr(level(1, 2)) == "Level(price=Decimal('1'), amount=Decimal('2'))"
    assert repr(FULLY_FILLED) == "FullyFilled()"
    assert field_values(level(1, 2)) == (1, 2)


def test_a_changed_order_is_another_order() -> None:
    order = order_in()
    moved = order.with_state(FULLY_FILLED)
    assert order.state == OpenInFlight()
    assert moved.state == FULLY_FILLED
    assert [name for name in field_names(type(order)) if getattr(order, name) != getattr(moved, name)] == ["state"]
