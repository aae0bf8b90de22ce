"""Let users keep data of their own: of each instrument, and of the whole engine.

Like what strategies remember, it is part of the state, changes only where every replica changes it too, and fails
alike: the first exception stops it for good and halts trading, with the reason in the tick.

Source: barter 0.12.5 ``engine/state/instrument/data.rs`` and ``engine/state/mod.rs`` (global data). There user data
takes the place of the default data; here it stands beside it and may override its price.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, final

from mypy_extensions import mypyc_attr

from tradebus.core.engine.event import AccountEvent, DataSetup
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import InstrumentIndex, StrategyId
from tradebus.core.model.number import check_computed, context_is_intact, restore_engine_context
from tradebus.core.model.order import OrderRequestAmend, OrderRequestCancel, OrderRequestOpen
from tradebus.core.model.record import Record

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState
    from tradebus.core.engine.state.instrument import InstrumentState

GLOBAL_DATA: Final = StrategyId("global data")
"""The name under which a failure of the global data is reported."""
INSTRUMENT_DATA: Final = "instrument data"


def instrument_data_name(instrument: InstrumentIndex) -> StrategyId:
    """Return the name under which a failure of an instrument's data is reported."""
    return StrategyId(f"{INSTRUMENT_DATA} {instrument}")


@mypyc_attr(allow_interpreted_subclasses=True)
class UserData:
    """Base of user-defined data: plain values in attributes of an ordinary Python class.

    None, bool, int, Decimal, str, bytes, and lists, tuples and string-keyed dicts of these. What its methods do must
    depend on their arguments and its attributes alone; what they are given they read and do not change.
    """

    def to_plain(self) -> dict[str, object]:
        """Return all that is kept as plain values by name; the base returns the attributes."""
        return dict(getattr(self, "__dict__", {}))

    def from_plain(self, plain: dict[str, object]) -> None:
        """Take back what ``to_plain`` returned; the base sets the attributes."""
        for name, value in plain.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        """Show the class and what is kept."""
        return f"{type(self).__name__}({self.to_plain()!r})"

    def __eq__(self, other: object) -> bool:
        """Compare by class and by what is kept."""
        if not isinstance(other, UserData) or type(self) is not type(other):
            return False
        return self.to_plain() == other.to_plain()

    def __hash__(self) -> int:
        """Refuse to hash what changes."""
        raise TypeError(f"unhashable type: {type(self).__name__!r}")

    def __reduce__(self) -> NoReturn:
        """Refuse copy and pickle, which would silently lose the attributes of a subclass."""
        raise TypeError(f"{type(self).__name__}: use to_plain and from_plain to copy or store user data")


@mypyc_attr(allow_interpreted_subclasses=True)
class GlobalData(UserData):
    """Base of data of the whole engine: sees every market and account event. The base keeps nothing."""

    def process_market(self, state: "EngineState", event: MarketEvent) -> None:
        """Take in a market event, before the instrument's own data does."""

    def process_account(self, state: "EngineState", event: AccountEvent) -> None:
        """Take in an account event, after everything else has."""


@mypyc_attr(allow_interpreted_subclasses=True)
class InstrumentData(UserData):
    """Base of data of one instrument: sees its events and the requests sent for it. The base keeps nothing.

    ``instrument`` is all that is known of the instrument; ``instrument.data`` is the default data.
    """

    def process_market(self, instrument: "InstrumentState", event: MarketEvent) -> None:
        """Take in a market event, after the default data has."""

    def process_account(self, instrument: "InstrumentState", event: AccountEvent) -> None:
        """Take in an account event: a fill before it changes the position, anything else after the orders changed.

        A snapshot of the account comes once for each instrument of which it tells orders; balances do not come.
        """

    def record_open(self, instrument: "InstrumentState", request: OrderRequestOpen) -> None:
        """Note that an order was sent."""

    def record_cancel(self, instrument: "InstrumentState", request: OrderRequestCancel) -> None:
        """Note that a cancel was sent."""

    def record_amend(self, instrument: "InstrumentState", request: OrderRequestAmend) -> None:
        """Note that an amend was sent."""

    def price(self, instrument: "InstrumentState") -> Decimal | None:
        """Return the market's price, none where there is none; asked after each event that the data has taken in.

        The base leaves it to the default data: the micro price, else the last traded one.
        """
        return instrument.data.price()


@final
class KeptGlobalData(GlobalData):
    """What the global data kept, as plain values, where its class is not available: nothing of it is lost.

    It can be hashed and stored again until the first event; from there on nobody knows what the class would have made
    of it, and ``is_current`` tells so.
    """

    def __init__(self, plain: dict[str, object]) -> None:
        self._plain: Final = plain
        self.is_current = True

    def process_market(self, state: "EngineState", event: MarketEvent) -> None:  # noqa: ARG002 - what is in it is not known
        """Turn outdated."""
        self.is_current = False

    def process_account(self, state: "EngineState", event: AccountEvent) -> None:  # noqa: ARG002 - as above
        """Turn outdated."""
        self.is_current = False

    def to_plain(self) -> dict[str, object]:
        """Return what was kept."""
        return self._plain


@final
class KeptInstrumentData(InstrumentData):
    """What an instrument's data kept, as ``KeptGlobalData``."""

    def __init__(self, plain: dict[str, object]) -> None:
        self._plain: Final = plain
        self.is_current = True

    def process_market(self, instrument: "InstrumentState", event: MarketEvent) -> None:  # noqa: ARG002 - as above
        """Turn outdated."""
        self.is_current = False

    def process_account(self, instrument: "InstrumentState", event: AccountEvent) -> None:  # noqa: ARG002 - as above
        """Turn outdated."""
        self.is_current = False

    def record_open(self, instrument: "InstrumentState", request: OrderRequestOpen) -> None:  # noqa: ARG002 - as above
        """Turn outdated."""
        self.is_current = False

    def record_cancel(self, instrument: "InstrumentState", request: OrderRequestCancel) -> None:  # noqa: ARG002 - as above
        """Turn outdated."""
        self.is_current = False

    def record_amend(self, instrument: "InstrumentState", request: OrderRequestAmend) -> None:  # noqa: ARG002 - as above
        """Turn outdated."""
        self.is_current = False

    def to_plain(self) -> dict[str, object]:
        """Return what was kept."""
        return self._plain


