"""User-defined data, of the engine and of each instrument: what reaches it when, and what happens when it fails."""

import copy
import pickle
import re
from decimal import Decimal
from typing import Any

import pytest

from tests.support.builders import (
    ASSET_BTC,
    BTC,
    ETH,
    account_event,
    amend_answered,
    amend_of,
    asset_balance,
    balance_told,
    book,
    cancel_answered,
    cancel_of,
    command_of,
    engine_of,
    engine_started,
    fill,
    filled,
    funded,
    open_request,
    opened,
    order_in,
    order_told,
    public_trade,
)
from tests.support.scenario import Followed, Scripted, answer_once, follow, halted
from tests.support.user_data import (
    GLOBAL,
    INSTRUMENT,
    Diary,
    Doubled,
    InstrumentDiary,
    factory,
    misbehave,
    started_with_data,
)
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.command import SendAmendRequests, SendCancelRequests, SendOpenRequests
from tradebus.core.engine.event import DataSetup, SnapshotReceived, TradingStateUpdate
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.engine.state.user_data import GlobalData, InstrumentData
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.account import AccountSnapshot
from tradebus.core.model.identifiers import InstrumentIndex
from tradebus.core.strategy.interface import Decision

D = Decimal


def with_diaries(*strategies: Scripted, **classes: Any) -> Followed:
    return follow(*strategies, started=started_with_data(*strategies), make_user_data=factory(**classes))


def notes(followed: Followed, instrument: InstrumentIndex | None = None) -> list[object]:
    state = followed.engine.state
    data = state.find_global_data() if instrument is None else state.find_instrument_data(instrument)
    found = data.to_plain()["notes"]
    assert isinstance(found, list)
    return found


def test_a_market_event_reaches_global_data_first_then_the_default_then_the_instruments_own() -> None:
    followed = with_diaries()
    followed.process(public_trade(5))
    followed.process(public_trade(6))
    assert notes(followed) == [("market", None, 0), ("market", 5, 1)]
    assert notes(followed, BTC) == [("market", 5), ("market", 6)]
    assert notes(followed, ETH) == []


def test_a_fill_reaches_the_instruments_data_before_the_position_and_global_data_after() -> None:
    followed = with_diaries()
    followed.process(filled(fill(quantity=2)))
    assert notes(followed, BTC) == [("account", "TradeReceived", None, 0)]
    assert notes(followed) == [("account", "TradeReceived", 2, None, None)]


def test_orders_answers_and_funding_reach_the_instruments_data_after_they_are_taken_in() -> None:
    followed = with_diaries()
    followed.process(order_told(order_in(opened(1), "c1")))
    followed.process(cancel_answered("c1"))
    followed.process(funded(-1, 1))
    assert notes(followed, BTC) == [
        ("account", "OrderReceived", None, 1),
        ("account", "CancelAnswered", None, 0),
        ("account", "FundingReceived", None, 0),
    ]


def test_balances_reach_global_data_alone() -> None:
    followed = with_diaries()
    followed.process(balance_told(asset_balance(0, 1)))
    assert notes(followed) == [("account", "BalanceReceived", None, None, None)]
    assert notes(followed, BTC) == []


def test_a_snapshot_comes_once_for_each_instrument_it_tells_orders_of() -> None:
    followed = with_diaries()
    orders = (order_in(opened(1), "a"), order_in(opened(1), "b", instrument=ETH), order_in(opened(1), "c"))
    followed.process(account_event(SnapshotReceived(AccountSnapshot((asset_balance(0, 1),), orders))))
    assert notes(followed, BTC) == [("account", "SnapshotReceived", None, 2)]
    assert notes(followed, ETH) == [("account", "SnapshotReceived", None, 1)]
    assert len(notes(followed)) == 1


def test_a_duplicate_account_event_reaches_no_data() -> None:
    followed = with_diaries()
    for _ in range(2):
        followed.process(filled(fill(), 3, 1))
    assert (len(notes(followed)), len(notes(followed, BTC))) == (1, 1)


def test_requests_are_noted_after_the_orders_have_them_cancels_first() -> None:
    strategy = Scripted(answer_once(Decision([cancel_of("gone")], [open_request("c1")])))
    followed = with_diaries(strategy)
    followed.process(public_trade())
    assert notes(followed, BTC)[1:] == [("cancel", "gone", 1), ("open", "c1", 1)]
    followed.process(command_of(SendCancelRequests((cancel_of("c1"),))))
    followed.process(command_of(SendOpenRequests((open_request("c2", instrument=ETH),)), "2"))
    assert notes(followed, BTC)[3:] == [("cancel", "c1", 1)]
    assert notes(followed, ETH) == [("open", "c2", 1)]


