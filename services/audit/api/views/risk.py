"""Show risk checks: how they are set up, and what they need to know of the past."""

from typing import Annotated, ClassVar

from pydantic import AliasPath, BeforeValidator, Field

from services.audit.api.views.base import View
from services.audit.api.views.values import Time
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.risk import RiskCheckState, RiskState
from tradebus.core.model.record import Record


def _by_name(params: object) -> object:
    return dict(params) if isinstance(params, tuple) else params


class RiskCheckSetupView(View):
    """A risk check with its parameters."""

    SHOWS: ClassVar[type[Record]] = RiskCheckSetup

    id: str
    class_path: str
    params: Annotated[dict[str, str], BeforeValidator(_by_name)]


class RiskCheckStateView(View):
    """A risk check of this engine."""

    SHOWS: ClassVar[type[Record]] = RiskCheckState

    id: str = Field(validation_alias=AliasPath("setup", "id"))
    class_path: str = Field(validation_alias=AliasPath("setup", "class_path"))
    params: Annotated[dict[str, str], BeforeValidator(_by_name)] = Field(validation_alias=AliasPath("setup", "params"))
    sent: list[list[Time]]
    """When orders were sent lately, oldest first: to all exchanges together or to each; empty without a window."""


class RiskStateView(View):
    """The risk checks of this engine, in the order they are asked."""

    SHOWS: ClassVar[type[Record]] = RiskState

    checks: list[RiskCheckStateView]
