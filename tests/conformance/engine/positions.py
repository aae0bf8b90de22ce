"""Run the vectors of positions: fills in order, and each formula by itself."""

from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import pytest

from tests.conformance.engine import reading
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tests.support.builders import fill
from tradebus.core.engine.state.position import (
    Position,
    PositionExited,
    approximate_exit_fees,
    next_position,
    pnl_realised,
    pnl_return,
    pnl_unrealised,
    price_entry_average,
)
from tradebus.core.model.account import Trade

EXIT_FIELDS = ("price_entry_average", "quantity_abs_max", "pnl_realised", "fees_enter", "fees_exit")


def trades_digest(trades: Sequence[str]) -> str:
    """Return the digest over the ids of fills that a position keeps in place of them."""
    digest = ""
    for trade in trades:
        digest = blake2b(f"{digest}\n{trade}".encode(), digest_size=16).hexdigest()
    return digest


def open_profit(position: dict[str, Any], price: Decimal) -> Decimal:
    """Return the unrealised PnL of a position of the vectors at a price, by the formula of the specification."""
    quantity, entry = Decimal(position["quantity_abs"]), Decimal(position["price_entry_average"])
    sign = 1 if position["side"] == "buy" else -1
    exit_fees = quantity / Decimal(position["quantity_abs_max"]) * Decimal(position["fees_enter"])
    return sign * (quantity * price - quantity * entry) - exit_fees


def check_position(
    check: Check, what: str, ours: Position | None, expected: dict[str, Any] | None, price: Decimal | None
) -> None:
    """Compare a position; its open profit is taken at ``price``, or at that of its last fill."""
    if ours is None or expected is None:
        check.equal(what, ours, expected)
        return
    check.equal(f"{what}.side", str(ours.side), expected["side"])
    for name in (*EXIT_FIELDS, "quantity_abs"):
        check.equal(f"{what}.{name}", getattr(ours, name), expected[name])
    check.equal(f"{what}.time_enter", ours.time_enter_ns, reading.time_ns(expected["time_enter"]))
    updated = reading.time_ns(expected["time_exchange_update"])
    check.equal(f"{what}.time_exchange_update", ours.time_exchange_update_ns, updated)
    check_trades(check, what, ours, expected["trades"])
    mark = ours.price_last if price is None else price
    found = ours.pnl_unrealised(mark)
    check.equal_or(
        "pnl-unrealised-derived",
        f"{what}.pnl_unrealised",
        found,
        expected["pnl_unrealised"],
        open_profit(expected, mark),
    )


def check_exit(check: Check, what: str, ours: PositionExited | None, expected: dict[str, Any] | None) -> None:
    """Compare a closed position."""
    if ours is None or expected is None:
        check.equal(what, ours, expected)
        return
    check.equal(f"{what}.side", str(ours.side), expected["side"])
    for name in EXIT_FIELDS:
        check.equal(f"{what}.{name}", getattr(ours, name), expected[name])
    check.equal(f"{what}.time_enter", ours.time_enter_ns, reading.time_ns(expected["time_enter"]))
    check.equal(f"{what}.time_exit", ours.time_exit_ns, reading.time_ns(expected["time_exit"]))
    check_trades(check, what, ours, expected["trades"])


def check_trades(check: Check, what: str, ours: Position | PositionExited, trades: Sequence[str]) -> None:
    """Compare the fills of a position: how many, and the digest of their ids."""
    found = (ours.trade_count, ours.trade_digest)
    check.differs("trades-counted", f"{what}.trades", found, (len(trades), trades_digest(trades)))


def _fill(written: dict[str, Any], instruments: dict[str, int]) -> Trade:
    return fill(
        written["id"],
        reading.side(written["side"]),
        written["price"],
        written["quantity"],
        written["fees"],
        instrument=instruments.setdefault(written["instrument"], len(instruments)),
        time_ns=reading.time_ns(written["time"]),
    )


