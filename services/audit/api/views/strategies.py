"""Show user code: strategies, how they are set up and what they remember, and the data that users define."""

from typing import Annotated, ClassVar

from pydantic import AliasPath, BeforeValidator, Field

from services.audit.api.views.base import View
from services.audit.api.views.values import DecimalOrNone, Plain, TextOrNone, Time
from tradebus.core.engine.event import DataSetup, StrategySetup
from tradebus.core.engine.state.engine_state import Timer
from tradebus.core.engine.state.strategy_data import StrategyData, StrategyState
from tradebus.core.engine.state.user_data import GlobalDataState, InstrumentDataState, UserData
from tradebus.core.model.record import Record


def _by_name(params: object) -> object:
    return dict(params) if isinstance(params, tuple) else params


def _remembered(data: object) -> object:
    return data.to_plain() if isinstance(data, StrategyData | UserData) else data


class StrategySetupView(View):
    """A strategy with its parameters."""

    SHOWS: ClassVar[type[Record]] = StrategySetup

    id: str
    class_path: str
    params: Annotated[dict[str, str], BeforeValidator(_by_name)]


class StrategyStateView(View):
    """A strategy of this engine."""

    SHOWS: ClassVar[type[Record]] = StrategyState

    id: str = Field(validation_alias=AliasPath("setup", "id"))
    class_path: str = Field(validation_alias=AliasPath("setup", "class_path"))
    params: Annotated[dict[str, str], BeforeValidator(_by_name)] = Field(validation_alias=AliasPath("setup", "params"))
    data: Annotated[dict[str, Plain] | None, BeforeValidator(_remembered)]
    """What it remembers; null where its class is not available to the audit service."""
    failure: TextOrNone
    """Why it failed; null while it works."""
    is_halted: bool
    """Whether the failure was reported; a failed strategy is not asked again."""


class DataSetupView(View):
    """User-defined data with its parameters."""

    SHOWS: ClassVar[type[Record]] = DataSetup

    class_path: str
    params: Annotated[dict[str, str], BeforeValidator(_by_name)]


class GlobalDataStateView(View):
    """The user-defined data of the whole engine."""

    SHOWS: ClassVar[type[Record]] = GlobalDataState

    class_path: str = Field(validation_alias=AliasPath("setup", "class_path"))
    params: Annotated[dict[str, str], BeforeValidator(_by_name)] = Field(validation_alias=AliasPath("setup", "params"))
    data: Annotated[dict[str, Plain] | None, BeforeValidator(_remembered)]
    """What it keeps; null where its class is not available to the audit service."""
    failure: TextOrNone
    """Why it failed; null while it works."""
    is_halted: bool
    """Whether the failure was reported; failed data takes nothing in any more."""


class InstrumentDataStateView(View):
    """The user-defined data of one instrument."""

    SHOWS: ClassVar[type[Record]] = InstrumentDataState

    class_path: str = Field(validation_alias=AliasPath("setup", "class_path"))
    params: Annotated[dict[str, str], BeforeValidator(_by_name)] = Field(validation_alias=AliasPath("setup", "params"))
    data: Annotated[dict[str, Plain] | None, BeforeValidator(_remembered)]
    """What it keeps; null where its class is not available to the audit service."""
    price: DecimalOrNone
    """The market's price as it gave it last; null where it gives none."""
    failure: TextOrNone
    """Why it failed; null while it works."""
    is_halted: bool
    """Whether the failure was reported; failed data takes nothing in any more."""


class TimerView(View):
    """A timer that a strategy set."""

    SHOWS: ClassVar[type[Record]] = Timer

    strategy: str
    id: str
    due: Time = Field(validation_alias="due_ns")
