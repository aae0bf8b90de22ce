"""Record one step of the engine: the event, everything that was decided, what went wrong.

Source: barter 0.12.5 ``engine/audit``; here outputs say everything that changes state, so that a replica which applies
event and outputs is equal to the engine after every tick, and the reason of every request can be read back.
"""

from enum import Enum
from typing import ClassVar, Final, final

from tradebus.core.engine.error import EngineError
from tradebus.core.engine.event import FeedEnded, Shutdown
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.position import PositionExited
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.order import OrderRequestAmend, OrderRequestCancel, OrderRequestOpen
from tradebus.core.model.record import Record


class Origin(Enum):
    """What made the engine decide on requests."""

    ALGO = 1
    COMMAND_OPEN_ORDERS = 2
    COMMAND_CANCEL_ORDERS = 3
    COMMAND_CLOSE_POSITIONS = 4
    MARKET_DISCONNECT = 5
    ACCOUNT_DISCONNECT = 6
    TRADING_DISABLED = 7
    COMMAND_AMEND_ORDERS = 8


class Output(Record):
    """Base of what a step can decide."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class FailedOpen(Record):
    """An open request that could not be handed over."""

    FIELDS: ClassVar[tuple[str, ...]] = ("request", "error")

    def __init__(self, request: OrderRequestOpen, error: EngineError) -> None:
        self.request: Final = request
        self.error: Final = error


@final
class FailedCancel(Record):
    """A cancel request that could not be handed over."""

    FIELDS: ClassVar[tuple[str, ...]] = ("request", "error")

    def __init__(self, request: OrderRequestCancel, error: EngineError) -> None:
        self.request: Final = request
        self.error: Final = error


@final
class RefusedOpen(Record):
    """An open request that the risk manager, or the check of user code's answers, refused."""

    FIELDS: ClassVar[tuple[str, ...]] = ("request", "reason")

    def __init__(self, request: OrderRequestOpen, reason: str) -> None:
        self.request: Final = request
        self.reason: Final = reason


@final
class RefusedCancel(Record):
    """A cancel request that was refused."""

    FIELDS: ClassVar[tuple[str, ...]] = ("request", "reason")

    def __init__(self, request: OrderRequestCancel, reason: str) -> None:
        self.request: Final = request
        self.reason: Final = reason


@final
class FailedAmend(Record):
    """An amend request that could not be handed over."""

    FIELDS: ClassVar[tuple[str, ...]] = ("request", "error")

    def __init__(self, request: OrderRequestAmend, error: EngineError) -> None:
        self.request: Final = request
        self.error: Final = error


@final
class RefusedAmend(Record):
    """An amend request that was refused."""

    FIELDS: ClassVar[tuple[str, ...]] = ("request", "reason")

    def __init__(self, request: OrderRequestAmend, reason: str) -> None:
        self.request: Final = request
        self.reason: Final = reason


@final
class RequestsDecided(Output):
    """Requests of one origin: sent (with their ids), failed with the error, refused with the reason.

    ``strategy`` is who decided; ``unknown`` for an operator's commands. Hooks give this output even when they ask for
    nothing, because being called is a fact too.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "origin",
        "strategy",
        "cancels_sent",
        "opens_sent",
        "cancels_failed",
        "opens_failed",
        "cancels_refused",
        "opens_refused",
        "amends_sent",
        "amends_failed",
        "amends_refused",
    )

    def __init__(
        self,
        origin: Origin,
        strategy: StrategyId,
        cancels_sent: tuple[OrderRequestCancel, ...],
        opens_sent: tuple[OrderRequestOpen, ...],
        cancels_failed: tuple[FailedCancel, ...],
        opens_failed: tuple[FailedOpen, ...],
        cancels_refused: tuple[RefusedCancel, ...],
        opens_refused: tuple[RefusedOpen, ...],
        amends_sent: tuple[OrderRequestAmend, ...] = (),
        amends_failed: tuple[FailedAmend, ...] = (),
        amends_refused: tuple[RefusedAmend, ...] = (),
    ) -> None:
        self.origin: Final = origin
        self.strategy: Final = strategy
        self.cancels_sent: Final = cancels_sent
        self.opens_sent: Final = opens_sent
        self.cancels_failed: Final = cancels_failed
        self.opens_failed: Final = opens_failed
        self.cancels_refused: Final = cancels_refused
        self.opens_refused: Final = opens_refused
        self.amends_sent: Final = amends_sent
        self.amends_failed: Final = amends_failed
        self.amends_refused: Final = amends_refused


@final
class RiskOverridden(Output):
    """An operator's command sent what the risk manager refused, with the reasons; it comes before the requests."""

    FIELDS: ClassVar[tuple[str, ...]] = ("opens", "amends")

    def __init__(self, opens: tuple[RefusedOpen, ...], amends: tuple[RefusedAmend, ...] = ()) -> None:
        self.opens: Final = opens
        self.amends: Final = amends


@final
class PositionExit(Output):
    """The event closed a position. It follows from the event; applying it again changes nothing."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exited",)

    def __init__(self, exited: PositionExited) -> None:
        self.exited: Final = exited


@final
class TimerSet(Output):
    """A strategy set a timer; setting it again moves it."""

    FIELDS: ClassVar[tuple[str, ...]] = ("strategy", "id", "due_ns")

    def __init__(self, strategy: StrategyId, id: str, due_ns: int) -> None:
        self.strategy: Final = strategy
        self.id: Final = id
        self.due_ns: Final = due_ns


@final
class TimerCleared(Output):
    """A strategy cleared a timer; clearing one that is not set changes nothing."""

    FIELDS: ClassVar[tuple[str, ...]] = ("strategy", "id")

    def __init__(self, strategy: StrategyId, id: str) -> None:
        self.strategy: Final = strategy
        self.id: Final = id


@final
class DataPatched(Output):
    """A decision changed the strategy's data: ``key`` now holds ``value``.

    The value is plain: None, bool, int, Decimal, str, bytes, and lists, tuples and string-keyed dicts of these.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("strategy", "key", "value")

    def __init__(self, strategy: StrategyId, key: str, value: object) -> None:
        self.strategy: Final = strategy
        self.key: Final = key
        self.value: Final = value


@final
class Halted(Output):
    """User code failed or answered nonsense: algorithmic trading is off from here, events are still processed."""

    FIELDS: ClassVar[tuple[str, ...]] = ("strategy", "reason")

    def __init__(self, strategy: StrategyId, reason: str) -> None:
        self.strategy: Final = strategy
        self.reason: Final = reason


NO_OUTPUTS: Final[tuple[Output, ...]] = ()
NO_ERRORS: Final[tuple[EngineError, ...]] = ()


@final
class AuditTick(Record):
    """One step: ``sequence`` counts steps from 0, ``time_ns`` is engine time, outputs are in the order they were made.

    ``errors`` holds the unrecoverable ones; a tick with errors, or of a shutdown or ended feed, is the last.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("sequence", "time_ns", "event", "outputs", "errors")

    def __init__(
        self,
        sequence: int,
        time_ns: int,
        event: EngineEvent,
        outputs: tuple[Output, ...],
        errors: tuple[EngineError, ...],
    ) -> None:
        self.sequence: Final = sequence
        self.time_ns: Final = time_ns
        self.event: Final = event
        self.outputs: Final = outputs
        self.errors: Final = errors

    @property
    def is_terminal(self) -> bool:
        """Tell whether the engine stops after this tick."""
        return bool(self.errors) or isinstance(self.event, (Shutdown, FeedEnded))
