"""Describe what an operator can ask of the engine, and the filters that select instruments.

Source: barter 0.12.5 ``engine/command.rs`` and ``engine/state/instrument/filter.rs``. A command is an engine event: it
carries the id under which it was accepted, and who sent it.
"""

from typing import ClassVar, Final, final

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.model.identifiers import AssetIndex, ExchangeIndex, InstrumentIndex
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.order import OrderRequestAmend, OrderRequestCancel, OrderRequestOpen
from tradebus.core.model.record import Record


class InstrumentFilter(Record):
    """Base of the filters; what it selects comes in index order, and unknown entries match nothing."""

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def matches(self, instrument: Instrument) -> bool:
        """Tell whether the filter selects this instrument."""
        raise NotImplementedError  # pragma: no cover - every filter defines it


@final
class AllInstruments(InstrumentFilter):
    """Select everything."""

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def matches(self, instrument: Instrument) -> bool:
        """Select every instrument."""
        return instrument is not None


@final
class ByExchanges(InstrumentFilter):
    """Select the instruments of some exchanges."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchanges",)

    def __init__(self, exchanges: tuple[ExchangeIndex, ...]) -> None:
        self.exchanges: Final = exchanges

    def matches(self, instrument: Instrument) -> bool:
        """Select by exchange."""
        return instrument.exchange in self.exchanges


@final
class ByInstruments(InstrumentFilter):
    """Select some instruments."""

    FIELDS: ClassVar[tuple[str, ...]] = ("instruments",)

    def __init__(self, instruments: tuple[InstrumentIndex, ...]) -> None:
        self.instruments: Final = instruments

    def matches(self, instrument: Instrument) -> bool:
        """Select by index."""
        return instrument.index in self.instruments


@final
class ByUnderlyings(InstrumentFilter):
    """Select by exact ordered pair (base, quote) of asset indices."""

    FIELDS: ClassVar[tuple[str, ...]] = ("underlyings",)

    def __init__(self, underlyings: tuple[tuple[AssetIndex, AssetIndex], ...]) -> None:
        self.underlyings: Final = underlyings

    def matches(self, instrument: Instrument) -> bool:
        """Select by underlying."""
        return (instrument.base, instrument.quote) in self.underlyings


ALL_INSTRUMENTS: Final = AllInstruments()


class CommandAction(Record):
    """Base of what a command can ask for."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class SendOpenRequests(CommandAction):
    """Open these orders, as far as the risk manager approves; all of them where ``override_risk`` says so."""

    FIELDS: ClassVar[tuple[str, ...]] = ("requests", "override_risk")

    def __init__(self, requests: tuple[OrderRequestOpen, ...], override_risk: bool = False) -> None:
        self.requests: Final = requests
        self.override_risk: Final = override_risk


@final
class SendCancelRequests(CommandAction):
    """Cancel these orders."""

    FIELDS: ClassVar[tuple[str, ...]] = ("requests",)

    def __init__(self, requests: tuple[OrderRequestCancel, ...]) -> None:
        self.requests: Final = requests


@final
class SendAmendRequests(CommandAction):
    """Ask for other prices or quantities of these orders, as far as the risk manager approves.

    All of them are asked for where ``override_risk`` says so.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("requests", "override_risk")

    def __init__(self, requests: tuple[OrderRequestAmend, ...], override_risk: bool = False) -> None:
        self.requests: Final = requests
        self.override_risk: Final = override_risk


@final
class ClosePositions(CommandAction):
    """Close the positions of the selected instruments, the way the strategies say.

    As far as the risk manager approves; in any case where ``override_risk`` says so.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("filter", "override_risk")

    def __init__(self, filter: InstrumentFilter, override_risk: bool = False) -> None:  # noqa: A002 - the field's term
        self.filter: Final = filter
        self.override_risk: Final = override_risk


@final
class CancelOrders(CommandAction):
    """Cancel every active order of the selected instruments."""

    FIELDS: ClassVar[tuple[str, ...]] = ("filter",)

    def __init__(self, filter: InstrumentFilter) -> None:  # noqa: A002 - the field's term
        self.filter: Final = filter


@final
class Command(EngineEvent):
    """An operator's command: its id (applied once), who sent it, and what is asked.

    ``position`` is its number in the stream of commands, 0 where it did not come from there.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("id", "origin", "action", "position")

    def __init__(self, id: str, origin: str, action: CommandAction, position: int = 0) -> None:
        self.id: Final = id
        self.origin: Final = origin
        self.action: Final = action
        self.position: Final = position


@final
class CommandRejected(EngineEvent):
    """A command that came but was not carried out, with the reason: it expired, or fits this engine's index no more.

    In the journal because whoever sent it must learn of it, and because it is not to be carried out later either.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("id", "origin", "reason", "position")

    def __init__(self, id: str, origin: str, reason: str, position: int) -> None:
        self.id: Final = id
        self.origin: Final = origin
        self.reason: Final = reason
        self.position: Final = position
