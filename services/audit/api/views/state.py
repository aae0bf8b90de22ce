"""Show the whole trading state."""

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, Final, Self, final

from pydantic import Field, create_model

from services.audit.api.views.accounts import AssetStateView, ExchangeAssetView
from services.audit.api.views.base import View
from services.audit.api.views.instruments import InstrumentStateView, InstrumentView
from services.audit.api.views.risk import RiskStateView
from services.audit.api.views.strategies import GlobalDataStateView, StrategyStateView, TimerView
from services.audit.api.views.values import AccountLinkName, ExchangeIdName, HealthName, Names, Time, TradingStateName
from tradebus.core.engine.state.commands import AppliedCommand, CommandLog
from tradebus.core.engine.state.connectivity import ConnectivityState
from tradebus.core.engine.state.engine_state import AccountCursor, EngineState
from tradebus.core.engine.state.numbering import OrderNumbering
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.record import Record


class ConnectivityStateView(View):
    """The links of one exchange: its feed, its account, and whether the account takes requests."""

    SHOWS: ClassVar[type[Record]] = ConnectivityState

    market_data: HealthName
    account: HealthName
    link: AccountLinkName
    is_healthy: bool
    """Whether every link that is used works."""


class AccountCursorView(View):
    """How far an account's events are applied: the key of the last one."""

    SHOWS: ClassVar[type[Record]] = AccountCursor

    cause: int
    """The sequence of the tick that caused it."""
    ordinal: int


class ExchangeStateView(View):
    """An exchange with its links."""

    name: str
    links: ConnectivityStateView
    cursor: AccountCursorView


@final
class _Exchange:
    """What the state holds of one exchange, in several lists."""

    def __init__(self, name: str, links: ConnectivityState, cursor: AccountCursor) -> None:
        self.name: Final = name
        self.links: Final = links
        self.cursor: Final = cursor


class IndexView(View):
    """The numbering of a journal: exchanges, assets and instruments in the order of their indices."""

    SHOWS: ClassVar[type[Record]] = IndexedInstruments

    exchanges: list[ExchangeIdName]
    assets: list[ExchangeAssetView]
    instruments: list[InstrumentView]


class OrderNumberingView(View):
    """The last derived client order id that was sent; epoch 0 while none was."""

    SHOWS: ClassVar[type[Record]] = OrderNumbering

    engine_id: str
    epoch: int
    sequence: int
    ordinal: int


class AppliedCommandView(View):
    """A command that was applied."""

    SHOWS: ClassVar[type[Record]] = AppliedCommand

    id: str
    time_engine: Time = Field(validation_alias="time_ns")


class CommandLogView(View):
    """The commands that were applied."""

    SHOWS: ClassVar[type[Record]] = CommandLog

    position: int
    """Where the last one stands in the stream of commands; 0 while none was applied."""
    applied: list[AppliedCommandView]
    """Those of the last hour, oldest first."""


class EngineStateView(View):
    """Everything that can influence a later output of the engine."""

    SHOWS: ClassVar[type[Record]] = EngineState
    UNDER: ClassVar[Mapping[str, str]] = {"connectivity": "exchanges", "cursors": "exchanges"}

    trading: TradingStateName
    health: HealthName = Field(validation_alias="global_health")
    """Of all links together."""
    index: str
    """Fingerprint of the numbering that the journal uses."""
    exchanges: list[ExchangeStateView]
    assets: list[AssetStateView]
    instruments: list[InstrumentStateView]
    strategies: list[StrategyStateView]
    timers: list[TimerView]
    """In the order they are due."""
    risk: RiskStateView
    global_data: GlobalDataStateView | None
    """Null where the user defined none."""
    numbering: OrderNumberingView
    """What finished orders of this engine are recognised by."""
    commands: CommandLogView
    """What commands that come again are recognised by."""

    @classmethod
    def of_state(cls, state: EngineState, names: Names) -> Self:
        """Return the view of a state."""
        return cls.of(_State(state, names), names)


STATE_FIELDS: Final = tuple(EngineStateView.model_fields)


class _Made(View, use_attribute_docstrings=False):
    """Base of views that stand in no source."""


EngineStatePartView: Final = create_model(
    "EngineStatePartView",
    __base__=_Made,
    __doc__="Some fields of the state: those that were asked for.",
    **{  # type: ignore[call-overload]
        name: (field.annotation | None, Field(default=None, description=field.description))  # type: ignore[operator]
        for name, field in EngineStateView.model_fields.items()
    },
)


class _Part(_Made):
    """Some fields of the state."""

    @classmethod
    def of_state(cls, state: EngineState, names: Names) -> Self:
        """Return the view of a state."""
        return cls.of(_State(state, names), names)


@lru_cache(maxsize=64)
def state_part(fields: frozenset[str]) -> type[_Part]:
    """Return the view of some fields of the state; the others are not looked at."""
    wanted = {name: (field.annotation, field) for name, field in EngineStateView.model_fields.items() if name in fields}
    return create_model("EngineStatePart", __base__=_Part, **wanted)  # type: ignore[call-overload, no-any-return]


@final
class _State:
    """A state as its view reads it: the lists by exchange index are one list, the numbering is its fingerprint."""

    def __init__(self, state: EngineState, names: Names) -> None:
        self.trading: Final = state.trading
        self.global_health: Final = state.global_health
        self.index: Final = names.fingerprint
        self.exchanges: Final = [
            _Exchange(name, state.connectivity[i], state.cursors[i]) for i, name in enumerate(names.exchanges)
        ]
        self.assets: Final = state.assets
        self.instruments: Final = state.instruments
        self.strategies: Final = state.strategies
        self.timers: Final = state.timers
        self.risk: Final = state.risk
        self.global_data: Final = state.global_data
        self.numbering: Final = state.numbering
        self.commands: Final = state.commands