def run_update_from_trades(case: Case, check: Check) -> None:
    """Give fills to a position, one after the other."""
    position: Position | None = None
    instruments: dict[str, int] = {}
    for i, step in enumerate(case.data["steps"]):
        trade = _fill(step["trade"], instruments)
        if position is not None and position.instrument != trade.instrument:
            with pytest.raises(ValueError, match="expected a fill of instrument") as raised:
                next_position(position, trade)
            check.differs("foreign-fill-raises", f"steps[{i}]", raised.type, ValueError)
            exited = None
        else:
            position, exited = next_position(position, trade)
        check_position(check, f"steps[{i}].position", position, step["expected_position"], None)
        check_exit(check, f"steps[{i}].exited", exited, step["expected_exited"])


def _numbers(case: Case) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in case.data["input"].items() if name != "side"}


def run_price_entry_average(case: Case, check: Check) -> None:
    """Average an entry."""
    given = _numbers(case)
    names = ("current_price", "current_quantity", "trade_price", "trade_quantity")
    check.equal("average", price_entry_average(*(given[name] for name in names)), case.data["expected"])


def run_pnl_unrealised(case: Case, check: Check) -> None:
    """Value an open position."""
    given = _numbers(case)
    names = ("price_entry_average", "quantity_abs", "quantity_abs_max", "fees_enter", "price")
    profit = pnl_unrealised(reading.side(case.data["input"]["side"]), *(given[name] for name in names))
    check.equal("pnl_unrealised", profit, case.data["expected"])


def run_approximate_exit_fees(case: Case, check: Check) -> None:
    """Guess what closing costs."""
    given = _numbers(case)
    names = ("quantity_abs", "quantity_abs_max", "fees_enter")
    check.equal("fees", approximate_exit_fees(*(given[name] for name in names)), case.data["expected"])


def run_pnl_realised(case: Case, check: Check) -> None:
    """Close a part of a position."""
    given = _numbers(case)
    names = ("price_entry_average", "closed_quantity", "closed_price", "closed_fee")
    profit = pnl_realised(reading.side(case.data["input"]["side"]), *(given[name] for name in names))
    check.equal("pnl_realised", profit, case.data["expected"])


def run_pnl_return(case: Case, check: Check) -> None:
    """Relate a profit to what was invested."""
    given = _numbers(case)
    names = ("pnl_realised", "price_entry_average", "quantity_abs_max")
    check.equal("pnl_return", pnl_return(*(given[name] for name in names)), case.data["expected"])


def run_mark_to_market(case: Case, check: Check) -> None:
    """Value an open position at a market price; nothing else changes, because a position cannot be changed."""
    given = _numbers(case)
    expected = case.data["expected"]
    position = Position(
        fill().instrument,
        reading.side(case.data["input"]["side"]),
        given["price_entry_average"],
        given["quantity_abs"],
        given["quantity_abs_max"],
        given["price_entry_average"],
        Decimal(7),
        given["fees_enter"],
        Decimal(0),
        1,
        2,
        1,
        "",
        Decimal(0),
    )
    check.equal("pnl_unrealised", position.pnl_unrealised(given["market_price"]), expected["pnl_unrealised"])
    for name, before in (("time_exchange_update", 2), ("pnl_realised", Decimal(7))):
        if name in expected:
            check.equal(name, "unchanged", expected[name])
            attribute = "time_exchange_update_ns" if name == "time_exchange_update" else name
            check.equal(name, getattr(position, attribute), before)


FILE = "engine/positions.json"
RUNNERS = {
    (FILE, "update_from_trades"): run_update_from_trades,
    (FILE, "price_entry_average"): run_price_entry_average,
    (FILE, "pnl_unrealised"): run_pnl_unrealised,
    (FILE, "approximate_exit_fees"): run_approximate_exit_fees,
    (FILE, "pnl_realised"): run_pnl_realised,
    (FILE, "pnl_return"): run_pnl_return,
    (FILE, "mark_to_market"): run_mark_to_market,
}
