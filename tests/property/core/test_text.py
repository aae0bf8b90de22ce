"""Numbers and canonical texts hold for any value."""

from decimal import Decimal, localcontext

from hypothesis import example, given
from hypothesis import strategies as st

from tests.property.core.histories import plain_values
from tests.property.examples import examples
from tests.support.values import audit_ticks, market_events, times_ns
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.market_text import market_tick_text
from tradebus.core.engine.audit.plain import check_plain, copy_plain
from tradebus.core.engine.audit.state_hash import digest_text
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.resumed import CodeChanged
from tradebus.core.market.event import BookL1, Level, MarketEvent, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.number import (
    ENGINE_CONTEXT,
    NumberError,
    check_computed,
    check_decimal,
    decimal_text,
    parse_decimal,
)
from tradebus.core.model.record import Record, field_values
from tradebus.core.model.side import Side

numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(int(digit) for digit in str(digits)), exponent)),
    st.integers(0, 1),
    st.integers(0, 10**29 - 1),
    st.integers(-28, 0),
)


@examples(300)
@given(numbers)
def test_text_of_a_number_is_read_back_and_is_one_for_all_its_forms(number: Decimal) -> None:
    text = decimal_text(number)
    assert parse_decimal(text) == number
    assert decimal_text(parse_decimal(text)) == text
    for other in (number.normalize(ENGINE_CONTEXT), number.scaleb(3, ENGINE_CONTEXT).scaleb(-3, ENGINE_CONTEXT)):
        assert decimal_text(other) == text


@examples(300)
@given(numbers, numbers)
def test_texts_of_numbers_are_equal_exactly_when_the_numbers_are(one: Decimal, other: Decimal) -> None:
    assert (decimal_text(one) == decimal_text(other)) is (one == other)


@examples(500)
@given(st.text(alphabet=st.sampled_from("0123456789.eE+-_ NaIinfty٣"), max_size=12))
def test_whatever_the_parser_takes_is_a_number_that_may_be_used(text: str) -> None:
    try:
        number = parse_decimal(text)
    except NumberError:
        return
    assert check_decimal(number) == Decimal(text)
    assert text.isascii()
    assert "_" not in text
    assert text == text.strip()


@examples(300)
@given(numbers, numbers, st.sampled_from("+-*/"))
def test_what_arithmetic_gives_can_be_written_down(one: Decimal, other: Decimal, operation: str) -> None:
    with localcontext(ENGINE_CONTEXT):
        if operation == "/" and not other:
            return
        result = {
            "+": lambda: one + other,
            "-": lambda: one - other,
            "*": lambda: one * other,
            "/": lambda: one / other,
        }[operation]()
    assert check_computed(result) is result
    assert Decimal(decimal_text(result)) == result


def same(one: object, other: object) -> bool:
    """Tell whether two plain values are the same to a hash: lists are tuples, and a bool is no number."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return type(one) is type(other) and one == other


@examples(300)
@given(plain_values, plain_values)
def test_texts_of_values_are_equal_exactly_when_the_values_are(one: object, other: object) -> None:
    assert (canonical_text(one) == canonical_text(other)) is same(one, other)


@examples(100)
@given(st.lists(plain_values, max_size=4), st.lists(plain_values, max_size=4))
def test_values_written_one_after_the_other_stay_apart(some: list[object], others: list[object]) -> None:
    texts = ["".join(canonical_text(value) for value in values) for values in (some, others)]
    assert (texts[0] == texts[1]) is same(some, others)


@examples(200)
@given(plain_values)
def test_plain_values_are_accepted_and_copies_are_equal(value: object) -> None:
    check_plain(value, "value")
    assert same(copy_plain(value), value)


@examples(60)
@given(audit_ticks, audit_ticks)
def test_every_tick_has_a_text_and_equal_ones_the_same(one: AuditTick, other: AuditTick) -> None:
    assert (canonical_text(one) == canonical_text(other)) is (one == other)
    rebuilt = _rebuilt(one)
    assert rebuilt == one
    assert canonical_text(rebuilt) == canonical_text(one)


def _rebuilt(value: object) -> object:
    """Return an equal record made anew, part by part."""
    if isinstance(value, Record) and type(value).__name__ != "IndexedInstruments":
        return type(value)(*[_rebuilt(part) for part in field_values(value)])
    if isinstance(value, tuple):
        return tuple(_rebuilt(part) for part in value)
    return value


@examples(300)
@given(market_events, st.integers(0, 2**62), times_ns)
@example(
    MarketEvent(1, 2, ExchangeIndex(0), InstrumentIndex(3), 0, BookL1(None, Level(Decimal("1.50"), Decimal(0)))), 0, 1
)
@example(
    MarketEvent(
        1, 2, ExchangeIndex(9), InstrumentIndex(0), 7, PublicTrade("x", Decimal("1E-9"), Decimal(3), Side.SELL)
    ),
    8,
    9,
)
def test_the_text_that_is_spelled_out_is_the_canonical_one(event: MarketEvent, sequence: int, time_ns: int) -> None:
    tick = AuditTick(sequence, time_ns, event, (), ())
    spelled = market_tick_text(tick, event)
    assert spelled == (canonical_text(tick) if isinstance(event.data, (BookL1, PublicTrade)) else None)


@given(audit_ticks)
def test_only_ticks_that_decide_nothing_are_spelled_out(tick: AuditTick) -> None:
    if isinstance(tick.event, MarketEvent) and (tick.outputs or tick.errors):
        assert market_tick_text(tick, tick.event) is None
    assert digest_text(tick) == canonical_text(tick) or isinstance(tick.event, (EngineStarted, CodeChanged))
