"""Batches are read in place as the generated code reads them: the same values, the same errors, for any bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.examples import scaled
from tests.support import values
from tests.support.builders import engine_started
from tradebus.core.engine.audit.tick import AuditTick, Halted
from tradebus.core.engine.event import ClockAdvanced
from tradebus.core.market.event import BookL1, Level, MarketEvent, PublicTrade
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN, ExchangeIndex, InstrumentIndex
from tradebus.core.model.side import Side
from tradebus.wire.codec import audit, market
from tradebus.wire.codec.bounds import UNBOUNDED, bounds_of
from tradebus.wire.codec.error import DecodeError

STARTED = engine_started()
BOUNDS = bounds_of(STARTED.index)


def event(number: int) -> MarketEvent:
    """Return one of the frequent events."""
    price = Decimal(number).scaleb(-2)
    data = (
        PublicTrade(str(number), price, Decimal("0.5"), Side.BUY)
        if number % 3
        else BookL1(Level(price, Decimal(1)), Level(price + 1, Decimal(2)))
    )
    return MarketEvent(number, number, ExchangeIndex(0), InstrumentIndex(number % 2), number, data)


FREQUENT = st.builds(event, st.integers(1, 1 << 40))
EVENTS = st.lists(st.one_of(FREQUENT, FREQUENT, values.market_events), min_size=1, max_size=3)


@contextmanager
def in_place(module: object, holds: bool) -> Iterator[None]:
    """Read batches in place, or as the generated code does."""
    before = module.COMPILED  # type: ignore[attr-defined]
    module.COMPILED = holds  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.COMPILED = before  # type: ignore[attr-defined]


def outcome(module: object, read: Callable[[], object], *, is_in_place: bool) -> object:
    """Return what was read, or what was wrong with it."""
    with in_place(module, is_in_place):
        try:
            return read()
        except DecodeError as error:
            return str(error)


def damaged(payload: bytes, data: st.DataObject) -> bytes:
    """Return the bytes with some of them changed, the end cut off, or something behind it."""
    changed = bytearray(payload)
    for _ in range(data.draw(st.integers(0, 2))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.integers(1, len(changed)))]) if data.draw(st.booleans()) else bytes(changed)
    return cut + data.draw(st.sampled_from([b"", b"", b"\x0a\x01x", b"\xfa\x07\x01x", b"\x28\x05"]))


@settings(max_examples=scaled(25), deadline=None)
@given(EVENTS, st.booleans(), st.data())
def test_batches_of_ticks_are_read_alike(events: list[MarketEvent], begins: bool, data: st.DataObject) -> None:
    ticks = [AuditTick(7 + i, 1 + i, each, (), ()) for i, each in enumerate(events)]
    if begins:
        ticks.insert(0, AuditTick(6, 1, STARTED, (), ()))
    head = audit.AuditBatchHead("demo", 1, ticks[0].sequence, ticks[-1].sequence, bytes(16), BOUNDS.fingerprint, 1)
    whole = audit.audit_batch_to_bytes(audit.AuditBatch(head, tuple(ticks)))
    for bounds in (UNBOUNDED, BOUNDS):
        for payload in (whole, damaged(whole, data)):
            _same(audit, lambda payload=payload, bounds=bounds: audit.audit_batch_from_bytes(payload, bounds))  # type: ignore[misc]


@settings(max_examples=scaled(25), deadline=None)
@given(EVENTS, st.data())
def test_batches_of_market_items_are_read_alike(events: list[MarketEvent], data: st.DataObject) -> None:
    head = market.MarketBatchHead("publisher", 1, "sim_alpha", 0, 1, BOUNDS.fingerprint)
    whole = market.market_batch_to_bytes(market.MarketBatch(head, tuple(events)))
    with in_place(market, holds=True):
        assert market.market_batch_to_bytes(market.MarketBatch(head, tuple(events))) == whole
    for bounds in (UNBOUNDED, BOUNDS):
        for payload in (whole, damaged(whole, data)):
            _same(market, lambda payload=payload, bounds=bounds: market.market_batch_from_bytes(payload, bounds))  # type: ignore[misc]


def test_a_damaged_beginning_is_named_alike() -> None:
    head = market.MarketBatchHead("publisher", 1, "sim_alpha", 0, 1, BOUNDS.fingerprint)
    items = market.market_batch_to_bytes(market.MarketBatch(head, (event(1),)))
    of_audit = audit.AuditBatchHead("demo", 1, 7, 7, bytes(16), BOUNDS.fingerprint, 1)
    ticks = audit.audit_batch_to_bytes(audit.AuditBatch(of_audit, (AuditTick(7, 1, event(1), (), ()),)))
    for changed in (0, 1, 0x7F, 0xFF):
        for at in range(8):
            one = items[:at] + bytes((changed,)) + items[at + 1 :]
            _same(market, lambda one=one: market.market_batch_from_bytes(one, BOUNDS))  # type: ignore[misc]
            two = ticks[:at] + bytes((changed,)) + ticks[at + 1 :]
            _same(audit, lambda two=two: audit.audit_batch_from_bytes(two, BOUNDS))  # type: ignore[misc]


def test_what_is_not_plain_is_told() -> None:
    halted = Halted(STRATEGY_UNKNOWN, "for a test")
    events = [STARTED, event(1), event(2), ClockAdvanced(), event(3), event(4)]
    outputs = [(), (), (halted,), (), (), ()]
    ticks = tuple(AuditTick(i, 1 + i, each, outputs[i], ()) for i, each in enumerate(events))
    head = audit.AuditBatchHead("demo", 1, 0, 5, bytes(16), BOUNDS.fingerprint, 1)
    whole = audit.audit_batch_to_bytes(audit.AuditBatch(head, ticks))
    for holds in (True, False):
        with in_place(audit, holds=holds):
            batch = audit.audit_batch_from_bytes(whole)
        assert (batch.ticks, batch.others, batch.bounds) == (ticks, (0, 2, 3), BOUNDS)


def _same(module: object, read: Callable[[], object]) -> None:
    one, other = outcome(module, read, is_in_place=True), outcome(module, read, is_in_place=False)
    assert one == other
    if isinstance(one, audit.AuditBatch) and isinstance(other, audit.AuditBatch):
        assert one.bounds == other.bounds
        assert one.others == other.others
    if isinstance(one, market.MarketBatch) and isinstance(other, market.MarketBatch):
        assert one.encoded == other.encoded
