"""Run the check utilities and the example risk manager."""

from decimal import Decimal
from typing import Any

from tests.conformance.engine import reading, world
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tests.support.builders import cancel_of, open_request, public_trade
from tradebus.core.engine.apply import apply_event
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.instrument import (
    SPOT,
    InstrumentContract,
    InstrumentKind,
    OptionExercise,
    OptionKind,
)
from tradebus.core.model.order import OrderKind
from tradebus.core.risk.calculate import abs_percent_difference, delta, quote_notional
from tradebus.core.risk.check import CheckHigherThan, CheckHigherThanFailed
from tradebus.core.risk.example import ExampleRiskManager
from tradebus.core.risk.interface import RiskManager


def run_check_higher_than(case: Case, check: Check) -> None:
    """Compare an input with a limit."""
    data, expected = case.data, case.data["expected"]
    higher = CheckHigherThan(Decimal(data["limit"]))
    found = Decimal(data["input"])
    error = None
    try:
        higher.check(found)
    except CheckHigherThanFailed as failed:
        error = str(failed)
    check.equal("passed", higher.passes(found), expected["passed"])
    check.equal("error", error, expected["error"])
    check.equal("name", higher.NAME, "CheckHigherThan")


def run_quote_notional(case: Case, check: Check) -> None:
    """Calculate the value of an order."""
    quantity, price, size = (Decimal(case.data[name]) for name in ("quantity", "price", "contract_size"))
    check.equal("notional", quote_notional(quantity, price, size), world.decimal_or_none(case.data["expected"]))


def run_abs_percent_difference(case: Case, check: Check) -> None:
    """Calculate how far one number is from another."""
    found = abs_percent_difference(Decimal(case.data["current"]), Decimal(case.data["other"]))
    check.equal("difference", found, world.decimal_or_none(case.data["expected"]))


def run_delta(case: Case, check: Check) -> None:
    """Calculate the delta of an order."""
    data = case.data
    numbers = (Decimal(data[name]) for name in ("instrument_delta", "contract_size", "quantity_in_kind"))
    instrument_delta, size, quantity = numbers
    found = delta(instrument_delta, size, reading.side(data["side"]), quantity)
    check.equal("delta", found, Decimal(data["expected"]))


def _contract(kind: str, size: str) -> InstrumentContract:
    if InstrumentKind[kind.upper()] is InstrumentKind.SPOT:
        return SPOT
    is_option = InstrumentKind[kind.upper()] is InstrumentKind.OPTION
    return InstrumentContract(
        InstrumentKind[kind.upper()],
        Decimal(size),
        asset_from_name("settlement"),
        None if kind == "perpetual" else 1,
        Decimal(1) if is_option else None,
        OptionKind.CALL if is_option else None,
        OptionExercise.EUROPEAN if is_option else None,
    )


def _state(data: dict[str, Any]) -> EngineState:
    instruments = [{"index": 0, "contract": _contract(data["instrument_kind"], data["contract_size"])}]
    state = world.state_of(world.index_of(["a"], instruments))
    if data["market_price"] is not None:
        apply_event(state, public_trade(data["market_price"]))
    return state


def run_example_risk_manager(case: Case, check: Check) -> None:
    """Let the example risk manager judge one order."""
    data, expected = case.data, case.data["expected"]
    limits = data["limits"]
    manager = ExampleRiskManager(
        Decimal(limits["max_notional_per_order"]), Decimal(limits["max_market_order_price_percent_from_market"])
    )
    written = data["order"]
    kind = OrderKind[written["kind"].upper()]
    request = open_request("c", price=written["price"], quantity=written["quantity"], kind=kind)
    cancels = (cancel_of("x"),)
    decision = manager.check(_state(data), cancels, (request,))
    check.equal("cancels", (decision.cancels, decision.cancels_refused), (cancels, ()))
    check.equal("approved", bool(decision.opens), expected["approved"])
    reasons = [refused.reason for refused in decision.opens_refused]
    check.equal("reason", reasons, [] if expected["reason"] is None else [expected["reason"]])


def run_default_risk_manager(case: Case, check: Check) -> None:
    """Let the base judge: it approves everything."""
    data, expected = case.data, case.data["expected"]
    cancels = tuple(cancel_of(cid) for cid in data["cancels"])
    opens = tuple(open_request(cid) for cid in data["opens"])
    decision = RiskManager().check(world.state_of(world.index_of(["a"], [{"index": 0}])), cancels, opens)
    check.equal("approved_cancels", [request.key.cid for request in decision.cancels], expected["approved_cancels"])
    check.equal("approved_opens", [request.key.cid for request in decision.opens], expected["approved_opens"])
    refused = [item.request.key.cid for item in decision.cancels_refused]
    check.equal("refused_cancels", refused, expected["refused_cancels"])
    refused = [item.request.key.cid for item in decision.opens_refused]
    check.equal("refused_opens", refused, expected["refused_opens"])


RUNNERS = {
    ("engine/risk_checks.json", "check_higher_than"): run_check_higher_than,
    ("engine/risk_checks.json", "quote_notional"): run_quote_notional,
    ("engine/risk_checks.json", "abs_percent_difference"): run_abs_percent_difference,
    ("engine/risk_checks.json", "delta"): run_delta,
    ("engine/risk_checks.json", "example_risk_manager"): run_example_risk_manager,
    ("engine/risk_checks.json", "default_risk_manager"): run_default_risk_manager,
}
