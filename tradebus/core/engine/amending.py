"""Let amends pass: those that make sense, and those that the risk manager approves.

An amend is judged like an order with the new price and what would remain of the new quantity, beside the order that it
changes; one that only takes quantity away always passes, like a cancel.
"""

from decimal import Decimal

from tradebus.core.engine.answers import DecisionChangedState
from tradebus.core.engine.audit.state_hash import hash_state
from tradebus.core.engine.audit.tick import RefusedAmend
from tradebus.core.engine.check import (
    InvalidDecision,
    amend_fault,
    amount_problem,
    check_refusals,
    exchange_problem,
    items,
    open_fault,
)
from tradebus.core.engine.judging import NO_VERDICT
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.amend_machine import Amending, amending
from tradebus.core.model.number import ZERO, context_is_intact, restore_engine_context
from tradebus.core.model.order import Open, Order, OrderKind, OrderRequestAmend, OrderRequestOpen, open_part
from tradebus.core.risk.interface import RiskDecision, RiskManager

Amends = tuple[tuple[OrderRequestAmend, ...], tuple[RefusedAmend, ...]]
"""Those that may go on, and those that are refused, each in order."""


def amend_problem(state: EngineState, request: OrderRequestAmend) -> str:
    """Return why an amend request must not be sent, empty if it may."""
    problem = exchange_problem(state, request.key)
    order = state.instruments[request.key.instrument].orders.get(request.key.cid)
    if problem:
        return problem
    if order is None:
        return f"no active order has the client order id {request.key.cid}"
    if order.kind is not OrderKind.LIMIT or not isinstance(order.state, Open):
        return f"expected an open limit order, found a {order.kind.name.lower()} order in {type(order.state).__name__}"
    if amending(order) is not Amending.NONE:
        return f"an amend of order {request.key.cid} is not answered yet"
    if request.price is not None:
        problem = amount_problem("price", request.price)
    if not problem and request.quantity is not None:
        problem = amount_problem("quantity", request.quantity)
        if not problem and request.quantity <= order.state.filled_quantity:
            problem = f"quantity: expected more than the {order.state.filled_quantity} filled, found {request.quantity}"
    if not problem and _price(order, request) == order.price:
        problem = "nothing would change" if _quantity(order, request) == order.quantity else ""
    return problem


def check_amends(state: EngineState, amends: object, exchanges: int) -> Amends:
    """Sort amends into those that may be sent and those that may not, keeping their order.

    ``exchanges`` is how many indices of exchanges are taken. Raises InvalidDecision if something is no request at all,
    or one that cannot stand in a tick.
    """
    good: list[OrderRequestAmend] = []
    bad: list[RefusedAmend] = []
    for request in items("amends", amends):
        fault = amend_fault(request, exchanges, len(state.instruments))
        if fault or not isinstance(request, OrderRequestAmend):
            raise InvalidDecision(fault)
        problem = amend_problem(state, request)
        if not problem and request.key in [earlier.key for earlier in good]:
            problem = f"order {request.key.cid} is amended twice in one decision"
        if problem:
            bad.append(RefusedAmend(request, problem))
        else:
            good.append(request)
    return tuple(good), tuple(bad)


def judge_amends(
    state: EngineState, risk: RiskManager, amends: tuple[OrderRequestAmend, ...], exchanges: int, *, is_debug: bool
) -> Amends:
    """Return which amends the risk manager approves, perhaps altered, and which it refuses.

    One that it does not mention is refused. Raises whatever it raises, InvalidDecision for an answer that makes no
    sense, and in debug mode DecisionChangedState if it changed the state.
    """
    asked = tuple([_as_open(state, request) for request in amends if not _is_reduction(state, request)])
    if not asked:
        return amends, ()
    before = hash_state(state) if is_debug else None
    judged = risk.check(state, (), asked)
    if before is not None and before != hash_state(state):
        raise DecisionChangedState("the risk manager changed the state while judging")
    if not context_is_intact():
        restore_engine_context()
        raise InvalidDecision("the risk manager changed the decimal context")
    if not isinstance(judged, RiskDecision):
        raise InvalidDecision(f"expected a RiskDecision, found {type(judged).__name__}")
    check_refusals(state, (), judged.opens_refused, exchanges)
    for answer in items("opens", judged.opens):
        fault = open_fault(answer, exchanges, len(state.instruments))
        if fault:
            raise InvalidDecision(fault)
    approved: list[OrderRequestAmend] = []
    refused: list[RefusedAmend] = []
    for request in amends:
        verdict = request if _is_reduction(state, request) else _verdict(state, request, asked, judged)
        if isinstance(verdict, RefusedAmend):
            refused.append(verdict)
        else:
            approved.append(verdict)
    return tuple(approved), tuple(refused)


def _verdict(
    state: EngineState, request: OrderRequestAmend, asked: tuple[OrderRequestOpen, ...], judged: RiskDecision
) -> OrderRequestAmend | RefusedAmend:
    (given,) = [each for each in asked if each.key == request.key]
    for refusal in judged.opens_refused:
        if refusal.request.key == request.key:
            return RefusedAmend(request, refusal.reason)
    for answer in judged.opens:
        if answer.key != request.key:
            continue
        if answer.price == given.price and answer.quantity == given.quantity:
            return request
        filled = _filled(_order(state, request))
        altered = OrderRequestAmend(request.key, request.id, answer.price, answer.quantity + filled)
        problem = amend_problem(state, altered)
        return RefusedAmend(altered, problem) if problem else altered
    return RefusedAmend(request, NO_VERDICT)


def _order(state: EngineState, request: OrderRequestAmend) -> Order:
    return state.instruments[request.key.instrument].orders[request.key.cid]


def _price(order: Order, request: OrderRequestAmend) -> Decimal:
    return order.price if request.price is None else request.price


def _quantity(order: Order, request: OrderRequestAmend) -> Decimal:
    return order.quantity if request.quantity is None else request.quantity


def _filled(order: Order) -> Decimal:
    part = open_part(order.state)
    return ZERO if part is None else part.filled_quantity


def _is_reduction(state: EngineState, request: OrderRequestAmend) -> bool:
    order = _order(state, request)
    return _price(order, request) == order.price and _quantity(order, request) <= order.quantity


def _as_open(state: EngineState, request: OrderRequestAmend) -> OrderRequestOpen:
    order = _order(state, request)
    remaining = _quantity(order, request) - _filled(order)
    return OrderRequestOpen(order.key, order.side, _price(order, request), remaining, order.kind, order.time_in_force)
