"""Run the vectors of orders' states and small models."""

from decimal import Decimal
from typing import Any

from tests.conformance.engine import reading
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tests.support.builders import fill
from tradebus.core.execution.named import NO_FEES
from tradebus.core.execution.times import snapshot_time_exchange_ns
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Balance
from tradebus.core.model.identifiers import (
    STRATEGY_UNKNOWN,
    AssetIndex,
    ClientOrderId,
    ExchangeIndex,
    InstrumentIndex,
    StrategyId,
    client_order_id,
)
from tradebus.core.model.order import (
    Order,
    OrderKey,
    OrderRequestOpen,
    cancel_request,
    is_active,
    open_part,
    order_from_request,
    state_time_exchange_ns,
)
from tradebus.core.model.side import Side
from tradebus.wire.tagged import order as tagged

MS = 1_000_000


def run_order_states(case: Case, check: Check) -> None:
    """Ask a state for its time, its venue's id and a cancel request."""
    state = reading.order_state(case.data["state"])
    expected = case.data["expected"]
    time = state_time_exchange_ns(state)
    check.equal("time_exchange_ms", None if time is None else time // MS, expected["time_exchange_ms"])
    part = open_part(state)
    check.equal("open_meta_id", None if part is None else part.id, expected["open_meta_id"])
    if "request_cancel" in expected:
        key = fill_key()
        kind, until = reading.order_kind("limit"), reading.time_in_force("good_until_cancelled")
        request = cancel_request(Order(key, Side.BUY, Decimal(1), Decimal(1), kind, until, state))
        check.equal("request_cancel", None if request is None else {"id": request.id}, expected["request_cancel"])
    else:
        check.equal("active", is_active(state), expected=False)


def fill_key() -> OrderKey:
    """Return some key."""
    return OrderKey(ExchangeIndex(0), InstrumentIndex(0), StrategyId("s"), ClientOrderId("c"))


def _request(written: dict[str, Any], instrument: int = 0) -> OrderRequestOpen:
    key = {**written["key"], "exchange": 0, "instrument": instrument}
    return reading.open_request({**written, "key": key})


def run_models(case: Case, check: Check) -> None:
    """Try the small operations of the models."""
    operation, given, expected = case.data["op"], case.data["input"], case.data["expected"]
    if operation == "open_quantity_remaining":
        order = {
            "key": {"exchange": 0, "instrument": 0, "strategy": "s", "cid": "c"},
            "side": "buy",
            "price": "1",
            "quantity": given["quantity"],
            "kind": "limit",
            "time_in_force": "good_until_cancelled",
            "state": {"active": {"open": {"id": "1", "time_exchange_ms": 0, **given}}},
        }
        check.equal("remaining", reading.order(order).quantity_remaining(), expected)
    elif operation == "trade_value_quote":
        trade = fill(price=given["price"], quantity=given["quantity"])
        check.equal("value", trade.value_quote, expected)
    elif operation == "strategy_id_unknown":
        check.equal("id", STRATEGY_UNKNOWN, expected)
    elif operation == "client_order_id_random":
        first, second = (client_order_id("demo", 1, 7, ordinal) for ordinal in (0, 1))
        check.differs("derived-ids", "id", (first, second), ("demoe1s7n0", "demoe1s7n1"))
        check.equal("alphabet", set(first) <= set(expected["alphabet"]), expected=True)
    elif operation in {"display_order_kind", "json_order_kind"}:
        check.equal("display", tagged.order_kind_json(tagged.order_kind(given)), expected)
    elif operation == "json_time_in_force":
        written = {given["kind"]: {"post_only": given["post_only"]}} if "post_only" in given else given["kind"]
        found = tagged.time_in_force(written)
        check.equal("read", found, reading.time_in_force(written))
        check.equal("written", tagged.time_in_force_json(found), expected)
    elif operation == "balance_used":
        check.equal("used", Balance(Decimal(given["total"]), Decimal(given["free"])).used, expected)
    elif operation == "snapshot_time_most_recent":
        none = Balance(Decimal(0), Decimal(0))
        balances = tuple(AssetBalance(AssetIndex(0), none, ms * MS) for ms in given["balances"])
        kind, until = reading.order_kind("limit"), reading.time_in_force("good_until_cancelled")
        orders = tuple(
            Order(fill_key(), Side.BUY, Decimal(1), Decimal(1), kind, until, reading.order_state(state))
            for state in given["orders"]
        )
        time = snapshot_time_exchange_ns(AccountSnapshot(balances, orders))
        check.equal("time", time, None if expected is None else expected * MS)
    elif operation == "asset_fees_default":
        # No asset named is the quote asset.
        check.equal("asset", NO_FEES.asset or "quote", expected["asset"])
        check.equal("fees", NO_FEES.amount, expected["fees"])
    else:
        assert operation == "order_from_open_request", operation
        made = order_from_request(_request(given))
        wanted = reading.order({**expected, "key": {**expected["key"], "exchange": 0, "instrument": 0}})
        check.equal("order", made, wanted)


RUNNERS = {
    ("execution/order_states.json", "cases"): run_order_states,
    ("execution/models.json", "cases"): run_models,
}
