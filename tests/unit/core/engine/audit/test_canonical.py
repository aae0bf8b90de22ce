"""The canonical text: equal values share one, different values never do."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from itertools import combinations

import pytest

from tests.support.builders import (
    book,
    fill,
    filled,
    level,
    open_request,
    opened,
    order_in,
    public_trade,
    usual_index,
)
from tradebus.core.engine.audit.canonical import NotCanonical, canonical_text
from tradebus.core.model.order import FULLY_FILLED, OPEN_IN_FLIGHT
from tradebus.core.model.side import Side

DIFFERENT: list[object] = [
    None,
    "",
    "~",
    "None",
    0,
    1,
    -1,
    10,
    True,
    False,
    "0",
    "1",
    Decimal(1),
    Decimal(0),
    Decimal("0.1"),
    Decimal("-0.1"),
    Decimal("1E+28"),
    Decimal("1E-28"),
    "d1;",
    "i1;",
    "t",
    b"",
    b"\x00",
    b"1",
    b"31",
    "b31;",
    [],
    [[]],
    [[], []],
    [None],
    [None, None],
    ["1", "23"],
    ["12", "3"],
    ["123"],
    ["1s2:23"],
    ["1", "2", "3"],
    [1, 23],
    [12, 3],
    [123],
    [Decimal(1), Decimal(23)],
    [Decimal(12), Decimal(3)],
    [Decimal("1.2"), Decimal(3)],
    [Decimal(1), Decimal("2.3")],
    [["1"], "2"],
    ["1", ["2"]],
    [["1", "2"]],
    {},
    [{}],
    {"": None},
    {"a": 1},
    {"a": "1"},
    {"a": None},
    {"a": {}},
    {"a": []},
    {"a": {"b": 1}},
    {"a": {"b": 1}, "c": 2},
    {"a": {"b": 1, "c": 2}},
    {"a1": 1},
    {"a": 11},
    {"a": 1, "b": 1},
    {"b": 1},
    ["a", 1],
    "a",
    "ä",
    "a\u0308",
    "a\x00",
    "a\n",
    " a",
    Side.BUY,
    Side.SELL,
    "BUY",
    "eBUY;",
    level(1, 2),
    level(2, 1),
    level(12, 0),
    OPEN_IN_FLIGHT,
    FULLY_FILLED,
    opened(1, 2, "3"),
    opened(12, 3, ""),
    order_in(),
    open_request(),
    public_trade(),
    book(),
    book(None, (101, 1)),
    book((101, 1), None),
    fill(),
    filled(fill()),
    "OpenInFlight()",
]


def test_different_values_never_share_a_text() -> None:
    for one, other in combinations(DIFFERENT, 2):
        assert canonical_text(one) != canonical_text(other), (one, other)


def test_no_text_is_the_beginning_of_another() -> None:
    # Texts are written one after the other without anything between them.
    texts = sorted(canonical_text(value) for value in DIFFERENT)
    for before, after in combinations(texts, 2):
        assert not after.startswith(before)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.0"), Decimal(1)),
        (Decimal("-0"), Decimal(0)),
        (Decimal("1E2"), Decimal(100)),
        ([1, 2], (1, 2)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (level("1.10", 2), level("1.1", "2.00")),
        (usual_index(), usual_index()),
        (b"a", b"a"),
    ],
)
def test_equal_values_share_a_text(one: object, other: object) -> None:
    assert canonical_text(one) == canonical_text(other)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "~"),
        ([True, False], "[tf]"),
        (-5, "i-5;"),
        (Decimal("1.50"), "d1.5;"),
        ("abc", "s3:abc"),
        ("ä€𝄞", "s3:ä€𝄞"),
        (b"\x01\xff", "b01ff;"),
        (Side.BUY, "eBUY;"),
        ({"b": 1, "a": None}, "{s1:a~s1:bi1;}"),
        (level(1, "2.50"), "Level(d1;d2.5;)"),
        (OPEN_IN_FLIGHT, "OpenInFlight()"),
    ],
)
def test_version_1_is_written_so(value: object, text: str) -> None:
    assert canonical_text(value) == text


class Colour(Enum):
    """Some enum."""

    RED = 1


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), {1, 2}, frozenset(), object(), 1j, bytearray(b""), range(3), Decimal, iter(())],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_place_in_a_state_is_refused_wherever_it_stands(value: object) -> None:
    places: list[object] = [value, [value], ("a", value), {"a": value}, {"a": [value]}]
    for place in places:
        with pytest.raises(NotCanonical, match=type(value).__name__):
            canonical_text(place)


@pytest.mark.parametrize("mapping", [{1: 2}, {None: 1}, {("a",): 1}, {Colour.RED: 1}])
def test_keys_are_texts(mapping: Mapping[object, object]) -> None:
    with pytest.raises(NotCanonical, match="expected text as key"):
        canonical_text(mapping)
