"""List every event the engine processes, besides those of the market.

Source: barter 0.12.5 ``engine/mod.rs``, ``EngineEvent`` and barter-execution's account events; added are the start of
the engine, the passing of time and timers, because whatever changes state is an event in the journal.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Trade
from tradebus.core.model.identifiers import AssetIndex, ExchangeIndex, InstrumentIndex, OrderId, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import Order, OrderError, OrderKey, RequestKind
from tradebus.core.model.record import Record


class AccountData(Record):
    """Base of what an account event can carry."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class SnapshotReceived(AccountData):
    """The venue's view of the whole account: an upsert of balances and orders."""

    FIELDS: ClassVar[tuple[str, ...]] = ("snapshot",)

    def __init__(self, snapshot: AccountSnapshot) -> None:
        self.snapshot: Final = snapshot


@final
class BalanceReceived(AccountData):
    """The balance of one asset changed."""

    FIELDS: ClassVar[tuple[str, ...]] = ("balance",)

    def __init__(self, balance: AssetBalance) -> None:
        self.balance: Final = balance


@final
class OrderReceived(AccountData):
    """The venue's view of one order; also the answer to an open request."""

    FIELDS: ClassVar[tuple[str, ...]] = ("order",)

    def __init__(self, order: Order) -> None:
        self.order: Final = order


@final
class CancelAnswered(AccountData):
    """The answer to a cancel request: the venue's id and time when accepted, an error when refused."""

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "id", "time_exchange_ns", "error")

    def __init__(
        self,
        key: OrderKey,
        id: OrderId | None,
        time_exchange_ns: int | None,
        error: OrderError | None,
    ) -> None:
        self.key: Final = key
        self.id: Final = id
        self.time_exchange_ns: Final = time_exchange_ns
        self.error: Final = error


@final
class AmendAnswered(AccountData):
    """The answer to an amend: the venue's id, time, price and quantity when accepted, an error when refused.

    A refusal says the price and quantity that were asked for, where they are known: it is of that amend alone.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "id", "time_exchange_ns", "price", "quantity", "error")

    def __init__(
        self,
        key: OrderKey,
        id: OrderId | None,
        time_exchange_ns: int | None,
        price: Decimal | None,
        quantity: Decimal | None,
        error: OrderError | None,
    ) -> None:
        self.key: Final = key
        self.id: Final = id
        self.time_exchange_ns: Final = time_exchange_ns
        self.price: Final = price
        self.quantity: Final = quantity
        self.error: Final = error


@final
class RequestInDoubt(AccountData):
    """No answer to a request will come, and what became of it is not known: a timeout, a lost link, a crashed owner.

    It is not a refusal. The owner asks the venue until it knows, and tells that as any other event.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "request", "reason")

    def __init__(self, key: OrderKey, request: RequestKind, reason: str) -> None:
        self.key: Final = key
        self.request: Final = request
        self.reason: Final = reason


@final
class RequestNeverReceived(AccountData):
    """A request never reached the venue, and never will: found out by asking, or because it never left its owner."""

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "request", "reason")

    def __init__(self, key: OrderKey, request: RequestKind, reason: str) -> None:
        self.key: Final = key
        self.request: Final = request
        self.reason: Final = reason


@final
class TradeReceived(AccountData):
    """One of our orders was filled, partly or fully."""

    FIELDS: ClassVar[tuple[str, ...]] = ("trade",)

    def __init__(self, trade: Trade) -> None:
        self.trade: Final = trade


@final
class FundingReceived(AccountData):
    """A funding payment of a position came: ``amount`` of ``asset``, negative where we paid.

    ``id`` is the venue's; payments of one instrument come in the order of their times.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("instrument", "amount", "asset", "time_exchange_ns", "id")

    def __init__(
        self, instrument: InstrumentIndex, amount: Decimal, asset: AssetIndex, time_exchange_ns: int, id: str
    ) -> None:
        self.instrument: Final = instrument
        self.amount: Final = amount
        self.asset: Final = asset
        self.time_exchange_ns: Final = time_exchange_ns
        self.id: Final = id


@final
class OwnerChanged(AccountData):
    """Another process took over the account; ``owner_epoch`` is the account journal's sequence of that record."""

    FIELDS: ClassVar[tuple[str, ...]] = ("owner", "owner_epoch")

    def __init__(self, owner: str, owner_epoch: int) -> None:
        self.owner: Final = owner
        self.owner_epoch: Final = owner_epoch


@final
class AccountEvent(EngineEvent):
    """One thing that happened on an account.

    ``cause`` is the audit sequence and ``ordinal`` the position among the events of that cause: together the event's
    key, by which it is applied once. Both 0 for events that nothing of ours caused and for sources without keys.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "cause", "ordinal", "data")

    def __init__(self, exchange: ExchangeIndex, cause: int, ordinal: int, data: AccountData) -> None:
        self.exchange: Final = exchange
        self.cause: Final = cause
        self.ordinal: Final = ordinal
        self.data: Final = data


@final
class AccountReconnecting(EngineEvent):
    """The link to an account was lost and is being restored."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "reason")

    def __init__(self, exchange: ExchangeIndex, reason: str) -> None:
        self.exchange: Final = exchange
        self.reason: Final = reason