def test_amends_and_their_answers_reach_the_instruments_data() -> None:
    followed = with_diaries()
    followed.process(order_told(order_in(opened(1), "c1")))
    followed.process(command_of(SendAmendRequests((amend_of(price=101),))))
    followed.process(amend_answered(price=101))
    assert notes(followed, BTC)[1:] == [("amend", "c1", 1), ("account", "AmendAnswered", None, 1)]


def test_strategies_see_what_data_made_of_the_event() -> None:
    seen: list[object] = []

    def look(state: EngineState, _event: object) -> None:
        seen.append(state.find_instrument_data(BTC).to_plain()["seen"])

    followed = with_diaries(Scripted(look))
    followed.process(public_trade())
    assert seen == [1]


def test_data_may_give_the_price_and_only_then_is_asked() -> None:
    followed = with_diaries(of_one=Doubled)
    instrument = followed.engine.state.instruments[BTC]
    followed.process(book((99, 1), (101, 1)))
    assert [instrument.price(), instrument.data.price()] == [None, D(100)]
    followed.process(public_trade(7))
    assert [instrument.price(), instrument.price_mark(), instrument.data.price()] == [14, 14, 100]
    plain = with_diaries()
    plain.process(public_trade(7))
    assert plain.engine.state.instruments[BTC].price() == 7
    user = plain.engine.state.instruments[BTC].user_data
    assert user is not None
    assert user.price is None


def test_what_is_booked_does_not_depend_on_a_price_of_the_user() -> None:
    booked = []
    both: list[dict[str, Any]] = [{}, {"of_one": Doubled}]
    for classes in both:
        followed = with_diaries(**classes)
        followed.process(public_trade(7))
        followed.process(funded(-1, ASSET_BTC))
        booked.append(followed.engine.state.instruments[BTC].pnl_realised())
    assert booked == [-7, -7]


class Misbehaving(InstrumentDiary):
    """Fails at the second market event in the way its class says."""

    kind = "raise"

    def process_market(self, instrument: InstrumentState, event: MarketEvent) -> None:
        super().process_market(instrument, event)
        if self.seen == 2:
            misbehave(self.kind)


class Imprecise(Misbehaving):
    kind = "precision"


class Priceless(InstrumentDiary):
    """Gives a price that is none."""

    kind = "float"

    def price(self, instrument: InstrumentState) -> Decimal | None:
        given: Decimal | None = misbehave(self.kind)
        return given


class NotANumber(Priceless):
    kind = "nan"


class PriceRaises(Priceless):
    kind = "raise"


class GlobalMisbehaving(Diary):
    """Fails at the first market event."""

    def process_market(self, state: EngineState, event: MarketEvent) -> None:
        misbehave("raise")


@pytest.mark.parametrize(
    ("of_one", "reason"),
    [
        (Misbehaving, "process_market raised KeyError"),
        (Imprecise, "process_market changed the decimal context"),
        (Priceless, "price raised NumberError"),
        (NotANumber, "price raised NumberError"),
        (PriceRaises, "price raised KeyError"),
    ],
)
def test_data_that_fails_is_stopped_and_halts_trading_with_the_reason(
    of_one: type[InstrumentDiary], reason: str
) -> None:
    strategy = Scripted()
    followed = with_diaries(strategy, of_one=of_one)
    ticks = [followed.process(public_trade(5)), followed.process(public_trade(6))]
    output = halted(next(tick for tick in ticks if tick.outputs))
    assert (output.strategy, output.reason) == ("instrument data 0", reason)
    state = followed.engine.state
    assert state.trading is TradingState.DISABLED
    before = state.find_instrument_data(BTC).to_plain()
    followed.process(TradingStateUpdate(TradingState.ENABLED, "operator"))
    tick = followed.process(public_trade(7))
    assert tick.outputs == ()
    assert state.find_instrument_data(BTC).to_plain() == before
    assert state.instruments[BTC].price() == 7, "the default data's"
    assert followed.process(public_trade(9, instrument=ETH)) is not None
    assert state.strategies[0].failure == ""


def test_global_data_that_fails_is_stopped_and_halts_trading() -> None:
    followed = with_diaries(of_all=GlobalMisbehaving)
    output = halted(followed.process(public_trade(5)))
    assert (output.strategy, output.reason) == ("global data", "process_market raised KeyError")
    assert followed.process(public_trade(6)).outputs == ()
    assert followed.engine.state.trading is TradingState.DISABLED


class Floating(Diary):
    """Keeps a float, deep down."""

    def process_market(self, state: EngineState, event: MarketEvent) -> None:
        self.notes = [{"mean": [1, 0.5]}]


class FloatingInstrument(InstrumentDiary):
    """Keeps a float."""

    def process_market(self, instrument: InstrumentState, event: MarketEvent) -> None:
        self.notes = [0.5]


