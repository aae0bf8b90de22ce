"""The decimal context, the strict parser and the one text form of numbers."""

from collections.abc import Iterator
from decimal import (
    ROUND_DOWN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    InvalidOperation,
    getcontext,
    localcontext,
    setcontext,
)

import pytest

from tradebus.core.model.number import (
    DECIMAL_MAX,
    DECIMAL_MIN,
    ENGINE_CONTEXT,
    NumberError,
    check_computed,
    check_decimal,
    context_is_intact,
    decimal_text,
    enter_engine_context,
    parse_decimal,
    restore_engine_context,
)

DIGITS_29 = "12345678901234567890123456789"


@pytest.fixture(autouse=True)
def own_context() -> Iterator[None]:
    """Leave the engine's context and the thread's as they were, whatever a test does to them."""
    before = getcontext()
    yield
    restore_engine_context()
    setcontext(before)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "+1",
        "1.50",
        "007",
        "0.00000001",
        "1e-8",
        "1E5",
        "1.5e+3",
        DIGITS_29,
        f"-0.{'0' * 27}1",
        "1e28",
        "1e-28",
    ],
)
def test_what_a_venue_writes_is_read_exactly(text: str) -> None:
    assert parse_decimal(text) == Decimal(text)
    assert str(parse_decimal(text)) == str(Decimal(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        " 1",
        "\t1",
        "1\n",
        "NaN",
        "nan",
        "sNaN",
        "NaN123",
        "Infinity",
        "-inf",
        "inf",
        "1_000",
        "1,5",
        ".",
        ".5",
        "1.",
        "-",
        "+",
        "--1",
        "+-1",
        "1e",
        "e5",
        "1e5.5",
        "1e+",
        "1e--5",
        "1e100",
        "1e29",
        "1e-29",
        "1e999999999",
        "0x10",
        "1f",
        "1d",
        "١٢٣",
        "１",  # noqa: RUF001 - a full-width digit
        "1٫5",  # noqa: RUF001 - an Arabic decimal point
        "−1",  # noqa: RUF001 - a minus sign that is none
        "1" * 30,
        "0." + "1" * 29,
        "1" * 65,
        "0" * 65,
        "1e١",  # noqa: RUF001 - an Arabic exponent
    ],
)
def test_anything_else_is_refused_and_named(text: str) -> None:
    with pytest.raises(NumberError, match=r"^expected "):
        parse_decimal(text)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(NumberError) as raised:
        parse_decimal("9" * 100_000)
    assert len(str(raised.value)) < 200


def test_exponent_with_a_fraction_of_digits_counts_all_digits() -> None:
    assert parse_decimal("1.2345e-4") == Decimal("0.00012345")
    with pytest.raises(NumberError, match="29"):
        parse_decimal(f"1.{'1' * 29}")


@pytest.mark.parametrize("value", [1, 1.5, "1", None, True])
def test_only_a_decimal_is_a_decimal(value: object) -> None:
    for check in (check_decimal, check_computed):
        with pytest.raises((NumberError, TypeError), match="ecimal"):
            check(value)  # type: ignore[arg-type]


class OtherDecimal(Decimal):
    """What comes back from a journal as its base, and so is none of ours."""


def test_a_subclass_of_decimal_is_refused() -> None:
    for check in (check_decimal, check_computed):
        with pytest.raises(NumberError, match="OtherDecimal"):
            check(OtherDecimal(1))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_numbers_are_finite(text: str) -> None:
    for check in (check_decimal, check_computed):
        with pytest.raises(NumberError, match="finite"):
            check(Decimal(text))


def test_a_computed_number_may_have_the_decimals_that_the_context_gives_it() -> None:
    with localcontext(ENGINE_CONTEXT):
        third = Decimal(1) / 3
    assert check_computed(third) is third
    with pytest.raises(NumberError, match="28 decimals"):
        check_decimal(third)


