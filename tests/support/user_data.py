"""User-defined data in ordinary Python, as users write it: diaries of what came when, and data that misbehaves."""

from collections.abc import Callable, Sequence
from decimal import Decimal, getcontext
from typing import Any

from tests.support.builders import engine_started, setup_of
from tradebus.core.engine.event import AccountEvent, DataSetup, EngineStarted
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.engine.state.user_data import GlobalData, InstrumentData, UserData
from tradebus.core.engine.state.user_setup import UserDataFactory
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.order import OrderRequestAmend, OrderRequestCancel, OrderRequestOpen
from tradebus.core.strategy.interface import Strategy

NOTES_MAX = 12
GLOBAL = DataSetup("mine:Diary", (("a", "1"),))
INSTRUMENT = DataSetup("mine:InstrumentDiary", ())


class Diary(GlobalData):
    """Notes what it sees, with the last price of the instrument at that time."""

    def __init__(self) -> None:
        self.seen = 0
        self.notes: list[object] = []

    def note(self, *what: object) -> None:
        self.seen += 1
        self.notes = [*self.notes, tuple(what)][-NOTES_MAX:]

    def process_market(self, state: EngineState, event: MarketEvent) -> None:
        instrument = state.instruments[event.instrument]
        own = instrument.user_data
        seen = own.data.to_plain()["seen"] if own is not None and own.data is not None else None
        self.note("market", instrument.data.price_last, seen)

    def process_account(self, state: EngineState, event: AccountEvent) -> None:
        self.note("account", type(event.data).__name__, *(held(instrument) for instrument in state.instruments))


class InstrumentDiary(InstrumentData):
    """Notes what it sees of one instrument, with what is held and how many orders are active at that time."""

    def __init__(self) -> None:
        self.seen = 0
        self.notes: list[object] = []

    def note(self, *what: object) -> None:
        self.seen += 1
        self.notes = [*self.notes, tuple(what)][-NOTES_MAX:]

    def process_market(self, instrument: InstrumentState, event: MarketEvent) -> None:
        self.note("market", instrument.data.price_last)

    def process_account(self, instrument: InstrumentState, event: AccountEvent) -> None:
        self.note("account", type(event.data).__name__, held(instrument), len(instrument.orders))

    def record_open(self, instrument: InstrumentState, request: OrderRequestOpen) -> None:
        self.note("open", request.key.cid, len(instrument.orders))

    def record_cancel(self, instrument: InstrumentState, request: OrderRequestCancel) -> None:
        self.note("cancel", request.key.cid, len(instrument.orders))

    def record_amend(self, instrument: InstrumentState, request: OrderRequestAmend) -> None:
        self.note("amend", request.key.cid, len(instrument.orders))


class Doubled(InstrumentDiary):
    """Says that everything costs twice as much, and that nothing is known before the first trade."""

    def price(self, instrument: InstrumentState) -> Decimal | None:
        last = instrument.data.price_last
        return None if last is None else last * 2


def held(instrument: InstrumentState) -> Decimal | None:
    """Return what is held of an instrument, none when flat."""
    return None if instrument.position is None else instrument.position.quantity_abs


def misbehave(kind: str) -> Any:
    """Do what user data must not do; return what ``price`` must not give."""
    if kind == "raise":
        raise KeyError("mine")
    if kind == "precision":
        getcontext().prec = 5
    return {"float": 1.5, "nan": Decimal("NaN"), "text": "1"}.get(kind)


def factory(
    of_all: Callable[[], GlobalData] = Diary, of_one: Callable[[], InstrumentData] = InstrumentDiary
) -> UserDataFactory:
    """Return what makes user-defined data of these classes."""

    def make(setup: DataSetup, index: object, instrument: object) -> UserData:
        return of_all() if instrument is None else of_one()

    return make


def started_with_data(*strategies: Strategy, risk: Sequence[RiskCheckSetup] = ()) -> EngineStarted:
    """Return a start record that asks for both kinds of data."""
    setups = [setup_of(strategy.id) for strategy in strategies]
    return engine_started(setups, risk=risk, global_data=GLOBAL, instrument_data=INSTRUMENT)
