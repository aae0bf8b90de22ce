"""Show the records of how the engine is set up: its start, each resumption, other code, other parameters."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from services.audit.api.views.base import View
from services.audit.api.views.risk import RiskCheckSetupView
from services.audit.api.views.state import IndexView
from services.audit.api.views.strategies import DataSetupView, StrategySetupView
from services.audit.api.views.values import (
    DecimalText,
    ExchangeName,
    TradingStateName,
    decimals_by_asset,
)
from tradebus.core.engine import event as core
from tradebus.core.engine import resumed
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.model.record import Record


class SimulationSetupView(View):
    """How a simulated account behaves."""

    SHOWS: ClassVar[type[Record]] = core.SimulationSetup

    latency_ns: int
    """A whole round trip."""
    fee_maker: DecimalText
    """A fraction of the value in quote."""
    fee_taker: DecimalText
    balances: Annotated[dict[str, DecimalText], BeforeValidator(decimals_by_asset)]
    """What it starts with, by asset."""
    is_market_only: bool
    """Only market orders are taken, and fill whole at the price that they carry."""


class AccountSetupView(View):
    """An account that the engine trades through."""

    SHOWS: ClassVar[type[Record]] = core.AccountSetup

    exchange: ExchangeName
    account: str
    simulation: SimulationSetupView | None
    """Null for a venue's account."""


class EngineStartedView(View):
    """The first record of a journal: all that the initial state is built from."""

    SHOWS: ClassVar[type[Record]] = core.EngineStarted

    type: Literal["engine_started"] = "engine_started"
    engine_id: str
    mode: str
    run: str
    code: str
    index: IndexView
    accounts: list[AccountSetupView]
    strategies: list[StrategySetupView]
    trading: TradingStateName
    risk: list[RiskCheckSetupView]
    global_data: DataSetupView | None
    """Data of the whole engine that the user defined, if any."""
    instrument_data: DataSetupView | None
    """Data of each instrument that the user defined, if any."""


class EngineResumedView(View):
    """The engine went on in its journal, with all that this run of it begins with."""

    SHOWS: ClassVar[type[Record]] = resumed.EngineResumed

    type: Literal["engine_resumed"] = "engine_resumed"
    started: EngineStartedView
    """Its trading state counts for nothing: that of before holds."""


class CodeChangedView(View):
    """The engine went on with other code."""

    SHOWS: ClassVar[type[Record]] = resumed.CodeChanged

    type: Literal["code_changed"] = "code_changed"
    before: str
    after: str
    state_differs: bool
    """The journal gives another state with this code than was recorded; trading is off from here."""


class ConfigChangedView(View):
    """Strategies and risk checks got new parameters."""

    SHOWS: ClassVar[type[Record]] = ConfigChanged

    type: Literal["config_changed"] = "config_changed"
    origin: str
    """Who changed them."""
    strategies: list[StrategySetupView]
    risk: list[RiskCheckSetupView]
    command_id: str
    """The command that asked for it, if one did."""
    position: int
    """That command's number in the stream of commands."""
