"""Show why an order was sent and what came of it, each part with its tick."""

from services.audit.api.views.base import View
from services.audit.api.views.events import EventView
from services.audit.api.views.orders import OrderRequestOpenView
from services.audit.api.views.projections import FillView, OrderStepView
from services.audit.api.views.risk import RiskCheckSetupView
from services.audit.api.views.ticks import OutputView
from services.audit.api.views.values import OrderStatusName, OriginName, StepKindName, TextOrNone, Time


class HappenedView(View):
    """An event and the tick that took it in."""

    sequence: int
    time_engine: Time
    event: EventView


class DecisionView(View):
    """Who decided, and on how much at once."""

    sequence: int
    time_engine: Time
    origin: OriginName
    """What made the engine decide: a strategy of its own accord, an operator's command, or a hook."""
    strategy: str
    """"unknown" for an operator's commands; the event says whose."""
    opens: int
    """How many orders the same decision was about."""
    cancels: int


class RiskVerdictView(View):
    """What the risk checks said."""

    sequence: int
    time_engine: Time
    passed: bool
    """Whether every check let the order pass."""
    refused: TextOrNone
    """Why not."""
    overridden: bool
    """It was refused and sent all the same, as an operator's command may."""
    checks: list[RiskCheckSetupView] | None
    """What was asked, in this order, with the parameters of then; null where a thousand later ones have come since."""


class RequestSentView(View):
    """What was asked of the venue."""

    sequence: int
    time_engine: Time
    left: bool
    """Whether the request left the engine."""
    failed: TextOrNone
    """Why it could not be handed over."""
    request: OrderRequestOpenView


class OrderEndView(View):
    """How an order ended."""

    sequence: int
    time_engine: Time
    status: OrderStatusName
    reason: TextOrNone


class WhyView(View):
    """The whole story of an order: trigger, decision, risk checks, request, acknowledgement, fills, end."""

    cid: str
    status: OrderStatusName
    """Where it stands."""
    trigger: HappenedView
    """What the engine was processing when it decided, or the venue's report of an order that we did not send."""
    decision: DecisionView | None
    risk: RiskVerdictView | None
    request: RequestSentView | None
    acknowledgement: HappenedView | None
    """The first word of the venue about it; null while there is none."""
    fills: list[FillView]
    others: list[OrderStepView]
    """Whatever else happened to it: cancels, amends, doubts, later reports."""
    end: OrderEndView | None
    """Null while it may still trade."""


class OrderEventView(View):
    """One thing that happened to an order, with the tick's event and what of its outputs is about the order."""

    sequence: int
    time_engine: Time
    kind: StepKindName
    status: OrderStatusName
    """Where the order stood afterwards."""
    note: TextOrNone
    event: EventView
    outputs: list[OutputView]
