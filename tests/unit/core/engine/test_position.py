"""Positions from fills: the arithmetic beside the reference's vectors."""

from decimal import Decimal

import pytest

from tests.support.builders import ETH, fill
from tradebus.core.engine.state.position import Position, next_position, pnl_return, signed_quantity
from tradebus.core.model.account import Trade
from tradebus.core.model.number import ZERO
from tradebus.core.model.side import Side


def after(*trades: Trade) -> Position | None:
    position: Position | None = None
    for trade in trades:
        position, _ = next_position(position, trade)
    return position


def buy(quantity: str, price: str = "100", fees: str = "0", trade_id: str = "t") -> Trade:
    return fill(trade_id, Side.BUY, price, quantity, fees)


def sell(quantity: str, price: str = "100", fees: str = "0", trade_id: str = "t") -> Trade:
    return fill(trade_id, Side.SELL, price, quantity, fees)


def numbers(*values: int) -> tuple[Decimal, ...]:
    return tuple(Decimal(value) for value in values)


def test_flat_long_and_short_have_a_sign() -> None:
    assert signed_quantity(None) == 0
    assert signed_quantity(after(buy("2"))) == 2
    assert signed_quantity(after(sell("2"))) == -2
    assert signed_quantity(after(buy("2"), sell("5"))) == -3


def test_a_position_is_never_changed_only_replaced() -> None:
    first = after(buy("1"))
    assert first is not None
    second, _ = next_position(first, buy("1", "200"))
    assert first.quantity_abs == 1
    assert second is not None
    assert second.quantity_abs == 2


def test_a_flip_splits_fees_by_quantity_and_enters_with_the_same_fill() -> None:
    position, exited = next_position(after(buy("1", "100", "10", "t1")), sell("4", "150", "8", "t2"))
    assert exited is not None
    assert position is not None
    assert (exited.fees_enter, exited.fees_exit, exited.pnl_realised) == numbers(10, 2, 38)
    assert position.side is Side.SELL
    assert (position.quantity_abs, position.fees_enter, position.pnl_realised) == numbers(3, 6, -6)
    assert (exited.trade_count, position.trade_count) == (2, 1)
    assert position.trade_digest == after(sell("1", trade_id="t2")).trade_digest  # type: ignore[union-attr]


def test_digest_tells_ids_order_and_number_of_fills() -> None:
    histories = [("a",), ("b",), ("a", "b"), ("b", "a"), ("a", "a"), ("ab",), ("a", "a", "a")]
    digests = {after(*(buy("1", trade_id=trade_id) for trade_id in ids)).trade_digest for ids in histories}  # type: ignore[union-attr]
    assert len(digests) == len(histories)


def test_a_fill_of_another_instrument_is_our_mistake_and_changes_nothing() -> None:
    with pytest.raises(ValueError, match="expected a fill of instrument 0, found 1"):
        next_position(after(buy("1")), fill(instrument=ETH))


def test_return_on_what_was_entered_for_nothing_is_0() -> None:
    assert pnl_return(Decimal(5), Decimal(0), Decimal(1)) == ZERO
    assert pnl_return(Decimal(5), Decimal(10), Decimal(2)) == Decimal("0.25")


def test_rebates_are_negative_fees() -> None:
    position = after(buy("1", "100", "-1"), buy("1", "100", "-1"))
    assert position is not None
    assert (position.pnl_realised, position.fees_enter, position.pnl_unrealised(Decimal(100))) == numbers(2, -2, 2)
