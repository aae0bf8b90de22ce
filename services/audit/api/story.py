"""Tell an order's story from its life and the ticks that made it."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from services.audit.api.views.orders import OrderRequestOpenView
from services.audit.api.views.projections import FillView, OrderStepView
from services.audit.api.views.risk import RiskCheckSetupView
from services.audit.api.views.ticks import AuditTickView
from services.audit.api.views.values import Names, enum_text, time_text
from services.audit.api.views.why import (
    DecisionView,
    HappenedView,
    OrderEndView,
    OrderEventView,
    RequestSentView,
    RiskVerdictView,
    WhyView,
)
from services.audit.projections import Fill, OrderLife, OrderStep, StepKind
from tradebus.core.engine.audit.tick import AuditTick, Output, RequestsDecided, RiskOverridden
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.model.order import OrderKey, OrderRequestOpen

_ASKED: Final = frozenset({StepKind.REQUESTED, StepKind.REFUSED, StepKind.NOT_SENT})
_ANSWERS: Final = frozenset({StepKind.REPORTED, StepKind.FILLED, StepKind.NEVER_RECEIVED})


class _Asked(NamedTuple):
    """The output that an order was decided in: the request, and what became of it."""

    output: RequestsDecided
    request: OrderRequestOpen
    left: bool
    refused: str
    failed: str


def why(
    life: OrderLife,
    ticks: Mapping[int, AuditTick],
    fills: Sequence[Fill],
    checks: Sequence[RiskCheckSetup] | None,
    names: Names,
) -> WhyView:
    """Return the story of an order.

    ``ticks`` has those of its first step and of its acknowledgement, by sequence; ``checks`` are as they were set up at
    the first.
    """
    first = life.steps[0]
    tick = ticks[first.sequence]
    asked = _asked(tick, life.order.key.cid) if first.kind in _ASKED else None
    answer = acknowledging(life)
    told = {first.sequence: _ASKED} if asked is not None else {}
    others = [
        step
        for step in life.steps
        if step is not answer and step.kind is not StepKind.FILLED and step.kind not in told.get(step.sequence, ())
    ]
    return WhyView(
        cid=life.order.key.cid,
        status=enum_text(life.status),
        trigger=_happened(tick, names),
        decision=None if asked is None else _decision(tick, asked),
        risk=None if asked is None else _risk(tick, asked, checks, names),
        request=None if asked is None else _request(tick, asked, names),
        acknowledgement=None if answer is None else _happened(ticks[answer.sequence], names),
        fills=[FillView.of(fill, names) for fill in fills],
        others=[OrderStepView.of(step, names) for step in others],
        end=None if life.status.is_active else _end(life),
    )


def acknowledging(life: OrderLife) -> OrderStep | None:
    """Return the step in which the venue was first heard about an order that we asked for, none while it was not."""
    if life.steps[0].kind is not StepKind.REQUESTED:
        return None
    return next((step for step in life.steps[1:] if step.kind in _ANSWERS), None)


def event_views(life: OrderLife, ticks: Mapping[int, AuditTick], names: Names) -> list[OrderEventView]:
    """Return each step of an order with its event, and what of the tick's outputs is about the order."""
    views: list[OrderEventView] = []
    for step in life.steps:
        tick = ticks[step.sequence]
        outputs = [output for output in tick.outputs if _is_about(output, life.order.key.cid)]
        shown = AuditTickView.of(AuditTick(tick.sequence, tick.time_ns, tick.event, tuple(outputs), ()), names)
        views.append(
            OrderEventView(
                sequence=step.sequence,
                time_engine=time_text(step.time_ns),
                kind=enum_text(step.kind),
                status=enum_text(step.status),
                note=step.note or None,
                event=shown.event,
                outputs=shown.outputs,
            )
        )
    return views


# -------------------------------------------------------------------------------- inside


def _asked(tick: AuditTick, cid: str) -> _Asked | None:
    for output in tick.outputs:
        if not isinstance(output, RequestsDecided):
            continue
        for request in output.opens_sent:
            if request.key.cid == cid:
                return _Asked(output, request, left=True, refused="", failed="")
        for refused in output.opens_refused:
            if refused.request.key.cid == cid:
                return _Asked(output, refused.request, left=False, refused=refused.reason, failed="")
        for failed in output.opens_failed:
            if failed.request.key.cid == cid:
                return _Asked(output, failed.request, left=False, refused="", failed=failed.error.message)
    return None


def _is_about(output: Output, cid: str) -> bool:
    """Tell whether an output holds a request with an order's id."""
    keys: list[OrderKey] = []
    if isinstance(output, RiskOverridden):
        keys += [each.request.key for each in output.opens]
        keys += [each.request.key for each in output.amends]
    elif isinstance(output, RequestsDecided):
        keys += [each.key for each in output.opens_sent]
        keys += [each.key for each in output.cancels_sent]
        keys += [each.key for each in output.amends_sent]
        keys += [each.request.key for each in output.opens_failed]
        keys += [each.request.key for each in output.opens_refused]
        keys += [each.request.key for each in output.cancels_failed]
        keys += [each.request.key for each in output.cancels_refused]
        keys += [each.request.key for each in output.amends_failed]
        keys += [each.request.key for each in output.amends_refused]
    return any(key.cid == cid for key in keys)


def _happened(tick: AuditTick, names: Names) -> HappenedView:
    shown = AuditTickView.of(AuditTick(tick.sequence, tick.time_ns, tick.event, (), ()), names)
    return HappenedView(sequence=tick.sequence, time_engine=shown.time_engine, event=shown.event)


def _decision(tick: AuditTick, asked: _Asked) -> DecisionView:
    output = asked.output
    return DecisionView(
        sequence=tick.sequence,
        time_engine=time_text(tick.time_ns),
        origin=enum_text(output.origin),
        strategy=output.strategy,
        opens=len(output.opens_sent) + len(output.opens_refused) + len(output.opens_failed),
        cancels=len(output.cancels_sent) + len(output.cancels_refused) + len(output.cancels_failed),
    )


def _risk(tick: AuditTick, asked: _Asked, checks: Sequence[RiskCheckSetup] | None, names: Names) -> RiskVerdictView:
    overridden = next(
        (
            refused.reason
            for output in tick.outputs
            if isinstance(output, RiskOverridden)
            for refused in output.opens
            if refused.request.key.cid == asked.request.key.cid
        ),
        None,
    )
    return RiskVerdictView(
        sequence=tick.sequence,
        time_engine=time_text(tick.time_ns),
        passed=not asked.refused and overridden is None,
        refused=overridden or asked.refused or None,
        overridden=overridden is not None,
        checks=None if checks is None else [RiskCheckSetupView.of(check, names) for check in checks],
    )


def _request(tick: AuditTick, asked: _Asked, names: Names) -> RequestSentView:
    return RequestSentView(
        sequence=tick.sequence,
        time_engine=time_text(tick.time_ns),
        left=asked.left,
        failed=asked.failed or None,
        request=OrderRequestOpenView.of(asked.request, names),
    )


def _end(life: OrderLife) -> OrderEndView:
    """Return the first step after which the order was where it ended."""
    at = next(step for step in life.steps if step.status is life.status)
    return OrderEndView(
        sequence=at.sequence,
        time_engine=time_text(at.time_ns),
        status=enum_text(life.status),
        reason=life.reason or None,
    )
