"""Positions and the order machine hold for any fills and any causes."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.support.builders import fill, opened, order_error, order_in
from tradebus.core.engine.state.orders import (
    Orders,
    doubt_all,
    record_cancel,
    record_open,
    update_from_cancel_answer,
    update_from_doubt,
    update_from_fill,
    update_from_never_received,
    update_from_snapshot,
)
from tradebus.core.engine.state.position import Position, next_position, signed_quantity
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import ClientOrderId, OrderId
from tradebus.core.model.order import (
    EXPIRED,
    FULLY_FILLED,
    OPEN_IN_FLIGHT,
    OPEN_UNKNOWN,
    CancelInFlight,
    Cancelled,
    CancelUnknown,
    Open,
    OpenFailed,
    Order,
    OrderErrorKind,
    OrderRequestCancel,
    OrderRequestOpen,
    OrderState,
    RequestKind,
    is_active,
    open_part,
)
from tradebus.core.model.order_machine import Cause, next_order, snapshot_cause, tracked_state
from tradebus.core.model.side import Side

sides = st.sampled_from(list(Side))
cents = st.integers(0, 10**7).map(lambda value: Decimal(value) / 100)
lots = st.integers(1, 10**6).map(lambda value: Decimal(value) / 1000)
fee_cents = st.integers(-1000, 1000).map(lambda value: Decimal(value) / 100)
fills = st.builds(
    lambda number, side, price, quantity, fees: fill(str(number), side, price, quantity, fees, time_ns=number),
    st.integers(0, 10**6),
    sides,
    cents,
    lots,
    fee_cents,
)


def cash_of(trade: Trade) -> Decimal:
    """Return what a fill moves of the quote asset."""
    value = trade.price * trade.quantity
    return (-value if trade.side is Side.BUY else value) - trade.fees


@examples(200)
@given(st.lists(fills, min_size=1, max_size=40))
def test_fills_add_up(trades: Sequence[Trade]) -> None:
    position: Position | None = None
    realised = Decimal(0)
    counted = 0
    for trade in trades:
        position, exited = next_position(position, trade)
        if exited is not None:
            realised += exited.pnl_realised
            counted += exited.trade_count
            assert exited.quantity_abs_max >= 0
    held = sum((trade.quantity if trade.side is Side.BUY else -trade.quantity for trade in trades), Decimal(0))
    assert signed_quantity(position) == held
    # What was paid and got, plus what is held at its average price, is the realised profit.
    cash = sum((cash_of(trade) for trade in trades), Decimal(0))
    at_cost = Decimal(0) if position is None else signed_quantity(position) * position.price_entry_average
    total = realised + (Decimal(0) if position is None else position.pnl_realised)
    assert abs(cash + at_cost - total) < Decimal("1e-12")
    flips = counted + (0 if position is None else position.trade_count) - len(trades)
    assert flips >= 0, "a flip counts in the position it closes and in the one it opens"


@examples(100)
@given(st.lists(fills, min_size=1, max_size=20))
def test_a_position_is_never_empty_and_its_largest_size_never_shrinks(trades: Sequence[Trade]) -> None:
    position: Position | None = None
    for trade in trades:
        before = position
        position, exited = next_position(position, trade)
        if position is None:
            assert exited is not None
            continue
        assert 0 < position.quantity_abs <= position.quantity_abs_max
        assert position.time_exchange_update_ns == trade.time_exchange_ns
        assert position.price_last == trade.price
        if before is not None and exited is None:
            assert position.side is before.side
            assert position.quantity_abs_max >= before.quantity_abs_max
            assert position.time_enter_ns == before.time_enter_ns
            assert position.trade_count == before.trade_count + 1
            low, high = sorted((before.price_entry_average, trade.price))
            assert low - Decimal("1e-20") <= position.price_entry_average <= high + Decimal("1e-20") or (
                position.price_entry_average == before.price_entry_average
            )


@examples(100)
@given(st.lists(fills, min_size=1, max_size=10), cents)
def test_open_profit_is_what_closing_at_the_mark_would_add_but_for_its_fees(
    trades: Sequence[Trade], mark: Decimal
) -> None:
    position: Position | None = None
    for trade in trades:
        position, _ = next_position(position, trade)
    if position is None:
        return
    closing = fill("close", position.side.opposite, mark, position.quantity_abs)
    _, exited = next_position(position, closing)
    assert exited is not None
    exit_fees = position.quantity_abs / position.quantity_abs_max * position.fees_enter
    expected = exited.pnl_realised - position.pnl_realised - exit_fees
    assert abs(position.pnl_unrealised(mark) - expected) < Decimal("1e-12")


open_parts = st.builds(
    lambda time, filled, name: opened(time, Decimal(filled) / 2, str(name)),
    st.integers(0, 6),
    st.integers(0, 4),
    st.integers(0, 2),
)
states: st.SearchStrategy[OrderState] = st.one_of(
    st.just(OPEN_IN_FLIGHT),
    open_parts,
    st.builds(CancelInFlight, st.one_of(st.none(), open_parts)),
    st.just(OPEN_UNKNOWN),
    st.builds(CancelUnknown, st.one_of(st.none(), open_parts)),
    st.sampled_from((FULLY_FILLED, EXPIRED, OpenFailed(order_error()), Cancelled(OrderId("1"), 3))),
    st.just(OpenFailed(order_error(OrderErrorKind.TIMEOUT))),
)
happenings = st.tuples(
    st.sampled_from(
        (
            *("open", "cancel", "snapshot", "accepted", "refused", "timeout"),
            *("open doubt", "cancel doubt", "never", "link", "fill", "fill"),
        )
    ),
    st.sampled_from(("x", "y")),
    states,
    st.integers(1, 2),
)


def happen(orders: Orders, happening: tuple[str, str, OrderState, int]) -> None:
    kind, cid, state, quantity = happening
    order = order_in(state, cid, quantity=quantity)
    if kind == "open":
        fields = [getattr(order, name) for name in OrderRequestOpen.FIELDS]
        record_open(orders, OrderRequestOpen(*fields))
    elif kind == "cancel":
        record_cancel(orders, OrderRequestCancel(order.key, None))
    elif kind == "snapshot":
        update_from_snapshot(orders, order)
    elif kind == "never":
        update_from_never_received(orders, order.key.cid, RequestKind.OPEN)
    elif kind.endswith("doubt"):
        asked = RequestKind.OPEN if kind.startswith("open") else RequestKind.CANCEL
        update_from_doubt(orders, order.key.cid, asked)
    elif kind == "link":
        doubt_all(orders)
    elif kind == "fill":
        update_from_fill(orders, fill(quantity=Decimal(quantity) / 4, cid=cid))
    else:
        errors = {"accepted": None, "refused": order_error(), "timeout": order_error(OrderErrorKind.SOCKET)}
        update_from_cancel_answer(orders, order.key.cid, errors[kind])


def newest(order: Order | None) -> int:
    part: Open | None = None if order is None else open_part(order.state)
    return -1 if part is None else part.time_exchange_ns


@examples(300)
@given(st.lists(happenings, max_size=25))
def test_whatever_happens_only_active_orders_are_tracked_and_never_made_older(
    history: Sequence[tuple[str, str, OrderState, int]],
) -> None:
    orders: Orders = {}
    for happening in history:
        kind, cid, state, _ = happening
        before = dict(orders)
        happen(orders, happening)
        for name, order in orders.items():
            assert order.key.cid == name
            assert is_active(order.state)
            earlier = before.get(name)
            if earlier is not None:
                assert newest(order) >= newest(earlier)
                asked = order.with_state(earlier.state).with_fill(earlier.quantity_traded - order.quantity_traded)
                assert asked == earlier, "what was asked for stays"
                assert order.quantity_traded >= earlier.quantity_traded
            part = open_part(order.state)
            filled = order.quantity_traded if part is None else part.filled_quantity
            assert order.quantity_traded <= filled, "what is filled is never less than its fills"
            assert order.quantity_traded < order.quantity, "full by its fills, it leaves"
        untouched = {name: order for name, order in before.items() if name != cid}
        assert kind == "link" or {name: order for name, order in orders.items() if name != cid} == untouched
        gone = set(before) - set(orders)
        if gone:
            assert gone == {cid}
            ends = {"accepted", "snapshot", "never", "fill"}
            assert kind in ends, "only what the venue said, or never heard of, ends"
            assert kind != "snapshot" or not is_active(state) or open_part(state) is not None
            assert kind != "snapshot" or not isinstance(state, OpenFailed) or not state.error.kind.is_connectivity
            assert kind != "never" or open_part(before[ClientOrderId(cid)].state) is None


@examples(200)
@given(st.one_of(st.none(), states.filter(is_active)), states, st.sampled_from(list(Cause)))
def test_the_machine_answers_every_cause_with_an_active_order_or_none(
    tracked: OrderState | None, state: OrderState, cause: Cause
) -> None:
    before = None if tracked is None else order_in(tracked)
    incoming = order_in(state)
    if cause.name.startswith("SNAPSHOT"):
        cause = snapshot_cause(incoming)
    elif cause is Cause.REQUEST_OPEN:
        incoming = order_in(OPEN_IN_FLIGHT)
    after = next_order(
        before, cause, incoming if cause.name.startswith("SNAPSHOT") or cause is Cause.REQUEST_OPEN else None
    )
    assert after is None or is_active(after.state)
    tracked_state(after)
    assert ClientOrderId("c1") == incoming.key.cid
