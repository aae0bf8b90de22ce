"""A state in which nothing is missing that can be there: whatever walks over states is tested with it.

Who adds a part to the state adds it here.
"""

from decimal import Decimal

from tests.support.builders import (
    ALPHA,
    BTC,
    amend_of,
    asset_balance,
    balance_told,
    book,
    book_snapshot,
    check_of,
    command_of,
    engine_started,
    fill,
    filled,
    funded,
    market_data,
    open_request,
    opened,
    order_in,
    order_told,
    public_trade,
    setup_of,
    simulated_account,
    spot_definition,
    steps,
)
from tests.support.scenario import Followed, Scripted, follow
from tests.support.user_data import GLOBAL, factory
from tradebus.core.engine.command import SendAmendRequests, SendOpenRequests
from tradebus.core.engine.event import DataSetup, TradingStateUpdate
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.engine.state.user_data import GlobalData, InstrumentData
from tradebus.core.market.event import MarketGap
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments, index_instruments
from tradebus.core.model.instrument import (
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    OptionExercise,
    OptionKind,
    QuantityUnit,
    QuoteKind,
)
from tradebus.core.model.order import (
    OPEN_UNKNOWN,
    CancelInFlight,
    CancelUnknown,
)
from tradebus.core.model.side import Side


def everything() -> dict[str, object]:
    """Return a value of every plain kind."""
    return {
        "flag": True,
        "count": 3,
        "amount": Decimal("1.5"),
        "text": "text",
        "raw": b"raw",
        "items": [1, ["a", Decimal(2)]],
        "pair": (1, (True, "b")),
        "names": {"a": 1, "b": {"c": Decimal(3)}},
    }


class Everything(StrategyData):
    """Data with a value of every plain kind."""

    items: list[object]

    def __init__(self) -> None:
        self.from_plain(everything())


class EverythingOfAll(GlobalData):
    """The same of the whole engine."""

    def __init__(self) -> None:
        self.from_plain(everything())


class EverythingOfOne(InstrumentData):
    """The same of an instrument, with a price of its own."""

    def __init__(self) -> None:
        self.from_plain(everything())

    def price(self, instrument: InstrumentState) -> Decimal | None:
        return Decimal(99)


full_user_data = factory(EverythingOfAll, EverythingOfOne)
"""Makes the user-defined data of that state."""


def rich_index() -> IndexedInstruments:
    """Spot with a specification, and an option: no part of a definition is absent from both."""
    btc, usdt = asset_from_name("btc"), asset_from_name("usdt")
    contract = InstrumentContract(
        InstrumentKind.OPTION,
        Decimal("0.1"),
        asset_from_name("usdc"),
        1_700_000_000_000_000_000,
        Decimal(50000),
        OptionKind.CALL,
        OptionExercise.EUROPEAN,
    )
    spec = InstrumentSpec(Decimal(1), Decimal("0.5"), QuantityUnit.ASSET, btc, Decimal(2), Decimal(3), Decimal(4))
    option = InstrumentDefinition(
        ExchangeId.SIM_ALPHA, "call", "CALL", btc, usdt, QuoteKind.UNDERLYING_QUOTE, contract, spec
    )
    return index_instruments([option, spot_definition(spec=steps("0.1", "0.1"))])


def full_run() -> Followed:
    """Return an engine, and a replica of it, in whose state nothing is missing that can be there."""
    index = rich_index()
    strategy = Scripted(data=Everything)
    rate = check_of("order_rate", orders_max="3", window_ms="1000")
    started = engine_started(
        [setup_of(strategy.id, fast="1")],
        index=index,
        accounts=[simulated_account()],
        global_data=GLOBAL,
        risk=[rate],
        instrument_data=DataSetup("mine:Everything", (("depth", "9"),)),
    )
    followed = follow(strategy, started=started, make_user_data=full_user_data)
    for i in (0, 1):
        followed.process(book((99 + i, 1), (101 + i, 2), instrument=i, time_ns=7))
        followed.process(public_trade(100, instrument=i, time_ns=8))
        followed.process(market_data(book_snapshot([(99, 1), (98, 2)], [(101, 3)], 4, 5), instrument=i, time_ns=9))
        followed.process(filled(fill("a", Side.BUY, 90, 1, 1, instrument=i), 5, 2 * i + 1))
        followed.process(filled(fill("b", Side.SELL, 95, 3, 1, instrument=i, fees_asset=1), 5, 2 * i + 2))
        followed.process(funded(-1, i, instrument=i))
        followed.process(order_told(order_in(opened(3, "0.5"), f"open{i}", instrument=i)))
        followed.process(order_told(order_in(CancelInFlight(opened(4, "0.25", "2")), f"cancel{i}", instrument=i)))
        followed.process(order_told(order_in(cid=f"flight{i}", instrument=i)))
        followed.process(order_told(order_in(OPEN_UNKNOWN, f"unknown{i}", instrument=i)))
        followed.process(order_told(order_in(CancelUnknown(opened(4, "0.25", "3")), f"doubt{i}", instrument=i)))
        followed.process(command_of(SendAmendRequests((amend_of(f"open{i}", price=7, instrument=i),))), 1 + i)
        followed.process(filled(fill("c", quantity="0.75", cid=f"open{i}", instrument=i)))
    for asset in range(len(index.assets)):
        followed.process(balance_told(asset_balance(asset, 10, 4, time_ns=6)))
    followed.process(MarketGap(ALPHA, BTC, 1, 2))
    followed.process(command_of(SendOpenRequests((open_request("teste2s7n3", quantity=6),))), 10)
    followed.process(command_of(SendOpenRequests((open_request("sent", quantity=6),))), 11)
    followed.process(TradingStateUpdate(TradingState.ENABLED, "operator", "asked", 7), 12)
    state = followed.engine.state
    state.strategies[0].failure = "none really"
    for user in (state.global_data, *(instrument.user_data for instrument in state.instruments)):
        assert user is not None
        user.failure = "none really"
        user.is_halted = True
    state.strategies[0].is_halted = True
    state.set_timer(strategy.id, "t", 9)
    return followed


def full_state() -> EngineState:
    """Return that engine's state."""
    return full_run().engine.state