@pytest.mark.parametrize(
    ("classes", "name", "where"),
    [
        ({"of_all": Floating}, "global data", r"data\.notes\[0\]\.mean\[1\]"),
        ({"of_one": FloatingInstrument}, "instrument data 0", r"data\.notes\[0\]"),
    ],
)
def test_a_float_in_data_fails_in_the_tick_after_the_next_hash(classes: dict[str, Any], name: str, where: str) -> None:
    engine = engine_of(started=started_with_data(), make_user_data=factory(**classes), is_debug=False)
    engine.start(0)
    engine.process(public_trade(), 1)
    assert engine.hash().user == ""
    halt = halted(engine.process(public_trade(), 2))
    assert halt.strategy == name
    assert re.search(f"{where}: expected None, bool, int, .* found float", halt.reason)
    assert engine.state.trading is TradingState.DISABLED


@pytest.mark.parametrize("data", [Diary(), InstrumentDiary()])
def test_copies_and_pickles_are_refused_loudly(data: GlobalData | InstrumentData) -> None:
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="use to_plain and from_plain"):
            attempt(data)
    with pytest.raises(TypeError, match="unhashable"):
        hash(data)


def test_data_goes_to_plain_values_and_back() -> None:
    one, other = InstrumentDiary(), InstrumentDiary()
    one.note("x", 1)
    assert one != other
    other.from_plain(one.to_plain())
    assert one == other
    assert one != Diary()


def test_the_bases_keep_nothing_and_leave_the_price_alone() -> None:
    followed = with_diaries(of_all=GlobalData, of_one=InstrumentData)
    followed.process(public_trade(5))
    followed.process(filled(fill()))
    followed.process(command_of(SendOpenRequests((open_request("c"),))))
    followed.process(command_of(SendCancelRequests((cancel_of("c"),)), "2"))
    state = followed.engine.state
    assert state.find_global_data().to_plain() == state.find_instrument_data(BTC).to_plain() == {}
    assert InstrumentData().price(state.instruments[BTC]) == 5


def test_a_replica_without_the_classes_verifies_the_core_alone() -> None:
    followed = with_diaries(Scripted(), of_one=Misbehaving)
    without = Replica(lambda setup, _index: followed.engine.state.strategy(setup.id).data)
    for event in (public_trade(5), filled(fill()), public_trade(6), public_trade(7)):
        followed.process(event)
    for tick in followed.ticks:
        without.apply(tick)
    ours, theirs = followed.engine.hash(), without.hash()
    assert ours.core == theirs.core
    assert (theirs.user, ours.equals(theirs)) == ("", False)
    with pytest.raises(KeyError, match="the global data is not available: its class could not be loaded"):
        without.state.find_global_data()
    with pytest.raises(KeyError, match="the data of sim_alpha-btc_usdt is not available"):
        without.state.find_instrument_data(BTC)


def test_data_that_was_not_asked_for_is_not_there() -> None:
    state = follow().engine.state
    with pytest.raises(KeyError, match="no global data is configured"):
        state.find_global_data()
    with pytest.raises(KeyError, match="no instrument data is configured"):
        state.find_instrument_data(BTC)


def test_an_engine_does_not_start_without_the_classes() -> None:
    with pytest.raises(ValueError, match=r"found none for \['mine:Diary', 'mine:InstrumentDiary'\]"):
        engine_of(started=started_with_data())


def test_a_class_of_the_wrong_kind_is_refused() -> None:
    one_for_all: Any = InstrumentDiary
    with pytest.raises(TypeError, match="global data mine:Diary: expected a GlobalData, found InstrumentDiary"):
        with_diaries(of_all=one_for_all)
    all_for_one: Any = Diary
    with pytest.raises(TypeError, match="instrument data mine:InstrumentDiary: expected an InstrumentData, found"):
        with_diaries(of_one=all_for_one)


@pytest.mark.parametrize("name", ["global data", "instrument data 2"])
def test_a_strategy_cannot_have_the_name_of_data(name: str) -> None:
    with pytest.raises(ValueError, match=f"expected another id for a strategy than '{name}'"):
        engine_of(Scripted(strategy_id=name))


def test_either_kind_can_be_configured_alone() -> None:
    for setups in ({"global_data": GLOBAL}, {"instrument_data": INSTRUMENT}):
        started = engine_started(**setups)  # type: ignore[arg-type]
        followed = follow(started=started, make_user_data=factory())
        followed.process(public_trade(5))
        followed.process(filled(fill()))
        user = followed.engine.state.instruments[BTC].user_data
        assert (followed.engine.state.global_data is None) is ("instrument_data" in setups)
        assert (user is None) is ("global_data" in setups)


def test_setup_and_data_are_in_the_hash() -> None:
    hashes = set()
    for setup in (GLOBAL, DataSetup("mine:Other", GLOBAL.params), DataSetup(GLOBAL.class_path, ())):
        engine = engine_of(started=engine_started(global_data=setup), make_user_data=factory())
        hashes.add(engine.hash().core)
    assert len(hashes) == 3
