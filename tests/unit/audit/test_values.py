"""Single values look the same everywhere: exact decimals, times to the nanosecond."""

from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from services.audit.api.views.values import DecimalText, SideName, Time, TimeOrNever, time_text
from tradebus.core.model.side import Side


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (1_790_000_000_123_456_789, "2026-09-21T14:13:20.123456789Z"),
        (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000000000Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
        (-(2**63), "1677-09-21T00:12:43.145224192Z"),
    ],
)
def test_times_are_rfc_3339_with_nanoseconds(time_ns: int, text: str) -> None:
    assert time_text(time_ns) == text
    assert TypeAdapter(Time).validate_python(time_ns) == text
    assert TypeAdapter(Time).validate_python(text) == text


def test_never_is_null() -> None:
    assert TypeAdapter(TimeOrNever).validate_python(0) is None
    assert TypeAdapter(TimeOrNever).validate_python(None) is None
    assert TypeAdapter(TimeOrNever).validate_python(1) == "1970-01-01T00:00:00.000000001Z"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.500", "1.5"),
        ("-0", "0"),
        ("1E+3", "1000"),
        ("1E-9", "0.000000001"),
        ("60451.518317191283292978208232", "60451.518317191283292978208232"),
    ],
)
def test_decimals_are_plain_text(value: str, text: str) -> None:
    assert TypeAdapter(DecimalText).validate_python(Decimal(value)) == text


def test_floats_are_no_decimals() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(DecimalText).validate_python(1.5)


def test_enums_are_lower_case_and_nothing_else() -> None:
    adapter = TypeAdapter(SideName)
    assert adapter.validate_python(Side.BUY) == adapter.validate_python("buy") == "buy"
    with pytest.raises(ValidationError):
        adapter.validate_python("BUY")
