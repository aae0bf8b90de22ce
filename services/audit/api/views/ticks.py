"""Show audit ticks: the event, everything that was decided, what went wrong."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from services.audit.api.views.base import View, tag_of
from services.audit.api.views.events import EventView
from services.audit.api.views.orders import (
    OrderRequestAmendView,
    OrderRequestCancelView,
    OrderRequestOpenView,
)
from services.audit.api.views.positions import PositionExitedView
from services.audit.api.views.values import EngineErrorKindName, OriginName, Plain, Time
from tradebus.core.engine.audit import tick as core
from tradebus.core.engine.error import EngineError
from tradebus.core.model.record import Record


class EngineErrorView(View):
    """A failure inside a step."""

    SHOWS: ClassVar[type[Record]] = EngineError

    kind: EngineErrorKindName
    message: str


class FailedOpenView(View):
    """An open request that could not be handed over."""

    SHOWS: ClassVar[type[Record]] = core.FailedOpen

    request: OrderRequestOpenView
    error: EngineErrorView


class FailedCancelView(View):
    """A cancel request that could not be handed over."""

    SHOWS: ClassVar[type[Record]] = core.FailedCancel

    request: OrderRequestCancelView
    error: EngineErrorView


class RefusedOpenView(View):
    """An open request that was refused before it could leave."""

    SHOWS: ClassVar[type[Record]] = core.RefusedOpen

    request: OrderRequestOpenView
    reason: str


class RefusedCancelView(View):
    """A cancel request that was refused."""

    SHOWS: ClassVar[type[Record]] = core.RefusedCancel

    request: OrderRequestCancelView
    reason: str


class FailedAmendView(View):
    """An amend request that could not be handed over."""

    SHOWS: ClassVar[type[Record]] = core.FailedAmend

    request: OrderRequestAmendView
    error: EngineErrorView


class RefusedAmendView(View):
    """An amend request that was refused."""

    SHOWS: ClassVar[type[Record]] = core.RefusedAmend

    request: OrderRequestAmendView
    reason: str


class RequestsDecidedView(View):
    """Requests of one origin: sent, failed, refused."""

    SHOWS: ClassVar[type[Record]] = core.RequestsDecided

    type: Literal["requests_decided"] = "requests_decided"
    origin: OriginName
    strategy: str
    """Who decided; "unknown" for an operator's commands."""
    cancels_sent: list[OrderRequestCancelView]
    opens_sent: list[OrderRequestOpenView]
    cancels_failed: list[FailedCancelView]
    opens_failed: list[FailedOpenView]
    cancels_refused: list[RefusedCancelView]
    opens_refused: list[RefusedOpenView]
    amends_sent: list[OrderRequestAmendView]
    amends_failed: list[FailedAmendView]
    amends_refused: list[RefusedAmendView]


class RiskOverriddenView(View):
    """An operator's command sent what the risk manager refused."""

    SHOWS: ClassVar[type[Record]] = core.RiskOverridden

    type: Literal["risk_overridden"] = "risk_overridden"
    opens: list[RefusedOpenView]
    amends: list[RefusedAmendView]


class PositionExitView(View):
    """The event closed a position."""

    SHOWS: ClassVar[type[Record]] = core.PositionExit

    type: Literal["position_exit"] = "position_exit"
    exited: PositionExitedView


class TimerSetView(View):
    """A strategy set a timer."""

    SHOWS: ClassVar[type[Record]] = core.TimerSet

    type: Literal["timer_set"] = "timer_set"
    strategy: str
    id: str
    due: Time = Field(validation_alias="due_ns")


class TimerClearedView(View):
    """A strategy cleared a timer."""

    SHOWS: ClassVar[type[Record]] = core.TimerCleared

    type: Literal["timer_cleared"] = "timer_cleared"
    strategy: str
    id: str


class DataPatchedView(View):
    """A decision changed what a strategy remembers."""

    SHOWS: ClassVar[type[Record]] = core.DataPatched

    type: Literal["data_patched"] = "data_patched"
    strategy: str
    key: str
    value: Plain


class HaltedView(View):
    """User code failed: algorithmic trading is off from here."""

    SHOWS: ClassVar[type[Record]] = core.Halted

    type: Literal["halted"] = "halted"
    strategy: str
    reason: str


OutputView: TypeAlias = Annotated[
    Annotated[RequestsDecidedView, Tag("requests_decided")]
    | Annotated[PositionExitView, Tag("position_exit")]
    | Annotated[TimerSetView, Tag("timer_set")]
    | Annotated[TimerClearedView, Tag("timer_cleared")]
    | Annotated[DataPatchedView, Tag("data_patched")]
    | Annotated[HaltedView, Tag("halted")]
    | Annotated[RiskOverriddenView, Tag("risk_overridden")],
    Discriminator(tag_of),
]


class AuditTickView(View):
    """One step of the engine."""

    SHOWS: ClassVar[type[Record]] = core.AuditTick

    sequence: int
    time_engine: Time = Field(validation_alias="time_ns")
    event: EventView
    outputs: list[OutputView]
    """What was decided, in the order it was."""
    errors: list[EngineErrorView]
    """Unrecoverable failures; a tick that holds one is the last."""
