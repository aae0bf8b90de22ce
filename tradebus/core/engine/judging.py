"""Ask the risk manager, and check its answer like any other of user code."""

from tradebus.core.engine.answers import DecisionChangedState
from tradebus.core.engine.audit.state_hash import hash_state
from tradebus.core.engine.audit.tick import RefusedCancel, RefusedOpen
from tradebus.core.engine.check import CheckedRequests, InvalidDecision, check_refusals, check_requests
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.number import context_is_intact, restore_engine_context
from tradebus.core.risk.interface import RiskDecision, RiskManager

NO_VERDICT = "the risk manager gave no verdict"


def judge(
    state: EngineState, risk: RiskManager, checked: CheckedRequests, exchanges: int, *, is_debug: bool
) -> CheckedRequests:
    """Return which of the requests the risk manager approves, perhaps altered, and which it refuses.

    A request that it does not mention is refused. Raises whatever it raises, InvalidDecision for an answer that makes
    no sense, and in debug mode DecisionChangedState if it changed the state.
    """
    before = hash_state(state) if is_debug else None
    judged = risk.check(state, checked.cancels, checked.opens)
    if before is not None and before != hash_state(state):
        raise DecisionChangedState("the risk manager changed the state while judging")
    if not context_is_intact():
        restore_engine_context()
        raise InvalidDecision("the risk manager changed the decimal context")
    if not isinstance(judged, RiskDecision):
        raise InvalidDecision(f"expected a RiskDecision, found {type(judged).__name__}")
    if (
        judged.cancels is checked.cancels
        and judged.opens is checked.opens
        and not (judged.cancels_refused or judged.opens_refused)
    ):
        return checked
    check_refusals(state, judged.cancels_refused, judged.opens_refused, exchanges)
    again = check_requests(state, judged.cancels, judged.opens, exchanges)
    _check_verdicts(judged)
    return CheckedRequests(
        again.cancels,
        again.opens,
        (
            *checked.cancels_refused,
            *judged.cancels_refused,
            *again.cancels_refused,
            *_cancels_without_verdict(checked, judged),
        ),
        (
            *checked.opens_refused,
            *judged.opens_refused,
            *again.opens_refused,
            *_opens_without_verdict(checked, judged),
        ),
    )


def _check_verdicts(judged: RiskDecision) -> None:
    """Refuse two verdicts about one request; raises InvalidDecision."""
    cancels = {refused.request.key for refused in judged.cancels_refused}
    for cancel in judged.cancels:
        if cancel.key in cancels:
            raise InvalidDecision(f"the risk manager both approved and refused the cancel of {cancel.key.cid}")
    opens = {refused.request.key for refused in judged.opens_refused}
    for request in judged.opens:
        if request.key in opens:
            raise InvalidDecision(f"the risk manager both approved and refused the order {request.key.cid}")


def _cancels_without_verdict(checked: CheckedRequests, judged: RiskDecision) -> tuple[RefusedCancel, ...]:
    told = {request.key for request in judged.cancels} | {refused.request.key for refused in judged.cancels_refused}
    return tuple([RefusedCancel(request, NO_VERDICT) for request in checked.cancels if request.key not in told])


def _opens_without_verdict(checked: CheckedRequests, judged: RiskDecision) -> tuple[RefusedOpen, ...]:
    told = {request.key for request in judged.opens} | {refused.request.key for refused in judged.opens_refused}
    return tuple([RefusedOpen(request, NO_VERDICT) for request in checked.opens if request.key not in told])