@final
class GlobalDataState(Record):
    """The global data of this engine: how it was set up, what it keeps (none where its class is not available here).

    ``failure`` says why it failed, if it did; ``is_halted`` that the failure stands in a tick.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("setup", "data", "failure", "is_halted")

    def __init__(self, setup: DataSetup, data: GlobalData | None, failure: str, is_halted: bool) -> None:
        self.setup = setup
        self.data = data
        self.failure = failure
        self.is_halted = is_halted

    @property
    def has_class(self) -> bool:
        """Tell whether the class is available here."""
        return self.data is not None and not isinstance(self.data, KeptGlobalData)

    def plain(self) -> dict[str, object] | None:
        """Return what is kept as plain values by name; none where that is not known here."""
        data = self.data
        if data is None or (isinstance(data, KeptGlobalData) and not data.is_current):
            return None
        return data.to_plain()

    def process_market(self, state: "EngineState", event: MarketEvent) -> None:
        """Let the data take in a market event."""
        data = self.data
        if data is None or self.failure:
            return
        try:
            data.process_market(state, event)
        except Exception as error:  # noqa: BLE001 - user code may raise anything; it becomes state, seen in the tick
            self.failure = failure_of("process_market", error)
        self.failure = self.failure or context_failure("process_market")

    def process_account(self, state: "EngineState", event: AccountEvent) -> None:
        """Let the data take in an account event."""
        data = self.data
        if data is None or self.failure:
            return
        try:
            data.process_account(state, event)
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = failure_of("process_account", error)
        self.failure = self.failure or context_failure("process_account")


@final
class InstrumentDataState(Record):
    """The user-defined data of one instrument, as ``GlobalDataState``; ``price`` is what it last gave for the market's.

    Once it failed, or where its class is not available, the price is the default data's.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("setup", "data", "price", "failure", "is_halted")

    def __init__(
        self,
        setup: DataSetup,
        data: InstrumentData | None,
        price: Decimal | None,
        failure: str,
        is_halted: bool,
    ) -> None:
        self.setup = setup
        self.data = data
        self.price = price
        self.failure = failure
        self.is_halted = is_halted

    @property
    def has_class(self) -> bool:
        """Tell whether the class is available here."""
        return self.data is not None and not isinstance(self.data, KeptInstrumentData)

    def plain(self) -> dict[str, object] | None:
        """Return what is kept as plain values by name; none where that is not known here."""
        data = self.data
        if data is None or (isinstance(data, KeptInstrumentData) and not data.is_current):
            return None
        return data.to_plain()

    @property
    def gives_price(self) -> bool:
        """Tell whether the price is this data's: a class that leaves it to the default data is not asked for it."""
        return self.data is not None and not self.failure and type(self.data).price is not InstrumentData.price

    def process_market(self, instrument: "InstrumentState", event: MarketEvent) -> None:
        """Let the data take in a market event."""
        data = self.data
        if data is None or self.failure:
            return
        try:
            data.process_market(instrument, event)
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = failure_of("process_market", error)
        self._settle("process_market", instrument)

    def process_account(self, instrument: "InstrumentState", event: AccountEvent) -> None:
        """Let the data take in an account event."""
        data = self.data
        if data is None or self.failure:
            return
        try:
            data.process_account(instrument, event)
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = failure_of("process_account", error)
        self._settle("process_account", instrument)

    def record_open(self, instrument: "InstrumentState", request: OrderRequestOpen) -> None:
        """Let the data note an order that was sent."""
        data = self.data
        if data is None or self.failure:
            return
        try:
            data.record_open(instrument, request)
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = failure_of("record_open", error)
        self._settle("record_open", instrument)

    def record_cancel(self, instrument: "InstrumentState", request: OrderRequestCancel) -> None:
        """Let the data note a cancel that was sent."""
        data = self.data
        if data is None or self.failure:
            return
        try:
            data.record_cancel(instrument, request)
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = failure_of("record_cancel", error)
        self._settle("record_cancel", instrument)

    def record_amend(self, instrument: "InstrumentState", request: OrderRequestAmend) -> None:
        """Let the data note an amend that was sent."""
        data = self.data
        if data is None or self.failure:
            return
        try:
            data.record_amend(instrument, request)
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = failure_of("record_amend", error)
        self._settle("record_amend", instrument)

    def _settle(self, where: str, instrument: "InstrumentState") -> None:
        self.failure = self.failure or context_failure(where)
        data = self.data
        if data is not None and self.gives_price:
            price: Decimal | None = None
            try:
                given: object = data.price(instrument)
                price = None if given is None else check_computed(given)
            except Exception as error:  # noqa: BLE001 - as above
                self.failure = failure_of("price", error)
            self.failure = self.failure or context_failure("price")
            self.price = price


def failure_of(where: str, error: Exception) -> str:
    """Return what is kept of an exception: no text of it, which may differ between two processes."""
    return f"{where} raised {type(error).__name__}"


def context_failure(where: str) -> str:
    """Undo a change of the decimal context and say where it happened, empty if it did not."""
    if context_is_intact():
        return ""
    restore_engine_context()
    return f"{where} changed the decimal context"
