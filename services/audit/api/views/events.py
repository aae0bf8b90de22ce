"""Show every event that the engine can process."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from services.audit.api.views.account_events import AccountEventView, AccountLinkChangedView, AccountReconnectingView
from services.audit.api.views.base import View, tag_of
from services.audit.api.views.commands import CommandActionView
from services.audit.api.views.market_events import MarketEventView, MarketGapView, MarketReconnectingView
from services.audit.api.views.run_events import CodeChangedView, ConfigChangedView, EngineResumedView, EngineStartedView
from services.audit.api.views.values import (
    Time,
    TradingStateName,
)
from tradebus.core.engine import command as commands
from tradebus.core.engine import event as core
from tradebus.core.model.record import Record


class CommandView(View):
    """An operator's command."""

    SHOWS: ClassVar[type[Record]] = commands.Command

    type: Literal["command"] = "command"
    id: str
    origin: str
    """Who sent it."""
    action: CommandActionView
    position: int
    """Its number in the stream of commands; 0 where it did not come from there."""


class TradingStateUpdateView(View):
    """Trading was switched on or off."""

    SHOWS: ClassVar[type[Record]] = core.TradingStateUpdate

    type: Literal["trading_state_update"] = "trading_state_update"
    state: TradingStateName
    origin: str
    """Who did it: an operator's name, "policy", "feed end"."""
    command_id: str
    """The command that asked for it, if one did."""
    position: int
    """That command's number in the stream of commands."""


class ClockAdvancedView(View):
    """Nothing happened, but time went on."""

    SHOWS: ClassVar[type[Record]] = core.ClockAdvanced

    type: Literal["clock_advanced"] = "clock_advanced"


class TimerFiredView(View):
    """A timer that a strategy set was due."""

    SHOWS: ClassVar[type[Record]] = core.TimerFired

    type: Literal["timer_fired"] = "timer_fired"
    strategy: str
    id: str
    due: Time = Field(validation_alias="due_ns")


class ShutdownView(View):
    """The engine stops."""

    SHOWS: ClassVar[type[Record]] = core.Shutdown

    type: Literal["shutdown"] = "shutdown"
    command_id: str
    """The command that asked for it, if one did."""
    position: int
    """That command's number in the stream of commands."""
    origin: str
    """Who asked for it; empty where the process was told to end."""


class CommandRejectedView(View):
    """A command came and was not carried out."""

    SHOWS: ClassVar[type[Record]] = commands.CommandRejected

    type: Literal["command_rejected"] = "command_rejected"
    id: str
    """Its idempotency key."""
    origin: str
    """Who sent it."""
    reason: str
    """It expired, or does not fit the engine's instruments."""
    position: int
    """Its number in the stream of commands."""


class FeedEndedView(View):
    """The feed has no more events."""

    SHOWS: ClassVar[type[Record]] = core.FeedEnded

    type: Literal["feed_ended"] = "feed_ended"


EventView: TypeAlias = Annotated[
    Annotated[MarketEventView, Tag("market_event")]
    | Annotated[MarketReconnectingView, Tag("market_reconnecting")]
    | Annotated[MarketGapView, Tag("market_gap")]
    | Annotated[AccountEventView, Tag("account_event")]
    | Annotated[AccountReconnectingView, Tag("account_reconnecting")]
    | Annotated[AccountLinkChangedView, Tag("account_link_changed")]
    | Annotated[CommandView, Tag("command")]
    | Annotated[TradingStateUpdateView, Tag("trading_state_update")]
    | Annotated[ClockAdvancedView, Tag("clock_advanced")]
    | Annotated[TimerFiredView, Tag("timer_fired")]
    | Annotated[ShutdownView, Tag("shutdown")]
    | Annotated[FeedEndedView, Tag("feed_ended")]
    | Annotated[EngineStartedView, Tag("engine_started")]
    | Annotated[ConfigChangedView, Tag("config_changed")]
    | Annotated[EngineResumedView, Tag("engine_resumed")]
    | Annotated[CodeChangedView, Tag("code_changed")]
    | Annotated[CommandRejectedView, Tag("command_rejected")],
    Discriminator(tag_of),
]