@pytest.mark.parametrize("text", ["1E+501", "1E-501", "1" * 101])
def test_a_computed_number_can_be_written_down(text: str) -> None:
    with pytest.raises(NumberError, match="at most 100 characters"):
        check_computed(Decimal(text))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("1E0", "1"),
        ("10E-1", "1"),
        ("100", "100"),
        ("1E2", "100"),
        ("1.230", "1.23"),
        ("0.10", "0.1"),
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("-0E-5", "0"),
        ("0E7", "0"),
        ("-1.50", "-1.5"),
        ("1E-8", "0.00000001"),
        ("79228162514264337593543950335", "79228162514264337593543950335"),
    ],
)
def test_equal_numbers_have_one_text(number: str, text: str) -> None:
    assert decimal_text(Decimal(number)) == text
    assert Decimal(text) == Decimal(number)


def test_the_largest_numbers_of_the_reference_are_exact() -> None:
    enter_engine_context()
    assert DECIMAL_MAX + 0 == DECIMAL_MAX
    assert DECIMAL_MAX - 1 + 1 == DECIMAL_MAX
    assert -DECIMAL_MIN == DECIMAL_MAX
    assert str(+DECIMAL_MAX) == "79228162514264337593543950335"


def test_rounding_is_half_even_at_29_digits() -> None:
    enter_engine_context()
    assert Decimal(DIGITS_29 + ".5") + 0 == Decimal(12345678901234567890123456790)
    assert Decimal("12345678901234567890123456788.5") + 0 == Decimal(12345678901234567890123456788)


def test_money_is_never_silently_wrong() -> None:
    enter_engine_context()
    with pytest.raises(FloatOperation):
        Decimal(1) < 1.5  # noqa: B015 - the comparison is what raises
    with pytest.raises(DivisionByZero):
        Decimal(1) / Decimal(0)
    with pytest.raises(InvalidOperation):
        Decimal(0) / Decimal(0)
    with pytest.raises(InvalidOperation):
        Decimal("NaN") > Decimal(1)  # noqa: B015 - the comparison is what raises


def test_entering_says_what_to_go_back_to() -> None:
    mine = Context(prec=5)
    setcontext(mine)
    assert enter_engine_context() is mine
    assert getcontext() is ENGINE_CONTEXT
    assert enter_engine_context() is ENGINE_CONTEXT


def change_precision() -> None:
    getcontext().prec = 6


def change_rounding() -> None:
    getcontext().rounding = ROUND_DOWN


def change_traps() -> None:
    getcontext().traps[FloatOperation] = False


def change_context() -> None:
    setcontext(Context(prec=29))


@pytest.mark.parametrize("change", [change_precision, change_rounding, change_traps, change_context])
def test_what_user_code_does_to_the_context_is_noticed_and_undone(change: object) -> None:
    enter_engine_context()
    assert context_is_intact()
    assert callable(change)
    change()
    assert not context_is_intact()
    restore_engine_context()
    assert context_is_intact()
    assert getcontext().traps[FloatOperation]
    assert Decimal(1) / 3 == Decimal("0." + "3" * 29)


@pytest.mark.parametrize(
    ("name", "value"),
    [("prec", 5), ("rounding", "ROUND_UP"), ("Emin", -10), ("Emax", 10), ("capitals", 0), ("clamp", 1)],
)
def test_whatever_is_set_in_the_context_is_noticed_and_undone(name: str, value: object) -> None:
    before = enter_engine_context()
    try:
        made = getattr(getcontext(), name)
        setattr(getcontext(), name, value)
        assert not context_is_intact()
        assert not context_is_intact()
        restore_engine_context()
        assert context_is_intact()
        assert getattr(getcontext(), name) == made
        setattr(getcontext(), name, value)
        setattr(getcontext(), name, made)
        assert context_is_intact()
    finally:
        restore_engine_context()
        setcontext(before)