@final
class AccountLinkChanged(EngineEvent):
    """Whether requests can be handed over to an account changed."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "link")

    def __init__(self, exchange: ExchangeIndex, link: AccountLink) -> None:
        self.exchange: Final = exchange
        self.link: Final = link


@final
class TradingStateUpdate(EngineEvent):
    """Switch algorithmic trading on or off; ``origin`` says who: an operator's name, ``policy``, ``feed end``.

    ``command_id`` and ``position`` are those of the command that asked for it, empty and 0 where none did.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("state", "origin", "command_id", "position")

    def __init__(self, state: TradingState, origin: str, command_id: str = "", position: int = 0) -> None:
        self.state: Final = state
        self.origin: Final = origin
        self.command_id: Final = command_id
        self.position: Final = position


@final
class ClockAdvanced(EngineEvent):
    """Nothing happened, but time went on: lets timers, latency and staleness move in a quiet market."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class TimerFired(EngineEvent):
    """A timer that a strategy set is due."""

    FIELDS: ClassVar[tuple[str, ...]] = ("strategy", "id", "due_ns")

    def __init__(self, strategy: StrategyId, id: str, due_ns: int) -> None:
        self.strategy: Final = strategy
        self.id: Final = id
        self.due_ns: Final = due_ns


@final
class Shutdown(EngineEvent):
    """Stop the engine: nothing else happens. ``command_id`` and ``position`` as of ``TradingStateUpdate``.

    ``origin`` says who asked for it; empty where it was the process that was told to end.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("command_id", "position", "origin")

    def __init__(self, command_id: str = "", position: int = 0, origin: str = "") -> None:
        self.command_id: Final = command_id
        self.position: Final = position
        self.origin: Final = origin


@final
class FeedEnded(EngineEvent):
    """The feed has no more events: the last record of a replay or backtest."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class SimulationSetup(Record):
    """How a simulated account behaves; in the journal, so that every process that folds it simulates the same.

    ``latency_ns`` is a whole round trip: half until a request arrives, half until its answer does. Fees are fractions
    of the value in quote (0.001 is 0.1 %). ``balances`` are what the account starts with. ``is_market_only``: only
    market orders are taken, and fill at once, whole, at the price that the request carries, as the reference's mock
    does; cancels are not answered by anybody. Else orders meet the market that the engine sees.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("latency_ns", "fee_maker", "fee_taker", "balances", "is_market_only")

    def __init__(
        self,
        latency_ns: int,
        fee_maker: Decimal,
        fee_taker: Decimal,
        balances: tuple[tuple[AssetIndex, Decimal], ...],
        is_market_only: bool = False,
    ) -> None:
        self.latency_ns: Final = latency_ns
        self.fee_maker: Final = fee_maker
        self.fee_taker: Final = fee_taker
        self.balances: Final = balances
        self.is_market_only: Final = is_market_only


@final
class AccountSetup(Record):
    """An account the engine trades through: its name on the bus, and how it is simulated (none: a venue's account)."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "account", "simulation")

    def __init__(self, exchange: ExchangeIndex, account: str, simulation: SimulationSetup | None) -> None:
        self.exchange: Final = exchange
        self.account: Final = account
        self.simulation: Final = simulation


@final
class StrategySetup(Record):
    """A strategy of the engine: its id, the class that makes it, and its parameters (name, text), sorted by name."""

    FIELDS: ClassVar[tuple[str, ...]] = ("id", "class_path", "params")

    def __init__(self, id: StrategyId, class_path: str, params: tuple[tuple[str, str], ...]) -> None:
        self.id: Final = id
        self.class_path: Final = class_path
        self.params: Final = params


@final
class DataSetup(Record):
    """User-defined data: the class that makes it, and its parameters (name, text), sorted by name."""

    FIELDS: ClassVar[tuple[str, ...]] = ("class_path", "params")

    def __init__(self, class_path: str, params: tuple[tuple[str, str], ...]) -> None:
        self.class_path: Final = class_path
        self.params: Final = params


@final
class EngineStarted(EngineEvent):
    """The first record of a journal: all that is needed to build the initial state from the journal alone.

    ``run`` and ``code`` describe the process and are left out of digests; everything else decides the state.
    ``global_data`` and ``instrument_data`` are none where the user defined no such data.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "engine_id",
        "mode",
        "run",
        "code",
        "index",
        "accounts",
        "strategies",
        "trading",
        "risk",
        "global_data",
        "instrument_data",
    )

    def __init__(
        self,
        engine_id: str,
        mode: str,
        run: str,
        code: str,
        index: IndexedInstruments,
        accounts: tuple[AccountSetup, ...],
        strategies: tuple[StrategySetup, ...],
        trading: TradingState,
        risk: tuple[RiskCheckSetup, ...] = (),
        global_data: DataSetup | None = None,
        instrument_data: DataSetup | None = None,
    ) -> None:
        self.engine_id: Final = engine_id
        self.mode: Final = mode
        self.run: Final = run
        self.code: Final = code
        self.index: Final = index
        self.accounts: Final = accounts
        self.strategies: Final = strategies
        self.trading: Final = trading
        self.risk: Final = risk
        self.global_data: Final = global_data
        self.instrument_data: Final = instrument_data
