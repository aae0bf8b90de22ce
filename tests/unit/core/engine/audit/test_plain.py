"""What user data may hold."""

from collections import OrderedDict
from decimal import Decimal
from enum import IntEnum

import pytest

from tests.support.builders import level
from tradebus.core.engine.audit.plain import DEPTH_MAX, PlainError, check_plain, copy_plain, id_problem
from tradebus.core.model.number import NumberError


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


GOOD = [
    None,
    True,
    0,
    -(2**8000),
    2**8000,
    Decimal("1.5"),
    Decimal(1) / 3,
    "",
    "ä",
    b"\xff",
    [],
    (),
    {},
    nested(DEPTH_MAX),
]
BAD: list[object] = [
    1.5,
    {1},
    Number.ONE,
    Text("a"),
    OrderedDict(),
    level(1),
    nested(DEPTH_MAX + 1),
    2**8193,
    "\ud800",
    bytearray(),
]


@pytest.mark.parametrize("value", GOOD, ids=lambda value: type(value).__name__)
def test_plain_values_are_accepted_and_copied_equal(value: object) -> None:
    for each in (value, [value], (value,), {"a": value}) if not isinstance(value, list) or not value else (value,):
        check_plain(each, "x")
        copied = copy_plain(each)
        assert copied == each
        assert type(copied) is type(each)


@pytest.mark.parametrize("value", BAD, ids=lambda value: type(value).__name__)
def test_anything_else_is_refused_and_found(value: object) -> None:
    with pytest.raises(PlainError, match=r"^x\.a\[1\]"):
        check_plain({"a": [0, value]}, "x")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1E+999"])
def test_numbers_are_finite_and_can_be_written(text: str) -> None:
    with pytest.raises(NumberError):
        check_plain([Decimal(text)], "x")


@pytest.mark.parametrize("key", [1, None, b"a", Text("a"), "\ud800"])
def test_keys_are_texts(key: object) -> None:
    with pytest.raises(PlainError, match="text as key"):
        check_plain({key: 1}, "x")


def test_a_copy_shares_nothing_that_can_change() -> None:
    value: dict[str, object] = {"a": [1, {"b": []}], "c": ([2],)}
    copied = copy_plain(value)
    value["a"][1]["b"].append(1)  # type: ignore[index]
    value["c"][0].append(3)  # type: ignore[index]
    assert copied == {"a": [1, {"b": []}], "c": ([2],)}


@pytest.mark.parametrize("value", ["a", "ä", "x" * 256])
def test_ids_are_short_texts(value: str) -> None:
    assert id_problem("id", value) == ""


@pytest.mark.parametrize("value", ["", 1, None, "x" * 257, "\udfff", Text("a"), b"a"])
def test_other_ids_have_a_problem(value: object) -> None:
    assert id_problem("id", value).startswith("id: expected ")


def test_an_id_may_be_left_empty_where_one_is_derived() -> None:
    assert id_problem("id", "", may_be_empty=True) == ""
